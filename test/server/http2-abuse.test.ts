/** What a peer may do to a connection of HTTP/2, in raw frames; and what a slow one may not: hold up the others. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type ApplicationOptions, Body, Controller, Get, Post } from '../../src/index.js'
import { start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { Echo, Events } from '../support/hello.js'
import { block, flags, frame, frameTypes, Http2Peer, PREFACE, requestFields } from '../support/http2-frames.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { ask, extendedConnect, openSession, openSocketOn } from '../support/wires.js'

const ENHANCE_YOUR_CALM = 11
const PROTOCOL_ERROR = 1
const REFUSED_STREAM = 7

@Controller()
class Plain {
  @Get('/') get() {
    return 'fine'
  }
  @Post('/') post(@Body({ as: 'text' }) body: string) {
    return body.length
  }
}

async function serve(t: TestContext, options: ApplicationOptions = {}) {
  const served = await start([Plain, Events, Echo], { http2: true, ...options })
  t.after(() => served.app.close({ deadline: 0 }))
  return served
}

const get = (stream: number, path = '/', more: readonly (readonly [string, string])[] = []) =>
  frame('headers', flags.endHeaders | flags.endStream, stream, block([...requestFields(path), ...more]))
const reset = (stream: number) => frame('rstStream', 0, stream, Buffer.from([0, 0, 0, 8]))

/** Other connections are served as ever. */
async function assertServes(port: number): Promise<void> {
  assert.equal((await send(port, 'GET /')).text, 'fine')
  const session = await openSession(port, 'http')
  assert.equal((await ask(session, { ':path': '/' })).text, 'fine')
  session.close()
}

describe('floods end their connection, and no other', () => {
  test('rapid resets (CVE-2023-44487)', async t => {
    const { app, port } = await serve(t, { http2: { maxResets: 50 } })
    const peer = await Http2Peer.open(port)
    const frames = Array.from({ length: 51 }, (_, index) => [get(2 * index + 1, '/events'), reset(2 * index + 1)])
    await peer.write(...frames.flat())
    assert.equal(await peer.goaway(), ENHANCE_YOUR_CALM)
    await peer.raw.closed
    await eventually('all streams have ended', () => app.connections === 0)
    await assertServes(port)
  })

  test('as many resets as are allowed do no harm', async t => {
    const { port } = await serve(t, { http2: { maxResets: 50 } })
    const peer = await Http2Peer.open(port)
    const frames = Array.from({ length: 50 }, (_, index) => [get(2 * index + 1, '/events'), reset(2 * index + 1)])
    await peer.write(...frames.flat(), get(1001))
    assert.equal((await peer.until('data', 1001)).payload.toString(), 'fine')
    peer.raw.destroy()
  })

  test('PING', async t => {
    const { port } = await serve(t, { http2: { maxControlFrames: 100 } })
    const peer = await Http2Peer.open(port)
    await peer.write(...Array.from({ length: 101 }, () => frame('ping', 0, 0, Buffer.alloc(8))))
    assert.equal(await peer.goaway(), ENHANCE_YOUR_CALM)
    await peer.raw.closed
    await assertServes(port)
  })

  test('SETTINGS', async t => {
    const { port } = await serve(t, { http2: { maxControlFrames: 100 } })
    const peer = await Http2Peer.open(port)
    await peer.write(...Array.from({ length: 101 }, () => frame('settings')))
    assert.equal(await peer.goaway(), ENHANCE_YOUR_CALM)
    await peer.raw.closed
    await assertServes(port)
  })

  test('CONTINUATION without an end', async t => {
    const { port } = await serve(t)
    const peer = await Http2Peer.open(port)
    const some = block([['x-more', 'y'.repeat(200)]])
    const rest = Array.from({ length: 1000 }, () => frame('continuation', 0, 1, some))
    await peer.write(frame('headers', flags.endStream, 1, block(requestFields('/'))), ...rest).catch(() => {})
    await peer.raw.closed
    await assertServes(port)
  })

  test('what is no HTTP/2 behind the preface', async t => {
    // Node.js 20 hears nothing more after that; the heartbeat finds it out.
    const { app, port } = await serve(t, { http2: { heartbeat: 100 } })
    const peer = await Http2Peer.open(port)
    await peer.write(get(1, '/events'))
    await peer.until('data')
    await peer.write(frame('data', 0, 101, Buffer.from('x')))
    assert.equal(await peer.goaway(), PROTOCOL_ERROR)
    await eventually('its streams have ended', () => app.connections === 0)
    await peer.raw.closed
    await assertServes(port)
  })
})

