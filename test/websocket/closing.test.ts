import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import {
  type CloseReason,
  ConnectionRegistry,
  Registry,
  Socket,
  type StopOptions,
  stop,
  WebSocket,
  type WebSocketOptions,
} from '../../src/index.js'
import { type StartOptions, serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { closing, frame, opcodes, WebSocketPeer } from '../support/websocket-peer.js'

@Registry('everyone')
class Everyone extends ConnectionRegistry {}

/** Opens one socket; `message` runs what a test gives it. */
async function open(
  t: TestContext,
  options: WebSocketOptions = {},
  handlers: {
    message?: (text: string, socket: Socket) => unknown
    ping?: (data: Buffer) => unknown
    pong?: (data: Buffer) => unknown
  } = {},
  app: StartOptions = {},
) {
  const ended: CloseReason[] = []
  let made: Socket | undefined
  @WebSocket('/', options)
  class Held {
    constructor(
      private readonly socket: Socket,
      private readonly everyone: Everyone,
    ) {}
    async open() {
      made = this.socket
      await this.everyone.join(this.socket, 'room')
    }
    message(message: string) {
      return handlers.message?.(message, this.socket)
    }
    ping(data: Buffer) {
      return handlers.ping?.(data)
    }
    pong(data: Buffer) {
      return handlers.pong?.(data)
    }
    close(reason: CloseReason) {
      ended.push(reason)
    }
  }
  const served = await serve(t, [Held], { providers: [Everyone], ...app })
  const peer = await WebSocketPeer.open(served.port, '/')
  t.after(() => peer.raw.destroy())
  await peer.read() // Where the peer stands in the registry.
  const over = async () => {
    await eventually('close has run', () => ended.length > 0)
    await eventually('nothing is left', () => served.app.connections === 0)
    assert.equal(served.app.get(Everyone).size, 0)
    assert.equal(ended.length, 1)
    return ended[0]
  }
  return { ...served, peer, socket: made as unknown as Socket, everyone: served.app.get(Everyone), over }
}

describe('B29/P46: each end has its reason and its close code', () => {
  const ends: [
    what: string,
    end: (held: Awaited<ReturnType<typeof open>>) => unknown,
    code: number,
    reason: CloseReason,
    text?: string,
  ][] = [
    ['socket.close()', ({ socket }) => socket.close(), 1000, { kind: 'stopped' }],
    [
      'socket.close(), with a code and a text',
      ({ socket }) => socket.close({ code: 4321, text: 'así' }),
      4321,
      { kind: 'stopped', code: 4321, text: 'así' },
      'así',
    ],
    ['disconnect', ({ everyone }) => everyone.disconnect('room'), 1008, { kind: 'disconnected' }],
    [
      'disconnect, with a code and a text',
      ({ everyone, socket }) => everyone.disconnect(socket.id, { code: 3001, text: 'out' }),
      3001,
      { kind: 'disconnected', code: 3001, text: 'out' },
      'out',
    ],
    [
      'a linked signal',
      ({ socket }) => socket.link(AbortSignal.abort('over')),
      1011,
      { kind: 'linked', cause: 'over' },
    ],
    ['app.close()', ({ app }) => void app.close({ deadline: 2000 }), 1012, { kind: 'drain' }],
  ]
  for (const [what, end, code, reason, text = ''] of ends) {
    test(`B29: ${what} is ${code} ${reason.kind}, and nothing follows it`, async t => {
      const held = await open(t)
      await end(held)
      void held.socket.send('late')
      held.socket.ping()
      held.socket.close()
      assert.deepEqual(await held.peer.agree(), { code, text })
      assert.deepEqual(await held.over(), reason)
    })
  }

  test('P47: a handler that throws is 1011 failed, logged, and its text is not told', async t => {
    const error = new Error('the password is 1234')
    const held = await open(
      t,
      {},
      {
        message: () => {
          throw error
        },
      },
    )
    await held.peer.send('text', 'go')
    assert.deepEqual(await held.peer.agree(), { code: 1011, text: '' })
    assert.deepEqual(await held.over(), { kind: 'failed', error })
    assert.deepEqual(held.log.errors, [{ message: 'Held failed', details: error }])
  })

  test('B29: an overflow is 1013', async t => {
    const held = await open(t, { sendLimit: 50_000 })
    held.peer.raw.pause()
    await eventually('the peer is too slow', () => {
      void held.socket.send(Buffer.alloc(40_000))
      return held.socket.closed
    })
    held.peer.raw.resume()
    let last = await held.peer.read()
    while (last.opcode === opcodes.binary) last = await held.peer.read()
    assert.deepEqual([last.opcode, last.payload.readUInt16BE()], [opcodes.close, 1013])
    held.peer.raw.end()
    assert.deepEqual(await held.over(), { kind: 'overflow' })
  })

  for (const how of ['reset', 'end', 'destroy'] as const) {
    test(`B29/P34: a peer that vanishes (${how}) is lost, also when it had sent before`, async t => {
      const held = await open(t)
      await held.peer.send('text', 'before')
      held.peer.raw[how]()
      assert.deepEqual(await held.over(), { kind: 'lost' })
    })
  }

  test('B29: a peer that sends nothing for idleTimeout is 1000 idle; one that does is not', async t => {
    const held = await open(t, { idleTimeout: 800 }, { message: text => text })
    for (let index = 0; index < 10; index++) {
      await held.peer.send('text', 'here')
      assert.equal(await held.peer.readText(), 'here')
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    assert.deepEqual(await held.peer.agree(), { code: 1000, text: '' })
    assert.deepEqual(await held.over(), { kind: 'idle' })
  })

  test('a message over maxPayload is 1009, in one frame or in many', async t => {
    for (const frames of [
      [frame('text', 'x'.repeat(11))],
      [frame('text', '123456', { fin: false }), frame('continuation', '78901')],
    ]) {
      const held = await open(t, { maxPayload: 10 }, { message: text => text })
      await held.peer.send('text', '1234567890')
      assert.equal(await held.peer.readText(), '1234567890')
      await held.peer.raw.write(Buffer.concat(frames))
      assert.equal((await held.peer.agree()).code, 1009)
      assert.deepEqual(await held.over(), { kind: 'protocol', code: 1009 })
    }
  })

  test('a frame that claims more than there can be is 1009', async t => {
    const held = await open(t)
    await held.peer.raw.write(Buffer.from([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]))
    assert.equal((await held.peer.agree()).code, 1009)
    assert.deepEqual(await held.over(), { kind: 'protocol', code: 1009 })
  })
})

test('what was sent before a clean end arrives before its close frame, however slow the peer', async t => {
  const held = await open(t, { sendLimit: 100_000_000 })
  held.peer.raw.pause()
  for (let index = 0; index < 30; index++) void held.socket.send(Buffer.alloc(500_000, index))
  held.socket.close({ code: 4000 })
  held.peer.raw.resume()
  for (let index = 0; index < 30; index++) assert.equal((await held.peer.read()).payload[0], index)
  assert.equal((await held.peer.agree()).code, 4000)
  assert.deepEqual(await held.over(), { kind: 'stopped', code: 4000 })
})

for (const perMessageDeflate of [false, true])
  test(`a peer that ends without a close frame, and takes nothing of what waits, is lost in a while (perMessageDeflate: ${perMessageDeflate})`, async t => {
    const { peer, over, socket } = await open(t, { heartbeat: 0, sendLimit: 100_000_000, perMessageDeflate })
    peer.raw.pause()
    for (let index = 0; index < 30; index++) void socket.send(Buffer.alloc(500_000, index))
    peer.raw.end()
    assert.deepEqual(await over(), { kind: 'lost' })
  })

test('a socket that was paused for a busy handler still hears the answer to its close', async t => {
  let finish = () => {}
  const held = await open(t, {}, { message: () => new Promise<void>(resolve => (finish = resolve)) })
  for (let index = 0; index < 200; index++) await held.peer.send('text', 'x'.repeat(1000))
  held.socket.close()
  finish()
  await held.peer.agree()
  assert.deepEqual(await held.over(), { kind: 'stopped' })
})

test('the first reason stands: a peer that closes while we do is told once', async t => {
  const held = await open(t)
  held.socket.close({ code: 4000 })
  await held.peer.send('close', closing(4001))
  assert.equal((await held.peer.readClose()).code, 4000)
  await held.peer.raw.closed
  assert.deepEqual(await held.over(), { kind: 'stopped', code: 4000 })
})

test('P48: close codes and texts that may not be sent are refused where they are given', async t => {
  const held = await open(t)
  const wrong: StopOptions[] = [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 3000.5, Number.NaN].map(code => ({ code }))
  for (const options of [...wrong, { text: 'é'.repeat(62) }]) {
    assert.throws(() => stop(options), RangeError, JSON.stringify(options))
    assert.throws(() => held.socket.close(options), RangeError)
    await assert.rejects(held.everyone.disconnect('room', options), RangeError)
  }
  held.socket.close({ code: 4999, text: `${'é'.repeat(61)}x` })
  assert.equal((await held.peer.agree()).code, 4999)
})

describe('pings', () => {
  test('P43/B26: the pong goes out first, then the handler runs', async t => {
    const held = await open(t, {}, { ping: data => `pinged ${data}` })
    await held.peer.send('ping', 'a')
    const pong = await held.peer.read()
    assert.deepEqual([pong.opcode, pong.payload.toString()], [opcodes.pong, 'a'])
    assert.equal(await held.peer.readText(), 'pinged a')
  })

  test('B26: our ping is answered to the pong handler', async t => {
    const held = await open(t, {}, { pong: data => `ponged ${data}` })
    held.socket.ping('b')
    const ping = await held.peer.read()
    assert.deepEqual([ping.opcode, ping.payload.toString()], [opcodes.ping, 'b'])
    await held.peer.send('pong', 'b')
    assert.equal(await held.peer.readText(), 'ponged b')
    assert.throws(() => held.socket.ping('x'.repeat(126)), RangeError)
  })

  test('a peer that misses a heartbeat is lost; one that answers is not', async t => {
    const held = await open(t, { heartbeat: 300 })
    for (let beats = 0; beats < 4; beats++) {
      assert.equal((await held.peer.read()).opcode, opcodes.ping)
      await held.peer.send('pong')
    }
    assert.equal(held.socket.closed, false)
    assert.deepEqual(await held.over(), { kind: 'lost' })
    assert.notEqual(await held.peer.raw.closed, 'destroyed')
  })

  test('a peer that is paused for a busy handler is not taken for lost', async t => {
    let finish = () => {}
    let handled = 0
    const held = await open(
      t,
      { heartbeat: 150, idleTimeout: 300 },
      {
        message: () => (handled++ === 0 ? new Promise<void>(resolve => (finish = resolve)) : undefined),
      },
    )
    for (let index = 0; index < 200; index++) await held.peer.send('text', 'x'.repeat(1000))
    for (let beats = 0; beats < 6; beats++) assert.equal((await held.peer.read()).opcode, opcodes.ping)
    assert.equal(held.socket.closed, false)
    finish()
    await eventually('all are handled', () => handled === 200)
  })
})
