import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { WebSocket as Client } from 'ws'
import { type CloseReason, ConnectionRegistry, Registry, type Socket, WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { frame, handshake, WebSocketPeer } from '../support/websocket-peer.js'

const ended: CloseReason[] = []

class Echo {
  message(message: string | Buffer) {
    return message
  }
  close(reason: CloseReason) {
    ended.push(reason)
  }
}

@WebSocket('/plain')
class Plain extends Echo {}

@WebSocket('/deflate', { perMessageDeflate: true })
class Deflating extends Echo {}

const deflate = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
const compress = (data: string | Buffer) =>
  deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
const inflate = (data: Buffer) =>
  inflateRawSync(Buffer.concat([data, Buffer.from([0, 0, 0xff, 0xff])]), { finishFlush: constants.Z_SYNC_FLUSH })
const RSV1 = { rsv: 4 }

async function endOf() {
  await eventually('close has run', () => ended.length > 0)
  return ended.splice(0)
}

describe('hostile peers', () => {
  test('a flood of pings by a peer that does not read ends as lost, with little memory', async t => {
    ended.length = 0
    const { port } = await serve(t, [Plain])
    const peer = await WebSocketPeer.open(port, '/plain')
    peer.raw.pause()
    const pings = Buffer.concat(Array.from({ length: 500 }, () => frame('ping', 'x'.repeat(125))))
    const flood = async () => {
      for (let index = 0; index < 2000 && ended.length === 0; index++) await peer.raw.write(pings)
    }
    await Promise.race([flood().catch(() => {}), eventually('it ends', () => ended.length > 0, { timeout: 20_000 })])
    assert.deepEqual(await endOf(), [{ kind: 'lost' }])
    peer.raw.destroy()
  })

  for (const [what, payload] of [
    ['tiny', 'x'],
    ['empty', ''],
  ]) {
    test(`a message of very many ${what} fragments is 1008`, async t => {
      ended.length = 0
      const { port } = await serve(t, [Plain])
      const peer = await WebSocketPeer.open(port, '/plain')
      const piece = frame('continuation', payload, { fin: false })
      await peer.raw.write(
        Buffer.concat([frame('text', payload, { fin: false }), ...Array.from({ length: 2000 }, () => piece)]),
      )
      assert.equal((await peer.readClose()).code, 1008)
      peer.raw.end()
      assert.deepEqual(await endOf(), [{ kind: 'protocol', code: 1008 }])
    })
  }

  test('a message that inflates to more than maxPayload is 1009, and is not inflated to its end', async t => {
    ended.length = 0
    const { port } = await serve(t, [Deflating])
    const peer = await WebSocketPeer.open(port, '/deflate', { fields: deflate })
    const bomb = compress(Buffer.alloc(50_000_000))
    assert.ok(bomb.length < 100_000)
    await peer.send('binary', bomb, RSV1)
    assert.equal((await peer.readClose()).code, 1009)
    peer.raw.end()
    assert.deepEqual(await endOf(), [{ kind: 'protocol', code: 1009 }])
  })

  test('a message that cannot be inflated is 1007', async t => {
    ended.length = 0
    const { port } = await serve(t, [Deflating])
    const peer = await WebSocketPeer.open(port, '/deflate', { fields: deflate })
    await peer.send('text', 'this was never deflated', RSV1)
    assert.equal((await peer.readClose()).code, 1007)
    peer.raw.end()
    assert.deepEqual(await endOf(), [{ kind: 'protocol', code: 1007 }])
  })

  test('a compressed message where nothing of it was agreed on is 1002', async t => {
    ended.length = 0
    const { port } = await serve(t, [Deflating])
    const peer = await WebSocketPeer.open(port, '/deflate')
    await peer.send('text', compress('hello'), RSV1)
    assert.equal((await peer.readClose()).code, 1002)
    peer.raw.end()
    assert.deepEqual(await endOf(), [{ kind: 'protocol', code: 1002 }])
  })
})

describe('slow peers', () => {
  @WebSocket('/feed', { sendLimit: 200_000, heartbeat: 300 })
  class Feed {
    open(socket: Socket) {
      sockets.push(socket)
    }
    close(reason: CloseReason) {
      ended.push(reason)
    }
  }
  const sockets: Socket[] = []

  test('a peer that takes nothing, but still pongs, is cut at sendLimit: what waits for it never exceeds that', async t => {
    ended.length = sockets.length = 0
    const { port } = await serve(t, [Feed])
    const peer = await WebSocketPeer.open(port, '/feed')
    peer.raw.pause()
    const [socket] = sockets as [Socket]
    let most = 0
    await eventually('it is cut', async () => {
      await peer.send('pong')
      for (let index = 0; index < 10; index++) void socket.send(Buffer.alloc(10_000))
      if (!socket.closed) most = Math.max(most, socket.bufferedAmount)
      return socket.closed
    })
    assert.ok(most > 0 && most <= 200_000, `${most} bytes waited`)
    assert.deepEqual(await endOf(), [{ kind: 'overflow' }])
    peer.raw.destroy()
  })

  test('a peer that is slow, but takes what it is sent, is not lost, though its pong is late', async t => {
    ended.length = sockets.length = 0
    @WebSocket('/bulk', { sendLimit: 100_000_000, heartbeat: 400 })
    class Bulk extends Feed {}
    const { port } = await serve(t, [Bulk])
    const peer = await WebSocketPeer.open(port, '/bulk')
    const [socket] = sockets as [Socket]
    for (let index = 0; index < 800; index++) void socket.send(Buffer.alloc(100_000))
    // Some 20 MB a second: the ping that stands behind 80 MB is not heard in three beats.
    const start = performance.now()
    for (let read = 0, time = 0; time < 1500; time = performance.now() - start) {
      if (read < time * 20_000) peer.raw.resume()
      await turn()
      peer.raw.pause()
      read += peer.raw.received.length
      peer.raw.received = ''
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    assert.ok(socket.bufferedAmount > 0, 'something waits for it still')
    assert.equal(socket.closed, false)
    await eventually('it takes nothing more, and is lost', () => socket.closed)
    assert.deepEqual(await endOf(), [{ kind: 'lost' }])
    peer.raw.destroy()
  })
})

describe('a peer that vanishes or talks nonsense', () => {
  const message = frame('text', 'hello')
  const steps: [where: string, bytes: Buffer][] = [
    ['in the request line', Buffer.from('GET /pl')],
    ['in the head', Buffer.from(handshake('/plain').slice(0, 60))],
    ['behind the head', Buffer.from(handshake('/plain'))],
    ['in the head of a frame', Buffer.concat([Buffer.from(handshake('/plain')), message.subarray(0, 1)])],
    ['in a frame', Buffer.concat([Buffer.from(handshake('/plain')), message.subarray(0, 8)])],
    ['between fragments', Buffer.concat([Buffer.from(handshake('/plain')), frame('text', 'a', { fin: false })])],
    ['behind a message', Buffer.concat([Buffer.from(handshake('/plain')), message])],
    ['behind nonsense', Buffer.concat([Buffer.from(handshake('/plain')), Buffer.alloc(5000, 0xff)])],
    ['behind nonsense in place of a head', Buffer.alloc(5000, 0x7f)],
    ['behind a TLS greeting', Buffer.from('16030100a5010000a10303', 'hex')],
  ]
  for (const how of ['reset', 'end'] as const) {
    for (const [where, bytes] of steps) {
      test(`leaves nothing behind, ${where} (${how})`, async t => {
        const { port, app, log } = await serve(t, [Plain])
        const before = activeHandles()
        for (let round = 0; round < 5; round++) {
          const peer = await RawPeer.connect(port)
          await peer.write(bytes)
          if (round % 2 === 0) await turn()
          peer[how]()
          await peer.closed
        }
        const answer = await rawRequest(port, 'GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        assert.match(answer, /^HTTP\/1\.1 404 /, 'the server lives')
        await noHandlesLeft(before)
        await eventually('no connection is left', () => app.connections === 0)
        assert.deepEqual(log.errors, [])
      })
    }
  }
})

describe('permessage-deflate (RFC 7692)', () => {
  @Registry('room')
  class Room extends ConnectionRegistry<{ said: string }> {}

  @WebSocket('/room', { perMessageDeflate: true })
  class Member {
    constructor(private readonly room: Room) {}
    async open(socket: Socket) {
      await this.room.join(socket, 'room')
    }
    message(message: string) {
      return [message, `${message}!`]
    }
    ping() {
      return 'pinged'
    }
  }

  test('messages are inflated and deflated, the small ones sent as they are', async t => {
    const { port } = await serve(t, [Deflating])
    const peer = await WebSocketPeer.open(port, '/deflate', { fields: deflate })
    const long = 'deflate me '.repeat(1000)
    for (const [text, rsv] of [
      ['short', 0],
      [long, 4],
      ['', 0],
    ] as const) {
      await peer.send('text', text === '' ? Buffer.from([0]) : compress(text), RSV1)
      const heard = await peer.read()
      assert.equal(heard.rsv, rsv)
      assert.equal((rsv === 0 ? heard.payload : inflate(heard.payload)).toString(), text)
      await peer.send('text', text)
      const again = await peer.read()
      assert.equal((again.rsv === 0 ? again.payload : inflate(again.payload)).toString(), text)
    }
    peer.raw.destroy()
  })

  test('the order of long and short messages, of broadcasts and of pongs is kept', async t => {
    const { port, app } = await serve(t, [Member], { providers: [Room] })
    const client = new Client(`ws://127.0.0.1:${port}/room`, { perMessageDeflate: true })
    t.after(() => client.terminate())
    const heard: string[] = []
    client.on('message', data => heard.push(String(data)))
    await once(client, 'open')
    assert.match(client.extensions, /permessage-deflate/)
    await eventually('it has joined', () => heard.length === 1)
    const texts = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(index % 3 === 0 ? 2000 : 1))
    for (const text of texts) client.send(text)
    await eventually('all are echoed', () => heard.length === 101)
    assert.deepEqual(
      heard.splice(0).slice(1),
      texts.flatMap(text => [text, `${text}!`]),
    )
    const room = app.get(Room)
    for (const text of texts) await room.to('room').send('said', text)
    await eventually('all are told', () => heard.length === 50)
    assert.deepEqual(
      heard.map(each => JSON.parse(each).data),
      texts,
    )
  })

  test('send waits for a slow peer, and closing waits for what is being deflated', async t => {
    @WebSocket('/big', { perMessageDeflate: true, sendLimit: 50_000_000 })
    class Big {
      async open(socket: Socket) {
        for (let index = 0; index < 20; index++) void socket.send(Buffer.alloc(100_000, index))
        socket.close({ code: 4000 })
      }
    }
    const { port } = await serve(t, [Big])
    const client = new Client(`ws://127.0.0.1:${port}/big`, { perMessageDeflate: true })
    const heard: number[] = []
    client.on('message', (data: Buffer) => heard.push(data[0] ?? -1))
    const [code] = await once(client, 'close')
    assert.equal(code, 4000)
    assert.deepEqual(heard, [...Array(20).keys()])
  })
})
