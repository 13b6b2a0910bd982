/** One socket class, one suite, over ws, wss, wss on HTTP/2 and ws on HTTP/2. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import {
  type CloseReason,
  ConnectionRegistry,
  type Context,
  ContextKey,
  Controller,
  Data,
  Get,
  Guard,
  int,
  On,
  Param,
  Registry,
  RequestContext,
  Socket,
  stop,
  unauthorized,
  upgrade,
  WebSocket,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { serve, serveSuite } from '../support/serve.js'
import { closing, opcodes } from '../support/websocket-peer.js'
import { openSession, openSocketOn, tls, wires } from '../support/wires.js'
import { withResolvers } from '../support/with-resolvers.js'

@Registry('wired')
class Wired extends ConnectionRegistry<{ news: { title: string } }> {}

/** Frames of so many bytes are not echoed as a whole. */
const LONG = 40_000

const ended: { readonly room: string; readonly reason: CloseReason }[] = []
const live = new Map<string, Talk>()
const gates = new Map<string, Promise<void>>()

function admit(context: Context) {
  if (!(context instanceof RequestContext)) return true
  context.response.setHeader('Set-Cookie', ['a=1', 'b=2'])
  context.response.setHeader('X-Guarded', context.method)
  if (context.query.refuse === 'reply') return unauthorized('sign in', { headers: { 'WWW-Authenticate': 'Bearer' } })
  return context.query.refuse === undefined
}

@WebSocket('/talk/:room', {
  protocols: ['chat.v2', 'chat.v1'],
  maxPayload: 100_000,
  keepHeaders: ['origin'],
  sendLimit: 200_000,
})
@Guard(admit)
class Talk {
  constructor(
    readonly socket: Socket<'room'>,
    private readonly wired: Wired,
  ) {}

  async open(@Param('room') room: string) {
    live.set(room, this)
    if (room === 'wired') await this.wired.join(this.socket, room)
  }

  async message(frame: string | Buffer) {
    const { room } = this.socket.params
    await gates.get(room)
    if (frame === 'stop') return stop({ code: 4001, text: 'enough' })
    if (frame === 'fail') throw new Error('failed on purpose')
    if (frame.length >= LONG) return String(frame).slice(0, 3)
    if (frame === 'several') return ['one', Buffer.from([2]), { three: 3 }]
    return frame
  }

  @On('double')
  double(@Data(int()) data: number) {
    return 2 * data
  }

  @On('news')
  news(@Data() data: { title: string }) {
    return this.wired.to('wired').send('news', data)
  }

  pong(data: Buffer) {
    return `pong ${data}`
  }

  info(message: unknown) {
    return { told: message }
  }

  close(reason: CloseReason) {
    ended.push({ room: this.socket.params.room, reason })
  }
}

@WebSocket('/number/:id')
class Numbered {
  open(@Param('id', int()) id: number) {
    return id
  }
}

@WebSocket('/whole', { sendLimit: 200_000 })
class Whole {
  open() {
    return 'y'.repeat(1_000_000)
  }
}

@WebSocket('/deflated', { perMessageDeflate: true, maxPayload: 10_000 })
class Deflated {
  message(frame: string | Buffer) {
    return frame
  }
}

const versions = new ContextKey<string>('HTTP version')

@WebSocket('/chatty', { protocols: ['chat'] })
@Guard((context: Context) => {
  context.set(versions, (context as RequestContext).request.httpVersion)
  return true
})
class Chatty {
  constructor(private readonly socket: Socket) {}
  message(text: string) {
    return `${this.socket.get(versions)}: ${text}`
  }
}

@WebSocket('/beating/:room', { heartbeat: 100 })
class Beating {
  constructor(private readonly socket: Socket<'room'>) {}
  message() {}
  close(reason: CloseReason) {
    ended.push({ room: this.socket.params.room, reason })
  }
}

@WebSocket('/idle/:room', { idleTimeout: 80 })
class Idle {
  constructor(private readonly socket: Socket<'room'>) {}
  message() {}
  close(reason: CloseReason) {
    ended.push({ room: this.socket.params.room, reason })
  }
}

@Controller()
class Doors {
  @Get('/door', { upgrade: [Deflated] }) door() {
    return upgrade(Deflated)
  }
  @Get('/plain') plain() {
    return 'plain'
  }
}

