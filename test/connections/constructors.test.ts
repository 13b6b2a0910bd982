/** What a constructor does to the connection that it is given, before anything was answered. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type CloseReason,
  type Connection,
  ConnectionRegistry,
  EventStream,
  Injectable,
  Registry,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { rawRequest } from '../support/raw-peer.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

@Injectable()
class Ending {
  readonly ran: string[] = []
  end: (connection: Connection) => void = () => {}
}

@Sse('/stream')
class Stream {
  constructor(
    private readonly ending: Ending,
    stream: EventStream,
  ) {
    ending.end(stream)
  }
  open() {
    this.ending.ran.push('open')
  }
  close({ kind }: CloseReason) {
    this.ending.ran.push(kind)
  }
}

@WebSocket('/socket')
class Chat {
  constructor(
    private readonly ending: Ending,
    socket: Socket,
  ) {
    ending.end(socket)
  }
  open() {
    this.ending.ran.push('open')
  }
  close({ kind }: CloseReason) {
    this.ending.ran.push(kind)
  }
}

const GET = 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n'

describe('a constructor that ends its connection: nothing opens, and the peer is told as the table of reasons says', () => {
  const close = (connection: Connection) => connection.close()
  const link = (connection: Connection) => connection.link(AbortSignal.abort('over'))

  test('stream: a head and the final chunk, or a cut', async t => {
    const { app, port, log } = await serve(t, [Stream], { providers: [Ending] })
    const ending = app.get(Ending)
    ending.end = close
    assert.match(await rawRequest(port, GET), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n0\r\n\r\n$/)
    ending.end = link
    assert.equal(await rawRequest(port, GET), '')
    assert.deepEqual([ending.ran, app.connections, log.errors], [[], 0, []])
  })

  test('socket: its close code', async t => {
    const { app, port, log } = await serve(t, [Chat], { providers: [Ending] })
    const ending = app.get(Ending)
    for (const [end, code] of [[close, 1000] as const, [link, 1011] as const]) {
      ending.end = end
      const peer = await WebSocketPeer.open(port, '/socket')
      assert.equal((await peer.agree()).code, code)
    }
    assert.deepEqual([ending.ran, app.connections, log.errors], [[], 0, []])
  })
})

@Registry('rooms')
class Rooms extends ConnectionRegistry {}

@WebSocket('/eager')
class Eager {
  constructor(rooms: Rooms, ending: Ending, socket: Socket) {
    rooms.join(socket, 'all')
    socket.signal.addEventListener('abort', () => ending.ran.push('aborted'))
    ending.end(socket)
  }
  message() {}
}

test('what a constructor began ends with a handshake that is refused behind it', async t => {
  const { app, port } = await serve(t, [Eager], { providers: [Ending, Rooms] })
  const ending = app.get(Ending)
  assert.match(await rawRequest(port, handshake('/eager', { 'Sec-WebSocket-Protocol': 'a,,b' })), /^HTTP\/1\.1 400 /)
  ending.end = () => {
    throw new Error('no')
  }
  assert.match(await rawRequest(port, handshake('/eager')), /^HTTP\/1\.1 500 /)
  await eventually('the end of both', () => ending.ran.length === 2)
  assert.equal(app.get(Rooms).size, 0)
})
