import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  Body,
  Controller,
  type Fields,
  File,
  Files,
  Guard,
  type Middleware,
  Post,
  type Progress,
  RequestContext,
  Sse,
  type Upload,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { body, field, type Part, post, temporaryDirectory, upload } from '../support/multipart.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'

const temporary = await temporaryDirectory()
const kept = await temporaryDirectory()

/** What was seen of the temporary files while the handler ran. */
let seen: { path: string; mode: number }[] = []
let left: Upload | undefined

let told: Progress[] = []

function follow(context: RequestContext) {
  told = []
  context.onProgress(progress => {
    if (context.query.fails !== undefined) throw new Error('a listener that fails')
    told.push(progress)
  })
  return true
}

async function describeUpload(upload: Upload) {
  const { name, filename, type, size } = upload
  return { name, filename, type, size, text: await upload.text() }
}

@Controller()
class Uploading {
  @Post('/avatar')
  async avatar(@File('avatar') avatar: Upload, @Body() fields: Fields) {
    const { mode } = await stat(avatar.path ?? '')
    seen = [{ path: avatar.path ?? '', mode: mode & 0o777 }]
    return { avatar: await describeUpload(avatar), fields }
  }

  @Post('/keep')
  async keep(@File('a') a: Upload, @File('b', { to: 'memory' }) b: Upload) {
    await writeFile(join(kept.path, 'a'), 'what was there')
    for (const each of [a, b]) await each.moveTo(join(kept.path, each.name))
    return { a: a.path, b: b.path, again: await a.text() }
  }

  @Post('/memory')
  async memory(@Files({ to: 'memory' }) uploads: Upload[]) {
    const read = []
    for (const each of uploads) read.push({ ...(await describeUpload(each)), path: each.path ?? 'none' })
    return read
  }

  @Post('/streams')
  async streams(@Files({ to: 'memory' }) [one]: Upload[], @File('two') two: Upload) {
    const read = async (stream: Upload) => (await stream.toArray()).join('')
    return { one: one && (await read(one)), two: await read(two) }
  }

  @Post('/echo')
  echo(@File('a') a: Upload) {
    return a // a stream, like any
  }

  @Post('/fails')
  fails(@File('a') a: Upload) {
    left = a
    throw new Error('as it may')
  }

  @Post('/fields')
  fields(@Body(z.object({ a: z.coerce.number() })) fields: { a: number }) {
    return fields
  }

  @Post('/any')
  any(@Body() fields: Fields) {
    return { fields, prototype: Object.getPrototypeOf(fields) === null }
  }

  @Post('/optional')
  optional(@File('a', { optional: true }) a: Upload | undefined, @Files('b') b: Upload[], @Body() fields: unknown) {
    return { a: a?.filename ?? 'none', b: b.map(each => each.filename), fields }
  }

  @Post('/image')
  image(@File('a', { types: ['image/*', 'application/pdf'], maxSize: 10 }) a: Upload) {
    return a.type
  }

  @Post('/checked')
  checked(@File('a') _: Upload, @Body(z.object({ title: z.string() })) __: unknown) {
    return 'fine'
  }

  @Post('/progress')
  @Guard(follow)
  progress(@Body() body: unknown) {
    return { progress: told, body }
  }

  @Sse('/sse', { method: 'POST' })
  async *sse(@File('a') a: Upload) {
    yield a.filename
    yield await a.text()
  }
}

const anything = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251))

