/** Compressed messages (RFC 7692): once for all sockets of a room, and in the order in which they were sent. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { constants, inflateRawSync } from 'node:zlib'
import { WebSocket as Client } from 'ws'
import { type CloseReason, ConnectionRegistry, Registry, Socket, WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { WebSocketPeer } from '../support/websocket-peer.js'

@Registry('room')
class Room extends ConnectionRegistry<{ said: string }> {}

const sockets: Socket[] = []
const ended: CloseReason[] = []

@WebSocket('/room', { perMessageDeflate: true, sendLimit: 50_000_000 })
class Member {
  constructor(
    private readonly room: Room,
    private readonly socket: Socket,
  ) {}
  async open() {
    await this.room.join(this.socket, 'room')
    sockets.push(this.socket)
  }
  message(message: string) {
    return message
  }
  close(reason: CloseReason) {
    ended.push(reason)
  }
}

async function serveRoom(t: Parameters<typeof serve>[0]) {
  sockets.length = 0
  ended.length = 0
  const { port, app } = await serve(t, [Member], { providers: [Room] })
  return {
    port,
    room: app.get(Room),
    joined: (count: number) => eventually('all joined', () => sockets.length === count),
  }
}

const offer = (parameters = '') => ({ 'Sec-WebSocket-Extensions': `permessage-deflate${parameters}` })
const inflate = (data: Buffer, windowBits = 15) =>
  inflateRawSync(Buffer.concat([data, Buffer.from([0, 0, 0xff, 0xff])]), {
    windowBits,
    finishFlush: constants.Z_SYNC_FLUSH,
  }).toString()

/** Text that repeats itself from far away: a peer with a small window cannot look back so far. */
const far = `${'0123456789'.repeat(40)}${Array.from({ length: 3000 }, (_, at) => at.toString(36)).join('')}`.repeat(2)

/** The next message that is not the one that tells a peer where it stands. */
async function said(peer: WebSocketPeer) {
  for (;;) {
    const heard = await peer.read()
    if (heard.payload.length > 1000) return heard
  }
}

describe('what goes to a room', () => {
  test('is compressed once: all whose windows are the same get the same bytes', async t => {
    const { port, room, joined } = await serveRoom(t)
    const peers = await Promise.all(
      Array.from({ length: 3 }, () => WebSocketPeer.open(port, '/room', { fields: offer() })),
    )
    await joined(3)
    await room.to('room').send('said', far)
    const [first, ...others] = await Promise.all(peers.map(said))
    assert.equal(first?.rsv, 4)
    assert.equal(JSON.parse(inflate(first.payload)).data, far)
    for (const other of others) assert.deepEqual(other, first)
    for (const peer of peers) peer.raw.destroy()
  })

  test('fits the window of each: as it was agreed on, and as it is for one of 256 bytes', async t => {
    const { port, room, joined } = await serveRoom(t)
    for (const bits of [15, 12, 9, 8]) {
      const parameters = bits === 15 ? '' : `; server_max_window_bits=${bits}`
      const peer = await WebSocketPeer.open(port, '/room', { fields: offer(parameters) })
      if (bits !== 15) assert.match(peer.head, new RegExp(`server_max_window_bits=${bits}\\b`))
      await joined(1)
      await room.to('room').send('said', far)
      const { rsv, payload } = await said(peer)
      assert.equal(rsv, bits === 8 ? 0 : 4)
      assert.equal(JSON.parse(bits === 8 ? payload.toString() : inflate(payload, bits)).data, far)
      peer.raw.destroy()
      await eventually('it has left', () => ended.length > 0)
      sockets.length = 0
      ended.length = 0
    }
  })

  test('reaches peers without compression beside those with it', async t => {
    const { port, room, joined } = await serveRoom(t)
    const plain = await WebSocketPeer.open(port, '/room')
    const deflated = await WebSocketPeer.open(port, '/room', { fields: offer() })
    await joined(2)
    const huge = 'h'.repeat(1_000_000)
    await room.to('room').send('said', huge)
    assert.equal(JSON.parse(inflate((await said(deflated)).payload)).data, huge)
    const heard = await said(plain)
    assert.equal(heard.rsv, 0)
    assert.equal(JSON.parse(heard.payload.toString()).data, huge)
    plain.raw.destroy()
    deflated.raw.destroy()
  })
})

describe('a large message of one socket is compressed on another thread', () => {
  const sizes = [10, 200_000, 2000, 100_000, 10, 70_000, 65_536, 65_537, 1]

  test('what follows it waits: sends, broadcasts, and the close', async t => {
    const { port, room, joined } = await serveRoom(t)
    const client = new Client(`ws://127.0.0.1:${port}/room`, { perMessageDeflate: true })
    const heard: string[] = []
    client.on('message', data => heard.push(String(data)))
    const closed = once(client, 'close')
    await joined(1)
    const [socket] = sockets as [Socket]
    const expected: string[] = []
    for (let round = 0; round < 5; round++) {
      for (const size of sizes) {
        const text = `${round}:${size}:${'x'.repeat(size)}`
        expected.push(text)
        void socket.send(text)
      }
      await room.to('room').send('said', `round ${round}`)
      await eventually('it has come', () => heard.at(-1)?.includes(`round ${round}`))
    }
    for (const size of sizes) {
      expected.push('y'.repeat(size))
      void socket.send('y'.repeat(size))
    }
    socket.close({ code: 4001 })
    const [code] = await closed
    assert.equal(code, 4001)
    const sent = heard.filter(text => !text.startsWith('{'))
    assert.equal(sent.length, expected.length)
    assert.ok(
      sent.every((text, index) => text === expected[index]),
      'in order, whole',
    )
  })

  test('a peer that leaves meanwhile is nobody any more', async t => {
    const { port, joined } = await serveRoom(t)
    const peer = await WebSocketPeer.open(port, '/room', { fields: offer() })
    await joined(1)
    const [socket] = sockets as [Socket]
    const sent = sizes.map(size => socket.send('z'.repeat(size)))
    peer.raw.reset()
    await eventually('it has ended', () => ended.length === 1)
    await Promise.all(sent)
    assert.equal(await socket.send('z'.repeat(100_000)), false)
  })

  test('send waits for it, and the limit of the queue counts it', async t => {
    @WebSocket('/limited', { perMessageDeflate: true, sendLimit: 300_000 })
    class Limited {
      async open(limited: Socket) {
        assert.equal(await limited.send('a'.repeat(200_000)), true)
        void limited.send('b'.repeat(200_000))
        assert.equal(limited.bufferedAmount, 200_010)
        void limited.send('c'.repeat(200_000))
      }
      close(reason: CloseReason) {
        ended.push(reason)
      }
    }
    ended.length = 0
    const { port } = await serve(t, [Limited])
    const peer = await WebSocketPeer.open(port, '/limited', { fields: offer() })
    await eventually('it has ended', () => ended.length === 1)
    assert.deepEqual(ended, [{ kind: 'overflow' }])
    peer.raw.destroy()
  })
})
