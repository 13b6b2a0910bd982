import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Controller, file, Get, Query, serveFiles } from '../../src/index.js'
import { folderOf } from '../support/folder.js'
import { fc } from '../support/properties.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

const folder = folderOf({
  'top/a': 'inside a',
  'top/d/b': 'inside b',
  'top/d/d/c': 'inside c',
  'top/.dot': 'SECRET',
  'top/d/.dot/a': 'SECRET',
  'top2/a': 'SECRET',
  a: 'SECRET',
  'd/b': 'SECRET',
})
const root = join(folder, 'top')
symlinkSync(folder, join(root, 'out'))
symlinkSync('../a', join(root, 'd/out'))
symlinkSync('.', join(root, 'in'))
mkdirSync(join(root, 'd/e'))

@Controller()
class Files {
  @Get('/by-query') show(@Query('path') path: string) {
    return file(path, { root })
  }
}

describe('B3: no path leads out of the root', () => {
  const served = serveSuite({ controllers: [Files] }, { use: [serveFiles('/files', root)] })

  const step = fc.constantFrom(
    ...[
      'a',
      'b',
      'c',
      'd',
      'e',
      'in',
      'out',
      'top',
      'top2',
      '..',
      '.',
      '',
      '.dot',
      '...',
      '..a',
      '~',
      'C:',
      'a\0',
      '..\\',
      '\\..',
    ],
  )
  const separator = fc.constantFrom('/', '/', '/', '//', '\\', '/./', '/../')
  const path = fc
    .array(fc.tuple(separator, step), { minLength: 1, maxLength: 7 })
    .map(steps => steps.map(([before, name], index) => (index === 0 ? '' : before) + name).join(''))

  /** All writings of a path: each byte as it is, or escaped, or escaped twice. */
  const written = fc.tuple(path, fc.infiniteStream(fc.integer({ min: 0, max: 9 }))).map(([text, dice]) =>
    [...text]
      .map(char => {
        const escaped = `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`
        const { value } = dice.next()
        if (value === 0) return escaped
        if (value === 1) return escaped.toUpperCase()
        if (value === 2) return escaped.replace('%', '%25')
        return char <= ' ' ? escaped : char
      })
      .join(''),
  )

  const inside = new Set(['inside a', 'inside b', 'inside c'])

  test('as middleware, however it is written', async () => {
    await fc.assert(
      fc.asyncProperty(written, async text => {
        const heard = await rawRequest(
          served.port,
          `GET /files/${text} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        )
        const [head = '', body = ''] = heard.split('\r\n\r\n')
        assert.match(head, /^HTTP\/1\.1 (200|308|404|400) /, text)
        if (head.startsWith('HTTP/1.1 200')) assert.ok(inside.has(body), `${text}: ${body}`)
        assert.doesNotMatch(heard, /SECRET/, text)
      }),
      { seed: 20_26, numRuns: 1500 },
    )
  })

  test('as a reply, for a path that the peer names', async () => {
    await fc.assert(
      fc.asyncProperty(path, async text => {
        const answer = await send(served.port, `GET /by-query?path=${encodeURIComponent(text)}`)
        assert.ok(
          answer.status === 404 || (answer.status === 200 && inside.has(answer.text)),
          `${text}: ${answer.text}`,
        )
      }),
      { seed: 20_26, numRuns: 1000 },
    )
  })

  test('while every file in it is found by its plain name', async () => {
    for (const name of ['a', 'd/b', 'd/d/c']) {
      const text = readFileSync(join(root, name), 'utf8')
      assert.equal((await send(served.port, `GET /files/${name}`)).text, text)
      assert.equal((await send(served.port, `GET /files/in/in/${name}`)).text, text)
      assert.equal((await send(served.port, `GET /by-query?path=${name}`)).text, text)
    }
  })
})
