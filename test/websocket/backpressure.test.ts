import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type CloseReason, type Socket, WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { closing, WebSocketPeer } from '../support/websocket-peer.js'

/** A peer that reads nothing, and its socket, which takes as much as is sent. */
async function paused(t: TestContext) {
  const sockets: Socket[] = []
  @WebSocket('/', { sendLimit: 100_000_000 })
  class Big {
    open(socket: Socket) {
      sockets.push(socket)
    }
  }
  const { port } = await serve(t, [Big])
  const peer = await WebSocketPeer.open(port, '/')
  peer.raw.pause()
  return { peer, socket: sockets[0] as Socket }
}

describe('backpressure', () => {
  test('P12: send waits while the peer does not read, and goes on when it does', async t => {
    const { peer, socket } = await paused(t)
    const chunk = Buffer.alloc(1_000_000)
    let sent = 0
    const sending = (async () => {
      for (; sent < 20; sent++) assert.equal(await socket.send(chunk), true)
    })()
    await eventually('something waits', () => socket.bufferedAmount > 0)
    await turn()
    assert.ok(sent < 20, 'send waits')
    peer.raw.resume()
    for (let index = 0; index < 20; index++) assert.equal((await peer.read()).payload.length, chunk.length)
    await sending
    assert.equal(socket.bufferedAmount, 0)
    peer.raw.destroy()
  })

  test('P12: a send that waits answers false when the peer leaves, and so does every later one', async t => {
    const { peer, socket } = await paused(t)
    const sends = Array.from({ length: 20 }, () => socket.send(Buffer.alloc(1_000_000)))
    await eventually('something waits', () => socket.bufferedAmount > 0)
    peer.raw.reset()
    assert.equal((await Promise.all(sends)).at(-1), false)
    assert.equal(await socket.send('late'), false)
    assert.deepEqual(socket.closeReason, { kind: 'lost' })
  })

  test('a generator is paused while its peer does not read, and its finally runs when the peer leaves', async t => {
    let made = 0
    let finished = 0
    @WebSocket('/')
    class Endless {
      async *open() {
        try {
          for (;;) {
            made++
            yield Buffer.alloc(100_000)
          }
        } finally {
          finished++
        }
      }
    }
    const { port, app } = await serve(t, [Endless])
    const peer = await WebSocketPeer.open(port, '/')
    peer.raw.pause()
    let last = -1
    await eventually('it makes no more', async () => {
      const still = made === last
      last = made
      await new Promise(resolve => setTimeout(resolve, 30))
      return still
    })
    assert.ok(made < 200, `${made} were made`)
    peer.raw.reset()
    await eventually('it is over', () => app.connections === 0)
    assert.equal(finished, 1)
  })

  for (const [what, source] of [
    [
      'a generator',
      function* () {
        for (;;) yield Buffer.alloc(100_000)
      },
    ],
    [
      'an async generator',
      async function* () {
        for (;;) yield Buffer.alloc(100_000)
      },
    ],
  ] as const) {
    test(`${what} without an end does not run on, unheard, between the peer's close frame and its leaving`, async t => {
      const ended: CloseReason[] = []
      @WebSocket('/')
      class Endless {
        open() {
          return source()
        }
        close(reason: CloseReason) {
          ended.push(reason)
        }
      }
      const { port } = await serve(t, [Endless])
      const peer = await WebSocketPeer.open(port, '/')
      peer.raw.pause()
      await peer.send('close', closing(1000))
      peer.raw.resume()
      assert.equal(await peer.raw.closed, 'end')
      await eventually('close has run', () => ended.length > 0)
      assert.deepEqual(ended, [{ kind: 'peer', code: 1000 }])
    })
  }

  test('what cannot be sent rejects its send, and nothing else', async t => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    @WebSocket('/')
    class Odd {
      async open(socket: Socket) {
        for (const value of [undefined, () => {}, Symbol('s'), 1n, cycle])
          await assert.rejects(socket.send(value), TypeError)
        return 'still here'
      }
    }
    const { port } = await serve(t, [Odd])
    const peer = await WebSocketPeer.open(port, '/')
    assert.equal(await peer.readText(), 'still here')
    peer.raw.destroy()
  })
})