let rooms = 0

for (const wire of wires) {
  const isHttp2 = wire.name.startsWith('HTTP/2')

  describe(`a socket class over ${wire.name}`, () => {
    const controllers = [Talk, Numbered, Whole, Deflated, Beating, Idle, Doors]
    const served = serveSuite(
      { controllers, providers: [Wired] },
      { host: '127.0.0.1', signals: false, ...wire.options },
    )
    const open = async (path = '/talk', fields: Record<string, string> = {}) => {
      const room = `r${++rooms}`
      const peer = await wire.openSocket(served.port, `${path}/${room}`, fields)
      const over = () => eventually(`the end of ${room}`, () => ended.find(each => each.room === room)?.reason)
      return { room, peer, over }
    }
    const talk = async (fields?: Record<string, string>) => {
      const opened = await open('/talk', fields)
      return { ...opened, it: await eventually(`the socket ${opened.room}`, () => live.get(opened.room)) }
    }

    test('answers text, bytes, and what comes in fragments', async () => {
      const { peer } = await open()
      await peer.send('text', 'hé')
      assert.equal(await peer.readText(), 'hé')
      await peer.send('binary', Buffer.from([0, 255]))
      assert.deepEqual((await peer.read()).payload, Buffer.from([0, 255]))
      await peer.send('text', 'one ', { fin: false })
      await peer.send('ping', 'between')
      await peer.send('continuation', 'two')
      assert.equal((await peer.read()).opcode, opcodes.pong)
      assert.equal(await peer.readText(), 'one two')
      await peer.send('text', 'several')
      assert.equal(await peer.readText(), 'one')
      assert.deepEqual((await peer.read()).payload, Buffer.from([2]))
      assert.deepEqual(await peer.readJson(), { three: 3 })
      peer.raw.destroy()
    })

    test('keeps the order of many messages, and takes them whole', async () => {
      const { peer } = await open()
      const sent = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(index * 10)}`)
      for (const text of sent) await peer.send('text', text)
      for (const text of sent) assert.equal(await peer.readText(), text)
      peer.raw.destroy()
    })

    test('one message may be larger than the limit, also the one that it opens with', async () => {
      const peer = await wire.openSocket(served.port, '/whole')
      assert.equal((await peer.read()).payload.length, 1_000_000)
      peer.raw.destroy()
    })

    test('agrees on a subprotocol, and sends what guards have set', async () => {
      const { peer, it } = await talk({ 'Sec-WebSocket-Protocol': 'chat.v1, chat.v2' })
      assert.match(peer.head, /^sec-websocket-protocol: chat\.v2\r$/im)
      assert.match(peer.head, /^set-cookie: a=1\r$/im)
      assert.match(peer.head, /^set-cookie: b=2\r$/im)
      assert.match(peer.head, /^x-guarded: GET\r$/im)
      assert.equal(it.socket.protocol, 'chat.v2')
      assert.equal(it.socket.handshake.method, 'GET')
      assert.equal(it.socket.handshake.remoteAddress, '127.0.0.1')
      peer.raw.destroy()
    })

    test('refuses by ordinary answers, with the status that they have', async () => {
      const status = async (path: string, fields?: Record<string, string | undefined>) =>
        (await wire.refused(served.port, path, fields)).status
      assert.equal(await status('/talk/x?refuse'), 403)
      const refused = await wire.refused(served.port, '/talk/x?refuse=reply')
      assert.equal(refused.status, 401)
      assert.equal(refused.headers['www-authenticate'], 'Bearer')
      assert.equal(refused.headers['content-type'], 'application/problem+json')
      assert.equal(JSON.parse(refused.text).detail, 'sign in')
      assert.equal(await status('/number/one'), 400)
      assert.equal(await status('/missing'), 404)
      assert.equal(await status('/plain'), 404)
      assert.equal(await status('/talk/x', { Origin: 'https://evil.example' }), 403)
      assert.equal(await status('/talk/x', { 'Sec-WebSocket-Version': '12' }), isHttp2 ? 400 : 426)
      assert.equal(await status('/talk/x', { 'Sec-WebSocket-Protocol': 'a, a' }), 400)
      assert.equal(await status('/talk/%zz'), 400)
    })

    test('admits the own origin, and no other port of it', async () => {
      const scheme = wire.options.tls === undefined ? 'http' : 'https'
      const own = `${scheme}://127.0.0.1:${served.port}`
      const fields = { Host: `127.0.0.1:${served.port}` }
      const peer = await wire.openSocket(
        served.port,
        '/talk/own',
        isHttp2 ? { Origin: own } : { ...fields, Origin: own },
      )
      peer.raw.destroy()
      const other = `${scheme}://127.0.0.1:1`
      assert.equal((await wire.refused(served.port, '/talk/own', { Origin: other })).status, 403)
    })

    test('acknowledges messages by name, and validates them', async () => {
      const { peer } = await open()
      await peer.send('text', '{"event":"double","data":21,"ack":1}')
      await peer.send('text', '{"event":"double","data":"x","ack":2}')
      assert.deepEqual(await peer.readJson(), { ack: 1, data: 42 }, 'an integer')
      const refused = (await peer.readJson()) as { ack: number; error: { status: number } }
      assert.deepEqual([refused.ack, refused.error.status], [2, 422])
      peer.raw.destroy()
    })

    test('hears what is told from inside, and what its registry sends', async () => {
      const { peer, it } = await talk()
      it.socket.tell('hello')
      assert.deepEqual(await peer.readJson(), { told: 'hello' })
      const member = await wire.openSocket(served.port, '/talk/wired')
      await member.readJson() // Its place.
      await peer.send('text', '{"event":"news","data":{"title":"here"}}')
      assert.deepEqual(((await member.readJson()) as { data: unknown }).data, { title: 'here' })
      peer.raw.destroy()
      member.raw.destroy()
    })

    test('is reached by a handler that upgrades, with compression where both want it', async () => {
      for (const path of ['/door', '/deflated']) {
        const peer = await wire.openSocket(served.port, path, { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
        assert.match(peer.head, /^sec-websocket-extensions: permessage-deflate; server_no_context_takeover/im)
        const text = 'again and again '.repeat(200)
        const packed = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
        await peer.send('text', packed, { rsv: 4 })
        const { payload, rsv } = await peer.read()
        assert.equal(rsv, 4)
        assert.ok(payload.length < 200)
        assert.equal(inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).toString(), text)
        const bomb = deflateRawSync(Buffer.alloc(1_000_000), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
        await peer.send('binary', bomb, { rsv: 4 })
        assert.equal((await peer.readClose()).code, 1009)
        peer.raw.destroy()
      }
    })

    test('holds its limits: a message too long, text that is none, an unmasked frame', async () => {
      const cases: [number, Parameters<(typeof sent)['send']>][] = [
        [1009, ['text', '', { length: 100_001 }]],
        [1007, ['text', Buffer.from([0xff])]],
        [1002, ['text', 'open', { mask: false }]],
        [1002, [11, 'x']],
      ]
      let sent = (await open()).peer
      for (const [code, args] of cases) {
        const { peer, over } = await open()
        sent.raw.destroy()
        sent = peer
        await peer.send(...args)
        assert.equal((await peer.agree()).code, code)
        assert.deepEqual(await over(), { kind: 'protocol', code })
      }
    })

    test('closes as either side says, and its stream with it', async () => {
      const polite = await open()
      await polite.peer.send('close', closing(4000, 'bye'))
      assert.deepEqual(await polite.peer.readClose(), { code: 4000, text: 'bye' })
      assert.deepEqual(await polite.over(), { kind: 'peer', code: 4000, text: 'bye' })
      polite.peer.raw.end()
      assert.equal(await polite.peer.raw.closed, 'end')

      const stopped = await open()
      await stopped.peer.send('text', 'stop')
      assert.deepEqual(await stopped.peer.agree(), { code: 4001, text: 'enough' })
      assert.deepEqual(await stopped.over(), { kind: 'stopped', code: 4001, text: 'enough' })

      const failed = await open()
      await failed.peer.send('text', 'fail')
      assert.equal((await failed.peer.agree()).code, 1011)
      assert.equal((await failed.over()).kind, 'failed')
    })

    test('P4: a peer that vanishes is lost: by a reset, or without a word', async () => {
      const reset = await open()
      reset.peer.raw.reset()
      assert.deepEqual(await reset.over(), { kind: 'lost' })
      const gone = await open()
      gone.peer.raw.destroy()
      assert.deepEqual(await gone.over(), { kind: 'lost' })
    })

    test('pings, hears pongs, and loses a peer that misses one', async () => {
      const { peer, over } = await open('/beating')
      assert.equal((await peer.read()).opcode, opcodes.ping)
      await peer.send('pong')
      assert.equal((await peer.read()).opcode, opcodes.ping)
      assert.deepEqual(await over(), { kind: 'lost' })
      await peer.raw.closed

      const { peer: talking, it } = await talk()
      it.socket.ping('data')
      assert.deepEqual((await talking.read()).payload, Buffer.from('data'))
      await talking.send('pong', 'data')
      assert.equal(await talking.readText(), 'pong data')
      talking.raw.destroy()
    })

    test('ends by itself where nothing comes', async () => {
      const { peer, over } = await open('/idle')
      assert.equal((await peer.agree()).code, 1000)
      assert.deepEqual(await over(), { kind: 'idle' })
    })

    test('pauses a peer while its handler is busy, and takes up all that it sent', async () => {
      const gate = withResolvers()
      const { peer, room } = await talk()
      gates.set(room, gate.promise)
      const count = 100
      let written = 0
      const writing = (async () => {
        for (let index = 100; index < 100 + count; index++) {
          await peer.send('text', `${index} ${'x'.repeat(LONG)}`)
          written++
        }
      })()
      await eventually('the peer has begun', () => written > 0)
      if (isHttp2) assert.ok(written < count, 'a stream has its window')
      gate.resolve()
      for (let index = 100; index < 100 + count; index++) assert.equal(await peer.readText(), String(index))
      await writing
      peer.raw.destroy()
    })

    test('a send waits for a slow peer; one that is too slow is ended, and others go on', async () => {
      const { peer, it, over } = await talk()
      peer.raw.pause()
      let waits = false
      const block = 'y'.repeat(30_000)
      for (let index = 0; !waits && index < 2000; index++) {
        const pace = it.socket.send(block)
        waits = (await Promise.race([pace, Promise.resolve('waits')])) === 'waits'
        if (waits) {
          assert.ok(it.socket.bufferedAmount > 0)
          peer.raw.resume()
          assert.equal(await pace, true)
        }
      }
      assert.equal(waits, true)
      peer.raw.pause()
      await eventually('overflow', () => {
        for (let index = 0; index < 100 && !it.socket.closed; index++) void it.socket.send(block)
        return it.socket.closed
      })
      assert.deepEqual(await over(), { kind: 'overflow' })
      const other = await open()
      await other.peer.send('text', 'still here')
      assert.equal(await other.peer.readText(), 'still here')
      other.peer.raw.destroy()
      peer.raw.destroy()
    })
  })

  test(`sockets over ${wire.name} are told 1012 when the server goes away`, async t => {
    const { app, port } = await serve(
      t,
      { controllers: [Talk], providers: [Wired] },
      { signals: false, ...wire.options },
    )
    const peer = await wire.openSocket(port, '/talk/drained')
    const closed = app.close()
    assert.equal((await peer.agree()).code, 1012)
    await closed
    assert.deepEqual(ended.find(each => each.room === 'drained')?.reason, { kind: 'drain' })
    ended.splice(0)
  })
}

test('a peer that does not end its half of a stream is reset without an error', async t => {
  const { port } = await serve(t, { controllers: [Talk], providers: [Wired] }, { signals: false, http2: true })
  const session = await openSession(port, 'http')
  const peer = await openSocketOn(session, '/talk/half', {}, { endsItsHalf: false })
  await peer.send('close', closing(1000))
  assert.deepEqual(await peer.readClose(), { code: 1000, text: '' })
  assert.equal(await peer.raw.closed, 'end')
  session.close()
})

test('undici opens a WebSocket on HTTP/2', async t => {
  const { port } = await serve(t, { controllers: [Chatty] }, { signals: false, tls, http2: true })
  const program = join(import.meta.dirname, 'undici-program.js')
  const url = `wss://127.0.0.1:${port}/chatty`
  const { stdout } = await promisify(execFile)(process.execPath, [program, url, tls.cert])
  assert.equal(stdout, 'chat 2.0: hi\nclosed 4000 bye\n')
})
