import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { beforeEach, describe, test } from 'node:test'
import { z } from 'zod'
import {
  Body,
  type Context,
  Controller,
  Ctx,
  type Fields,
  File,
  Files,
  Guard,
  Post,
  type Progress,
  RequestContext,
  type Upload,
  type Uploads,
  unauthorized,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { BOUNDARY, body, field, post, postHead, temporaryDirectory, upload } from '../support/multipart.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'
import { withResolvers } from '../support/with-resolvers.js'

const kept = await temporaryDirectory()

let began = withResolvers<{ fields: Fields; context: RequestContext }>()
let goOn = withResolvers<void>()
let failed = withResolvers<unknown>()
let progress: Progress[] = []

function watch(context: Context) {
  if (context instanceof RequestContext) context.onProgress(each => progress.push(each))
  return true
}

const small = { maxSize: 10, to: 'stream' } as const

@Controller()
class Streaming {
  @Post('/all')
  @Guard(watch)
  async all(@Body() fields: Fields, @Files({ to: 'stream' }) uploads: Uploads, @Ctx() context: RequestContext) {
    began.resolve({ fields, context })
    const files = []
    try {
      for await (const { name, ...each } of named(uploads)) files.push([name, await each.text()])
    } catch (error) {
      failed.resolve(error)
      throw error
    }
    return { before: fields, files, fields: uploads.fields }
  }

  @Post('/one')
  async one(@Body(z.object({ a: z.string() })) _: unknown, @File('f', { to: 'stream' }) file: Upload) {
    const to = join(kept.path, 'one')
    await file.moveTo(to).catch((error: unknown) => {
      failed.resolve(error)
      throw error
    })
    return { size: file.size }
  }

  @Post('/small')
  async small(@Files(small) uploads: Uploads) {
    for await (const each of uploads) await pipeline(each, createWriteStream('/dev/null'))
    return 'small enough'
  }

  @Post('/first')
  async first(@Files({ to: 'stream' }) uploads: Uploads) {
    for await (const each of uploads) return await each.text() // the others are not wanted
    return 'none'
  }

  @Post('/names')
  async names(@Files({ to: 'stream' }) uploads: Uploads) {
    const all = await collect(uploads)
    const text = await all[0]?.text().catch((error: Error) => error.message)
    return { names: all.map(each => each.name), text }
  }

  @Post('/destroys')
  async destroys(@Files({ to: 'stream' }) uploads: Uploads) {
    const read: string[] = []
    for await (const each of uploads) {
      if (each.name === 'a') each.once('data', () => each.destroy())
      else read.push(await each.text())
      if (each.name === 'a') await new Promise(resolve => each.once('close', resolve))
    }
    return read
  }

  @Post('/unread')
  unread(@Files({ to: 'stream' }) _: Uploads) {
    return 'not looked at'
  }

  @Post('/slow')
  async slow(@Files({ to: 'stream' }) uploads: Uploads, @Ctx() context: RequestContext) {
    began.resolve({ fields: {}, context })
    await goOn.promise
    let size = 0
    for await (const each of uploads) for await (const chunk of each) size += chunk.length
    return { size }
  }

  @Post('/guarded')
  @Guard(watch, () => unauthorized())
  guarded(@Files({ to: 'stream' }) _: Uploads) {
    return 'admitted'
  }

  @Post('/optional')
  async optional(@Files({ to: 'stream' }) uploads: Uploads, @Body() fields: unknown) {
    const { length } = await collect(uploads)
    return { length, fields }
  }
}

async function collect(uploads: Uploads): Promise<Upload[]> {
  const all: Upload[] = []
  for await (const each of uploads) all.push(each)
  return all
}

async function* named(uploads: Uploads) {
  for await (const each of uploads) yield { name: each.name, text: () => each.text() }
}

const whole = body([upload('f', 'x', 'half of it, and the rest')])
const half = whole.indexOf(', and the rest')

describe('P18: uploads that go to the handler as they come', () => {
  const served = serveSuite({ controllers: [Streaming] })
  beforeEach(() => {
    began = withResolvers()
    goOn = withResolvers()
    failed = withResolvers()
    progress = []
  })

  test('the handler is called while the body arrives, with the fields that came before', async () => {
    const form = body([
      field('a', 'before'),
      upload('f', 'x', 'half, and the rest'),
      field('b', 'behind'),
      upload('g', 'y', ''),
    ])
    const cut = form.indexOf(', and the rest')
    const peer = await RawPeer.connect(served.port)
    await peer.write(`${postHead('/all', `Content-Length: ${form.length}`)}${form.subarray(0, cut)}`)
    const { fields } = await began.promise
    assert.deepEqual({ ...fields }, { a: 'before' })
    assert.equal(peer.received, '')
    await peer.write(form.subarray(cut))
    const answer = await peer.readUntil('"}}')
    assert.deepEqual(JSON.parse(answer.slice(answer.indexOf('{'))), {
      before: { a: 'before' },
      files: [
        ['f', 'half, and the rest'],
        ['g', ''],
      ],
      fields: { a: 'before', b: 'behind' },
    })
    peer.destroy()
  })

  test('a form without files calls it at its end, and so does a body that is no form, or none', async () => {
    const { status, ...answer } = await post(served.port, '/optional', [field('a', 'b')])
    assert.deepEqual([status, answer.json()], [200, { length: 0, fields: { a: 'b' } }])
    assert.deepEqual((await send(served.port, 'POST /optional', { body: { c: 1 } })).json(), {
      length: 0,
      fields: { c: 1 },
    })
    assert.deepEqual((await send(served.port, 'POST /optional')).json(), { length: 0 })
  })

  test('progress is told to a guard’s listener, piece by piece', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(`${postHead('/all', `Content-Length: ${whole.length}`)}${whole.subarray(0, half)}`)
    await began.promise
    assert.deepEqual(progress, [{ received: half, total: whole.length }])
    await peer.write(whole.subarray(half))
    await peer.readUntil('}}')
    assert.deepEqual(progress.at(-1), { received: whole.length, total: whole.length })
    peer.destroy()
  })

  test('a field that is refused is 422, and the file is not read', async () => {
    assert.equal((await post(served.port, '/one', [upload('f', 'x', 'y')])).status, 422)
    assert.equal((await post(served.port, '/one', [field('a', 'b')])).status, 422, 'the file is missing')
    assert.deepEqual(kept.list(), [])
  })

  test('moveTo writes it as it comes', async () => {
    const content = Buffer.alloc(300_000, 'x')
    assert.deepEqual((await post(served.port, '/one', [field('a', 'b'), upload('f', 'x', content)])).json(), {
      size: 300_000,
    })
    assert.deepEqual(kept.list(), ['one'])
  })

  test('a file past its limit fails the handler’s stream, and is 413', async () => {
    assert.equal((await post(served.port, '/small', [upload('f', 'x', '0123456789')])).text, 'small enough')
    const answer = await post(served.port, '/small', [upload('f', 'x', '0'), upload('g', 'x', '0123456789+')])
    assert.equal(answer.status, 413)
    assert.match(answer.text, /"exceeded":"fileSize"/)
  })

  test('a form that ends too early fails the handler’s stream, and is 400: a short file is never taken as good', async () => {
    const cut = body([field('a', 'b'), upload('f', 'x', 'content')]).subarray(0, -20)
    assert.equal((await post(served.port, '/one', cut)).status, 400)
    assert.equal(((await failed.promise) as { status: number }).status, 400)
    assert.deepEqual(kept.list(), ['one'], 'what was there before, and nothing else')
  })

  test('a peer that leaves fails the handler’s stream', async () => {
    for (const leave of [(peer: RawPeer) => peer.reset(), (peer: RawPeer) => peer.end()]) {
      failed = withResolvers()
      began = withResolvers()
      const peer = await RawPeer.connect(served.port)
      await peer.write(`${postHead('/all', `Content-Length: ${whole.length}`)}${whole.subarray(0, half)}`)
      const { context } = await began.promise
      leave(peer)
      assert.equal(((await failed.promise) as Error).message, 'the body was cut off')
      await eventually('the signal', () => context.signal.aborted)
      peer.destroy()
    }
  })

  test('a file that is not read is passed over, and who reads it later hears why', async () => {
    const form = [upload('a', 'x', 'y'.repeat(200_000)), upload('b', 'x', 'y'), upload('c', 'x', 'y')]
    assert.deepEqual((await post(served.port, '/names', form)).json(), {
      names: ['a', 'b', 'c'],
      text: 'the upload a was passed over: read it before the next',
    })
  })

  test('a file that the handler destroys is read over, and the next one is taken', async () => {
    const form = [upload('a', 'x', 'y'.repeat(500_000)), upload('b', 'x', 'the second')]
    assert.deepEqual((await post(served.port, '/destroys', form)).json(), ['the second'])
  })

  test('what is left is read over, and the connection goes on', async () => {
    const form = body([upload('a', 'x', 'the first'), upload('b', 'x', 'y'.repeat(500_000))])
    const peer = await RawPeer.connect(served.port)
    for (const [path, said] of [
      ['/first', 'the first'],
      ['/unread', 'not looked at'],
      ['/first', 'the first'],
    ] as const) {
      await peer.write(`${postHead(path, `Content-Length: ${form.length}`)}`)
      await peer.write(form)
      const answer = await peer.readUntil(said)
      assert.match(answer, /^HTTP\/1\.1 200 OK/)
    }
    peer.destroy()
  })

  test('a peer that never ends is heard out for a while, has its reply, and is cut', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(postHead('/first', 'Transfer-Encoding: chunked'))
    const chunk = (bytes: Buffer) =>
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
    await peer.write(chunk(body([upload('a', 'x', 'the first')]).subarray(0, -BOUNDARY.length - 6)))
    await peer.write(
      chunk(Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="b"; filename="c"\r\n\r\n`)),
    )
    assert.match(await peer.readUntil('the first'), /^HTTP\/1\.1 200 OK/)
    const more = chunk(Buffer.alloc(65_536))
    let sent = 0
    await assert.rejects(async () => {
      for (; sent < 64 << 20; sent += more.length) await peer.write(more)
    })
    assert.ok(sent >= 7 << 20, `${sent} bytes`)
    await peer.closed
  })

  for (const [what, head] of [
    ['a file', upload('f', 'x', '').head],
    ['a file without a name', ['Content-Disposition: form-data; name="f"', 'Content-Type: application/octet-stream']],
  ] as const)
    test(`backpressure: what the handler does not read of ${what}, the peer does not get rid of`, async () => {
      const size = 32 << 20
      const form = body([{ head, content: Buffer.alloc(size) }])
      const peer = await RawPeer.connect(served.port)
      const sending = peer.write(`${postHead('/slow', `Content-Length: ${form.length}`)}`).then(() => peer.write(form))
      const { context } = await began.promise
      await eventually('the request is paused', () => context.request.isPaused())
      const { bytesRead } = context.request.socket
      assert.ok(bytesRead < 1 << 20, `${bytesRead} bytes were read`)
      goOn.resolve()
      assert.match(await peer.readUntil('}'), new RegExp(`"size":${size}`))
      await sending
      peer.destroy()
    })

  test('100 Continue is said when the guards have admitted the request, and not before', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(postHead('/guarded', `Content-Length: ${whole.length}`, 'Expect: 100-continue'))
    const refused = await peer.readUntil('}')
    assert.match(refused, /^HTTP\/1\.1 401 /)
    await peer.closed
    const other = await RawPeer.connect(served.port)
    await other.write(postHead('/all', `Content-Length: ${whole.length}`, 'Expect: 100-continue'))
    assert.equal(await other.readUntil('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
    await other.write(whole)
    assert.match(await other.readUntil('}}'), /^HTTP\/1\.1 200 OK/)
    other.destroy()
  })

  test('what a guard refuses is not read', async () => {
    const answer = await post(served.port, '/guarded', whole)
    assert.equal(answer.status, 401)
    assert.deepEqual(progress, [])
  })

  test('nothing of this is logged', () => assert.deepEqual(served.log, []))
})