describe('limits', () => {
  test('more header fields than are allowed are 431, and many more are reset', async t => {
    const { port } = await serve(t, { maxHeaders: 10 })
    const peer = await Http2Peer.open(port)
    const fields = (count: number) => Array.from({ length: count }, (_, index) => [`x-${index}`, 'y'] as const)
    await peer.write(get(1, '/', fields(9)))
    assert.equal((await peer.until('data', 1)).payload.toString(), 'fine')
    const session = await openSession(port, 'http')
    assert.equal((await ask(session, { ':path': '/', ...Object.fromEntries(fields(12)) })).status, 431)
    session.close()
    await peer.write(get(3, '/', fields(40)))
    assert.equal((await peer.until('rstStream', 3)).payload.readUInt32BE(), ENHANCE_YOUR_CALM)
    await peer.write(get(5))
    assert.equal((await peer.until('data', 5)).payload.toString(), 'fine')
    peer.raw.destroy()
  })

  /** What a request is answered with whose header section is so many bytes large (RFC 9113 §10.5.1). */
  async function askOf(size: number, port: number, acknowledge: boolean) {
    const line = requestFields('/').reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
    const peer = await Http2Peer.open(port, { acknowledge })
    await peer.write(get(1, '/', [['x-large', 'y'.repeat(size - line - 32 - 'x-large'.length)]]))
    for (;;) {
      const { type, stream, payload } = await peer.read()
      if (stream !== 1) continue
      await peer.write(get(3))
      assert.equal((await peer.until('data', 3)).payload.toString(), 'fine', 'and the connection goes on')
      peer.raw.destroy()
      return type === frameTypes.rstStream ? payload.readUInt32BE() : payload.includes('431') ? 431 : 200
    }
  }

  test('a header section too large is 431, and more than twice as much a reset', async t => {
    const { port } = await serve(t, { maxHeaderSize: 1000 })
    assert.equal(await askOf(1000, port, true), 200)
    assert.equal(await askOf(1001, port, true), 431)
    assert.equal(await askOf(2000, port, true), 431)
    assert.equal(await askOf(2001, port, true), ENHANCE_YOUR_CALM)
  })

  test('a header section too large is 431 for a peer that has not taken our settings, too', async t => {
    const { port } = await serve(t, { maxHeaderSize: 1000 })
    assert.equal(await askOf(1000, port, false), 200)
    assert.equal(await askOf(1001, port, false), 431)
    assert.equal(await askOf(15_000, port, false), 431)
  })

  test('a WebSocket whose header section is too large is 431', async t => {
    const { port } = await serve(t, { maxHeaderSize: 1000 })
    const session = await openSession(port, 'http')
    const answer = await ask(session, extendedConnect('/echo', { 'x-large': 'y'.repeat(1000) }))
    assert.equal(answer.status, 431)
    session.close()
  })

  test('streams above the limit are refused; a peer that knows it and goes on breaks the protocol', async t => {
    const { app, port } = await serve(t, { http2: { maxStreams: 3 } })
    const hasty = await Http2Peer.open(port, { acknowledge: false })
    await hasty.write(get(1, '/events'), get(3, '/events'), get(5, '/events'), get(7))
    assert.equal((await hasty.until('rstStream', 7)).payload.readUInt32BE(), REFUSED_STREAM)
    await hasty.write(reset(1))
    await eventually('one has ended', () => app.connections === 2)
    await hasty.write(get(9))
    assert.equal((await hasty.until('data', 9)).payload.toString(), 'fine')
    hasty.raw.destroy()
    const rude = await Http2Peer.open(port)
    await rude.write(get(1, '/events'), get(3, '/events'), get(5, '/events'), get(7))
    await rude.raw.closed
    await eventually('all have ended', () => app.connections === 0)
    await assertServes(port)
  })

  test('a connection without streams is closed after a while, and one that has some is not', async t => {
    const { port } = await serve(t, { keepAliveTimeout: 30 })
    const idle = await Http2Peer.open(port)
    const busy = await Http2Peer.open(port)
    await busy.write(get(1, '/events'))
    await idle.write(get(1))
    assert.equal(await idle.goaway(), 0)
    await idle.raw.closed
    await busy.write(frame('ping', 0, 0, Buffer.alloc(8)))
    await busy.until('ping')
    busy.raw.destroy()
  })
})

describe('the heartbeat', () => {
  test('loses a peer that answers no ping, and all of its streams', async t => {
    const { app, port } = await serve(t, { http2: { heartbeat: 100 } })
    const dead = await Http2Peer.open(port)
    await dead.write(get(1, '/events'), get(3, '/events'))
    const alive = await openSession(port, 'http')
    const socket = await openSocketOn(alive, '/echo')
    assert.equal((await dead.until('ping')).flag, 0)
    await dead.raw.closed
    assert.equal(app.connections, 1)
    await socket.send('text', 'still here')
    assert.equal(await socket.readText(), 'still here')
    alive.destroy()
  })
})

describe('slow peers hold up nobody', () => {
  test('a preface that does not come to its end, and one that brings no request', async t => {
    const { port } = await serve(t, { headersTimeout: 500 })
    const slow = await RawPeer.connect(port)
    await slow.write(PREFACE.subarray(0, 10))
    const silent = await RawPeer.connect(port)
    const idle = await Http2Peer.open(port)
    await slow.closed
    await silent.closed
    assert.equal(await idle.goaway(), 0)
    await idle.raw.closed
    await assertServes(port)
  })

  test('a header section that does not come to its end', async t => {
    const { port } = await serve(t, { headersTimeout: 500 })
    const slow = await Http2Peer.open(port)
    await slow.write(frame('headers', 0, 1, block(requestFields('/'))))
    await slow.raw.closed
    await assertServes(port)
  })

  test('a slow body is 408, while the other streams of its connection are served', async t => {
    const { port } = await serve(t, { requestTimeout: 500 })
    const session = await openSession(port, 'http')
    const slow = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'text/plain' })
    const answered = new Promise(resolve => slow.on('response', headers => resolve(headers[':status'])))
    slow.write('x')
    const socket = await openSocketOn(session, '/echo')
    for (let index = 0; index < 5; index++) assert.equal((await ask(session, { ':path': '/' })).text, 'fine')
    assert.equal(await answered, 408)
    await eventually('its stream is closed', () => slow.closed)
    await socket.send('text', 'sockets have no such limit')
    assert.equal(await socket.readText(), 'sockets have no such limit')
    session.destroy()
  })

  test('a peer that takes nothing: other streams of its connection go on', async t => {
    const { port } = await serve(t)
    const session = await openSession(port, 'http')
    const socket = await openSocketOn(session, '/echo')
    socket.raw.pause()
    for (let index = 0; index < 20; index++) void socket.send('text', 'x'.repeat(30_000)).catch(() => {})
    for (let index = 0; index < 5; index++) assert.equal((await ask(session, { ':path': '/' })).text, 'fine')
    session.destroy()
  })
})
