import assert from 'node:assert/strict'
import { rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { All, Controller, Ctx, file, Get, Param, Query, type RequestContext } from '../../src/index.js'
import { folderOf, LONG_AGO, tagOf, writeOld } from '../support/folder.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

const digits = '0123456789'
const root = folderOf({
  'digits.txt': digits,
  'page.html': '<p>é</p>',
  'script.js': '1',
  'picture.svg': '<svg/>',
  'data.json': '{}',
  'unknown.xyzzy': '?',
  noending: '?',
  'empty.txt': '',
  'ré"sumé.txt': 'x',
})
const at = (name: string) => join(root, name)

@Controller()
class Files {
  @Get('/in/:name') inside(@Param('name') name: string) {
    return file(name, { root })
  }
  @Get('/part') part(@Query('offset') offset = '0', @Query('length') length?: string) {
    return file(at('digits.txt'), {
      offset: Number(offset),
      ...(length === undefined ? {} : { length: Number(length) }),
    })
  }
  @Get('/url') url() {
    return file(new URL('digits.txt', pathToFileURL(`${root}/`)))
  }
  @Get('/saved') saved() {
    return file(at('ré"sumé.txt'), { download: true })
  }
  @Get('/renamed') renamed() {
    return file(at('digits.txt'), { download: 'numbers.txt', maxAge: 90_500, immutable: true })
  }
  @Get('/own') own() {
    return file(at('digits.txt'), {
      headers: { etag: '"mine"', 'content-type': 'text/x-own', 'Cache-Control': 'private', 'X-Own': '1' },
      cookies: [{ name: 'seen', value: '1' }],
    })
  }
  @Get('/sorry') sorry() {
    return file(at('page.html'), { status: 404 })
  }
  @Get('/nothing') nothing() {
    return file(at('digits.txt'), { status: 204 })
  }
  @Get('/vanished') vanished() {
    return file(at('nowhere.txt'))
  }
  @Get('/folder') folder() {
    return file(root)
  }
  @Get('/nul') nul() {
    return file('a\0b')
  }
  @Get('/changing') changing() {
    return file(at('changing.txt'))
  }
  @All('/all') all() {
    return file(at('digits.txt'))
  }
  @Get('/late') async late(@Ctx() { response }: RequestContext) {
    response.setHeader('Cache-Control', 'max-age=5')
    return file(at('digits.txt'))
  }
}

const date = 'Mon, 06 May 2024 07:08:09 GMT'

describe('P19: a file as a reply', () => {
  const served = serveSuite({ controllers: [Files] })
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    send(served.port, `${method} ${path}`, { headers })

  test('is sent whole, with its length, its type, its tag and its date', async () => {
    const heard = await rawRequest(served.port, 'GET /in/digits.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.equal(
      heard.replace(/Date: .*\r\n/, ''),
      [
        'HTTP/1.1 200 OK',
        'Content-Type: text/plain; charset=utf-8',
        'Cache-Control: no-cache',
        'X-Content-Type-Options: nosniff',
        'Content-Length: 10',
        'Accept-Ranges: bytes',
        `ETag: ${tagOf(10)}`,
        `Last-Modified: ${date}`,
        'Connection: close',
        '',
        digits,
      ].join('\r\n'),
    )
  })

  for (const [name, type] of [
    ['page.html', 'text/html; charset=utf-8'],
    ['script.js', 'text/javascript; charset=utf-8'],
    ['picture.svg', 'image/svg+xml'],
    ['data.json', 'application/json; charset=utf-8'],
    ['unknown.xyzzy', 'application/octet-stream'],
    ['noending', 'application/octet-stream'],
  ]) {
    test(`of the name ${name} is ${type}, and is not sniffed`, async () => {
      const { headers } = await get(`/in/${name}`)
      assert.equal(headers['content-type'], type)
      assert.equal(headers['x-content-type-options'], 'nosniff')
    })
  }

  test('is asked about by HEAD: the same head, and nothing behind it', async () => {
    const [asked, got] = [await get('/in/digits.txt', {}, 'HEAD'), await get('/in/digits.txt')]
    const { date: _, ...head } = asked.headers
    const { date: __, ...expected } = got.headers
    assert.deepEqual(head, expected)
    assert.equal(asked.text, '')
  })

  test('may be empty: ranges of it are nothing to speak of', async () => {
    for (const range of ['bytes=0-', 'bytes=-5']) {
      const { status, headers, text } = await get('/in/empty.txt', { Range: range })
      assert.deepEqual([status, headers['content-length'], text], [200, '0', ''])
    }
  })

  test('is named by a path or by a URL', async () => assert.equal((await get('/url')).text, digits))

  test('says what the reply says: its status, its fields, its cookies', async () => {
    const own = await get('/own')
    assert.equal(own.headers['content-type'], 'text/x-own')
    assert.equal(own.headers['cache-control'], 'private')
    assert.equal(own.headers['x-own'], '1')
    assert.match(own.headers['set-cookie']?.[0] ?? '', /^seen=1;/)
    assert.equal(own.headers.etag, '"mine"')
    assert.equal((await get('/own', { 'If-None-Match': '"mine"' })).status, 304)
    assert.equal((await get('/late')).headers['cache-control'], 'max-age=5')
    const nothing = await get('/nothing')
    assert.deepEqual([nothing.status, nothing.headers['content-length']], [204, undefined])
    const sorry = await get('/sorry', { Range: 'bytes=0-1', 'If-None-Match': '*' })
    assert.deepEqual([sorry.status, sorry.text, sorry.headers.etag], [404, '<p>é</p>', undefined])
  })

  test('is saved under its name, or another, of any letters', async () => {
    assert.equal((await get('/saved')).headers['content-disposition'], 'attachment; filename="r\xe9\\"sum\xe9.txt"')
    const renamed = await get('/renamed')
    assert.equal(renamed.headers['content-disposition'], 'attachment; filename="numbers.txt"')
    assert.equal(renamed.headers['cache-control'], 'max-age=90, immutable')
  })

  test('answers other methods whole, without conditions', async () => {
    const { status, text } = await get('/all', { Range: 'bytes=0-1', 'If-None-Match': '*' }, 'POST')
    assert.deepEqual([status, text], [200, digits])
  })

  describe('from an offset, for a length', () => {
    for (const [query, status, expected] of [
      ['', 200, digits],
      ['?offset=3', 200, '3456789'],
      ['?offset=3&length=4', 200, '3456'],
      ['?offset=3&length=0', 200, ''],
      ['?offset=10', 200, ''],
      ['?offset=9&length=1', 200, '9'],
    ] as const) {
      test(`${query || 'none'}: ${JSON.stringify(expected)}`, async () => {
        const answer = await get(`/part${query}`)
        assert.deepEqual([answer.status, answer.text], [status, expected])
        assert.equal(answer.headers['content-length'], String(expected.length))
      })
    }

    for (const [query, message] of [
      ['?offset=-1', 'file: offset should be a whole number of bytes, from 0, not -1'],
      ['?offset=0.5', 'file: offset should be a whole number of bytes, from 0, not 0.5'],
      ['?offset=nan', 'file: offset should be a whole number of bytes, from 0, not NaN'],
      ['?length=-1', 'file: length should be a whole number of bytes, from 0, not -1'],
      ['?length=Infinity', 'file: length should be a whole number of bytes, from 0, not Infinity'],
      ['?offset=11', `${at('digits.txt')} has 10 bytes: there are none from 11 to 11`],
      ['?offset=3&length=8', `${at('digits.txt')} has 10 bytes: there are none from 3 to 11`],
    ] as const) {
      test(`${query} is an error of ours`, async () => {
        const answer = await get(`/part${query}`)
        assert.equal(answer.status, 500)
        assert.equal(String(served.log.at(-1)?.details).replace(/^\w+: /, ''), message)
      })
    }

    test('ranges are those of the part, and its tag is its own', async () => {
      const answer = await get('/part?offset=3&length=4', { Range: 'bytes=1-9' })
      assert.deepEqual([answer.status, answer.text], [206, '456'])
      assert.equal(answer.headers['content-range'], 'bytes 1-3/4')
      const tags = await Promise.all(
        ['', '?offset=3', '?offset=3&length=4', '?offset=3&length=7'].map(
          async query => (await get(`/part${query}`)).headers.etag,
        ),
      )
      assert.equal(new Set(tags).size, 4)
    })
  })

  test('that is not there is 404, and so is a folder, and what is no name', async () => {
    for (const path of ['/vanished', '/folder', '/nul', '/in/none.txt']) {
      const answer = await get(path)
      assert.deepEqual([path, answer.status], [path, 404])
      assert.equal(answer.headers['content-type'], 'application/problem+json')
    }
  })

  test('that vanished, or changed, is seen as it is now', async () => {
    writeOld(at('changing.txt'), 'one')
    const before = await get('/changing')
    writeOld(at('changing.txt'), 'two', new Date(LONG_AGO.getTime() + 1))
    const changed = await get('/changing', { 'If-None-Match': String(before.headers.etag) })
    assert.deepEqual([changed.status, changed.text], [200, 'two'])
    rmSync(at('changing.txt'))
    assert.equal((await get('/changing')).status, 404)
  })

  test('that has just changed has a weak tag, since it may change again within the tick of a clock', async () => {
    writeFileSync(at('changing.txt'), 'new')
    const young = await get('/changing')
    assert.match(String(young.headers.etag), /^W\//)
    assert.equal((await get('/changing', { 'If-None-Match': String(young.headers.etag) })).status, 304)
    const resumed = await get('/changing', { Range: 'bytes=1-', 'If-Range': String(young.headers.etag) })
    assert.deepEqual([resumed.status, resumed.text], [200, 'new'])
    utimesSync(at('changing.txt'), LONG_AGO, LONG_AGO)
    assert.match(String((await get('/changing')).headers.etag), /^"/)
  })

  test('unknown options are told, with what was meant', () => {
    assert.throws(
      () => file('a', { maxage: 1 } as never),
      /^TypeError: file has no option maxage: did you mean maxAge\?$/,
    )
    assert.throws(
      () => file('a', { links: 'follow' as never }),
      /links should be 'inside' or 'anywhere' or 'never', not 'follow'/,
    )
    assert.throws(() => file('a', { maxAge: -1 }), /maxAge should be milliseconds, from 0, not -1/)
  })
})