describe('P18: multipart forms', () => {
  const options = { uploads: { directory: join(temporary.path, 'made', 'lazily') } }
  const served = serveSuite({ controllers: [Uploading] }, options)
  const emptied = () =>
    eventually('no temporary file', async () => !temporary.list().includes('made') || (await files()).length === 0)
  const files = async () => (await import('node:fs/promises')).readdir(options.uploads.directory)

  test('fields go to @Body and a file to @File: a temporary file that is there while the exchange lasts', async () => {
    const form = [
      field('title', 'Ada'),
      upload('avatar', 'ada.png', 'PNG', 'image/png'),
      field('tag', 'a'),
      field('tag', 'é'),
    ]
    const answer = await post(served.port, '/avatar', form)
    assert.deepEqual(answer.json(), {
      avatar: { name: 'avatar', filename: 'ada.png', type: 'image/png', size: 3, text: 'PNG' },
      fields: { title: 'Ada', tag: ['a', 'é'] },
    })
    const [file] = seen
    assert.equal(file?.mode, 0o600)
    assert.equal(dirname(file?.path ?? ''), options.uploads.directory)
    assert.match(basename(file?.path ?? ''), /^palomino-[0-9a-f-]{36}$/)
    await emptied()
  })

  test('uploads are kept by moveTo, in place of what is there, and whole; they can be read there', async () => {
    const answer = await post(served.port, '/keep', [upload('a', 'x', 'first'), upload('b', 'y', 'second')])
    assert.deepEqual(answer.json(), { a: join(kept.path, 'a'), again: 'first' })
    assert.equal(await readFile(join(kept.path, 'a'), 'utf8'), 'first')
    assert.equal(await readFile(join(kept.path, 'b'), 'utf8'), 'second')
    assert.deepEqual(kept.list().sort(), ['a', 'b'])
    await emptied()
  })

  test('in memory, they are in no file', async () => {
    const answer = await post(served.port, '/memory', [
      upload('a', 'x', 'first'),
      upload('b', 'y', ''),
      upload('a', 'z', 'third'),
    ])
    assert.deepEqual(answer.json(), [
      { name: 'a', filename: 'x', type: 'text/plain', size: 5, text: 'first', path: 'none' },
      { name: 'b', filename: 'y', type: 'text/plain', size: 0, text: '', path: 'none' },
      { name: 'a', filename: 'z', type: 'text/plain', size: 5, text: 'third', path: 'none' },
    ])
  })

  test('progress is told of every kind of body, and a listener that fails, fails the exchange', async () => {
    const progress = [{ received: 7, total: 7 }]
    assert.deepEqual((await send(served.port, 'POST /progress', { body: { a: 1 } })).json(), {
      progress,
      body: { a: 1 },
    })
    const form = [field('a', 'b')]
    const { length } = body(form)
    assert.deepEqual((await post(served.port, '/progress', form)).json(), {
      progress: [{ received: length, total: length }],
      body: { a: 'b' },
    })
    assert.equal((await post(served.port, '/progress?fails', form)).status, 500)
    assert.equal((await send(served.port, 'POST /progress?fails', { body: {} })).status, 500)
  })

  test('each is a stream, from a file and from memory', async () => {
    const answer = await post(served.port, '/streams', [
      upload('two', 'x', 'from a file'),
      upload('one', 'y', 'from memory'),
    ])
    assert.deepEqual(answer.json(), { one: 'from memory', two: 'from a file' })
  })

  test('an upload may be the reply, byte for byte, although its handler has settled', async () => {
    const answer = await post(served.port, '/echo', [upload('a', 'x', anything)])
    assert.ok(answer.bytes.equals(anything))
    await emptied()
  })

  test('its file goes where the handler fails, and who reads it then hears an error', async () => {
    assert.equal((await post(served.port, '/fails', [upload('a', 'x', 'y')])).status, 500)
    await emptied()
    await assert.rejects((async () => left?.text())(), { code: 'ENOENT' })
    await assert.rejects((async () => left?.toArray())(), { code: 'ENOENT' })
  })

  test('an event stream takes uploads, too, and has them until it ends', async () => {
    const answer = await post(served.port, '/sse', [upload('a', 'x', 'data of the file')])
    assert.equal(answer.text, 'data: x\n\ndata: data of the file\n\n')
    await emptied()
  })

  test('a form without files is a body like any other', async () => {
    assert.deepEqual((await post(served.port, '/fields', [field('a', '7')])).json(), { a: 7 })
    assert.equal((await post(served.port, '/fields', [field('a', 'seven')])).status, 422)
  })

  test('__proto__ and its kin are names like any other', async () => {
    const answer = await post(served.port, '/any', [
      field('__proto__', '1'),
      field('constructor', '2'),
      field('__proto__', '3'),
    ])
    assert.equal(answer.text, '{"fields":{"__proto__":["1","3"],"constructor":"2"},"prototype":true}')
    assert.equal((await post(served.port, '/memory', [upload('__proto__', '__proto__', 'x')])).status, 200)
  })

  test('what may be missing is undefined, in a form, in JSON and without a body', async () => {
    const none = { a: 'none', b: [] }
    assert.deepEqual((await post(served.port, '/optional', [field('c', 'd')])).json(), { ...none, fields: { c: 'd' } })
    assert.deepEqual((await send(served.port, 'POST /optional', { body: { c: 1 } })).json(), {
      ...none,
      fields: { c: 1 },
    })
    assert.deepEqual((await send(served.port, 'POST /optional')).json(), none)
  })

  test('a file input in which nothing was chosen is no file', async () => {
    const empty: Part = upload('a', '', '', 'application/octet-stream')
    assert.deepEqual((await post(served.port, '/optional', [empty])).json(), { a: 'none', b: [], fields: {} })
    const { status, text } = await post(served.port, '/image', [empty])
    assert.deepEqual([status, text.includes('a file is required')], [422, true])
    assert.deepEqual((await post(served.port, '/any', [empty])).json(), { fields: {}, prototype: true })
    const nameless = { ...empty, content: 'but it has bytes' }
    assert.equal((await post(served.port, '/any', [nameless])).status, 422)
    assert.deepEqual((await post(served.port, '/memory', [nameless])).json(), [
      { name: 'a', type: 'application/octet-stream', size: 16, text: 'but it has bytes', path: 'none' },
    ])
  })

  const issue = (name: string, message: string) => ({
    type: 'about:blank',
    title: 'Unprocessable Entity',
    status: 422,
    detail: `file.${name}: ${message}`,
    issues: [{ in: 'file', path: [name], message }],
  })

  test('422: a file that is missing, one too many, one that nobody takes', async () => {
    const one = upload('a', 'a.png', 'x', 'image/png')
    for (const [path, form, expected] of [
      ['/image', [field('a', 'no file')], issue('a', 'a file is required')],
      ['/image', [one, one], issue('a', 'one file is taken, not several')],
      ['/any', [upload('b', 'x', 'y')], issue('b', 'no file is taken under this name')],
      ['/image', [one, upload('b', 'x', 'y')], issue('b', 'no file is taken under this name')],
    ] as const) {
      const answer = await post(served.port, path, form)
      assert.deepEqual([answer.status, answer.json()], [422, expected])
    }
    const without = await send(served.port, 'POST /image')
    assert.deepEqual(without.json(), issue('a', 'a file is required'))
    await emptied()
  })

  test('422: a missing file and a wrong field are told at once', async () => {
    const { issues } = (await post(served.port, '/checked', [])).json() as { issues: { in: string; path: string[] }[] }
    assert.deepEqual(issues.map(each => [each.in, ...each.path]).sort(), [
      ['body', 'title'],
      ['file', 'a'],
    ])
  })

  test('413: a file past the size of its parameter', async () => {
    const fits = await post(served.port, '/image', [upload('a', 'a.png', '0123456789', 'image/png')])
    assert.equal(fits.text, 'image/png')
    const { status, ...answer } = await post(served.port, '/image', [upload('a', 'a.png', '0123456789+', 'image/png')])
    const problem = answer.json() as Record<string, unknown>
    assert.deepEqual(
      [status, problem.detail, problem.limit, problem.exceeded],
      [413, 'the upload a is larger than 10 bytes', 10, 'fileSize'],
    )
    await emptied()
  })

  test('415: a type that its parameter does not take, and a body that is no form', async () => {
    for (const type of ['image/svg+xml', 'application/pdf', 'IMAGE/PNG'])
      assert.equal((await post(served.port, '/image', [upload('a', 'x', 'y', type)])).text, type.toLowerCase())
    for (const type of ['text/html', 'imagex/png', 'application/pdfx']) {
      const answer = await post(served.port, '/image', [upload('a', 'x', 'y', type)])
      assert.equal(answer.status, 415)
      assert.match(
        answer.text,
        new RegExp(`the file a is ${type}, which is not taken here: send image/\\* or application/pdf`),
      )
    }
    for (const path of ['/image', '/checked']) {
      const json = await send(served.port, `POST ${path}`, { body: { title: 'x' } })
      assert.deepEqual([json.status, json.headers.accept], [415, 'multipart/form-data'])
    }
  })

  test('forms that come at once are kept apart', async () => {
    const { port } = served
    const answers = await Promise.all([1, 2, 3].map(n => post(port, '/memory', [upload(`a${n}`, 'x', `${n}`)])))
    assert.deepEqual(
      answers.map(answer => answer.status),
      [200, 200, 200],
    )
  })

  test('what is logged is what a handler or a listener threw, and nothing of what peers send', () =>
    assert.deepEqual(
      served.log.map(line => line.message),
      ['progress', 'progress', 'fails'].map(name => `POST Uploading.${name} failed`),
    ))

  test('the whole of a body that is written by fetch is understood', async () => {
    const form = new FormData()
    form.set('naïve "field"', 'vålue')
    form.append('file', new Blob(['blob']), 'fi"le ünïcode.txt')
    const response = await fetch(`http://127.0.0.1:${served.port}/optional`, { method: 'POST', body: form })
    assert.equal(response.status, 422, 'there is no file of that name')
    const memory = await fetch(`http://127.0.0.1:${served.port}/memory`, { method: 'POST', body: form })
    assert.deepEqual(await memory.json(), [
      {
        name: 'file',
        filename: 'fi%22le ünïcode.txt',
        type: 'application/octet-stream',
        size: 4,
        text: 'blob',
        path: 'none',
      },
    ])
  })
})

test('files that middleware has read are not mistaken for missing ones', async t => {
  const readAll: Middleware = (request, _response, next) => void request.resume().once('end', () => next())
  const { port, log } = await serve(t, { controllers: [Uploading] }, { use: [readAll] })
  assert.equal((await post(port, '/echo', [upload('a', 'x', 'y')])).status, 500)
  assert.match(String(log[0]?.details), /middleware has read the body, and its files/)
})

test('a process that ends in the midst of it leaves no temporary file', async () => {
  const program = fork(new URL('./upload-exit-program.js', import.meta.url), [temporary.path], { stdio: 'inherit' })
  const exited = once(program, 'exit')
  const [port] = (await once(program, 'message')) as [number]
  await assert.rejects(post(port, '/', [upload('f', 'x', 'y')]))
  assert.deepEqual(await exited, [7, null])
  assert.deepEqual(
    temporary.list().filter(name => name.startsWith('palomino-')),
    [],
  )
})

test('a part is put together as it is expected to be', () => {
  assert.equal(
    body([field('a', 'b')]).toString(),
    '--a-boundary\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--a-boundary--\r\n',
  )
})
