/** Every row of the table of close reasons, caused for real, on both transports where it applies. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ConnectionRegistry, notFound, Registry, Sse, WebSocket } from '../../src/index.js'
import { type Actor, type Script, SocketActor, Stage, StreamActor } from '../support/actors.js'
import { type Served, start } from '../support/app.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'

@Registry('everybody', { history: false })
class Everybody extends ConnectionRegistry {}

@Sse('/stream/:name', { sendLimit: 65_536 })
class Streams extends StreamActor {}
@WebSocket('/socket/:name', { sendLimit: 65_536, maxPayload: 100 })
class Sockets extends SocketActor {}
@Sse('/idle/stream/:name', { idleTimeout: 100, keepAlive: 20 })
class IdleStreams extends StreamActor {}
@WebSocket('/idle/socket/:name', { idleTimeout: 100, heartbeat: 20 })
class IdleSockets extends SocketActor {}
@WebSocket('/beating/:name', { heartbeat: 100 })
class BeatingSockets extends SocketActor {}

const controllers = [Streams, Sockets, IdleStreams, IdleSockets, BeatingSockets]
const providers = [Stage, Everybody]

let served: Served
let stage: Stage
before(async () => {
  served = await start(controllers, { providers })
  stage = served.app.get(Stage)
})
after(async () => {
  await served.app.close()
  for (const actor of stage.actors) assert.equal(actor.reasons.length, 1, actor.name)
})

let names = 0

async function openStream(path = '/stream', script: Script = {}): Promise<{ peer: StreamPeer; actor: Actor }> {
  const name = `n${++names}`
  stage.scripts.set(name, script)
  const peer = await StreamPeer.open(served.port, `${path}/${name}`)
  return { peer, actor: await stage.actor(name) }
}

async function openSocket(path = '/socket', script: Script = {}): Promise<{ peer: SocketPeer; actor: Actor }> {
  const name = `n${++names}`
  stage.scripts.set(name, script)
  const peer = await SocketPeer.open(served.port, `${path}/${name}`)
  return { peer, actor: await stage.actor(name) }
}

/** Bytes past the WebSocket implementation of a peer. */
function writeRaw(peer: SocketPeer, bytes: readonly number[]): void {
  ;(peer.ws as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.from(bytes))
}

/** A masked frame, its mask being zero. */
function masked(head: number, payload: readonly number[]): number[] {
  return [head, 0x80 | payload.length, 0, 0, 0, 0, ...payload]
}

describe('the peer closed: peer', () => {
  test('P29: B20: a peer that goes away ends its stream: close is called, and what is linked to it aborts', async () => {
    const { peer, actor } = await openStream()
    const { signal } = actor.connection
    peer.raw.destroy()
    assert.deepEqual(await actor.ended(), { kind: 'peer' })
    assert.equal(signal.aborted, true)
    assert.deepEqual(signal.reason, { kind: 'peer' })
  })

  test('P34: a peer that said something during the stream, and then closed, is noticed as well', async () => {
    const { peer, actor } = await openStream()
    await peer.raw.write('\r\n')
    await actor.connection.send('still here')
    await peer.hears('data: still here\n\n')
    peer.raw.end()
    assert.deepEqual(await actor.ended(), { kind: 'peer' })
  })

  test('B29: a socket learns the code and the text of its peer, who gets the code back', async () => {
    const { peer, actor } = await openSocket()
    peer.ws.close(4321, 'bye')
    assert.deepEqual(await peer.closed, { code: 4321, text: 'bye' })
    assert.deepEqual(await actor.ended(), { kind: 'peer', code: 4321, text: 'bye' })
  })

  test('B29: a close frame without a code is answered with none', async () => {
    const { peer, actor } = await openSocket()
    peer.ws.close()
    assert.deepEqual(await peer.closed, { code: 1005, text: '' })
    assert.deepEqual(await actor.ended(), { kind: 'peer' })
  })
})

describe('the peer vanished: lost', () => {
  test('stream: a reset', async () => {
    const { peer, actor } = await openStream()
    peer.raw.reset()
    assert.deepEqual(await actor.ended(), { kind: 'lost' })
  })

  test('B29: socket: a reset', async () => {
    const { peer, actor } = await openSocket()
    peer.reset()
    assert.deepEqual(await actor.ended(), { kind: 'lost' })
  })

  test('B29: socket: a FIN without a close frame', async () => {
    const { peer, actor } = await openSocket()
    peer.ws.terminate()
    assert.deepEqual(await actor.ended(), { kind: 'lost' })
  })

  test('socket: no pong, and then nothing is sent any more: 1006', async () => {
    const { peer, actor } = await openSocket('/beating')
    peer.ws.pause()
    assert.deepEqual(await actor.ended(), { kind: 'lost' })
    peer.ws.resume()
    assert.deepEqual(await peer.closed, { code: 1006, text: '' })
  })
})

describe('the application ended it: stopped', () => {
  test('B17: P30: stream: what was sent before, then the final chunk; the reason says that it was the server', async () => {
    const { peer, actor } = await openStream()
    actor.connection.send('last')
    actor.connection.close()
    actor.connection.close()
    const { data, whole } = await peer.end()
    assert.deepEqual({ data, whole }, { data: ['last'], whole: true })
    assert.deepEqual(await actor.ended(), { kind: 'stopped' })
  })

  test('socket: 1000, or the code given', async () => {
    const plain = await openSocket()
    plain.actor.connection.close()
    assert.deepEqual(await plain.peer.closed, { code: 1000, text: '' })
    assert.deepEqual(await plain.actor.ended(), { kind: 'stopped' })
    const coded = await openSocket()
    coded.actor.connection.send('last')
    coded.actor.connection.close({ code: 3001, text: 'moved' })
    assert.deepEqual(await coded.peer.closed, { code: 3001, text: 'moved' })
    assert.deepEqual(coded.peer.messages, ['last'])
    assert.deepEqual(await coded.actor.ended(), { kind: 'stopped', code: 3001, text: 'moved' })
  })

  test('a code that may not be sent is refused where it is given, and the connection goes on', async () => {
    const { peer, actor } = await openSocket()
    for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000])
      assert.throws(() => actor.connection.close({ code }), RangeError)
    assert.throws(() => actor.connection.close({ text: 'ü'.repeat(62) }), RangeError)
    assert.equal(actor.connection.closed, false)
    peer.ws.close()
    await actor.ended()
  })
})

describe('nothing happened for as long as the route allows: idle', () => {
  test('stream: the final chunk, and keep-alives count for nothing', async () => {
    const { peer, actor } = await openStream('/idle/stream')
    const { text, whole } = await peer.end()
    assert.equal(whole, true)
    assert.match(text, /^(:.*\n\n)*$/)
    assert.deepEqual(await actor.ended(), { kind: 'idle' })
  })

  test('B29: socket: 1000, and pongs count for nothing', async () => {
    const { peer, actor } = await openSocket('/idle/socket')
    assert.deepEqual(await peer.closed, { code: 1000, text: '' })
    assert.deepEqual(await actor.ended(), { kind: 'idle' })
  })
})

describe('the peer broke the protocol: protocol', () => {
  const breaches: [string, number, readonly number[]][] = [
    ['an unmasked frame', 1002, [0x81, 1, 0x61]],
    ['a reserved bit', 1002, masked(0xf1, [0x61])],
    ['bad UTF-8', 1007, masked(0x81, [0xc3, 0x28])],
    ['a message over the limit', 1009, masked(0x81, Array(101).fill(0x61))],
  ]
  for (const [what, code, bytes] of breaches) {
    test(`B29: socket: ${what} is closed with ${code}`, async () => {
      const { peer, actor } = await openSocket()
      writeRaw(peer, bytes)
      assert.equal((await peer.closed).code, code)
      assert.deepEqual(await actor.ended(), { kind: 'protocol', code })
    })
  }
})

describe('a handler failed: failed', () => {
  const error = new Error('a handler failed')
  const script = {
    info() {
      throw error
    },
  }

  test('B22: stream: cut without the final chunk, so that the peer knows', async () => {
    const { peer, actor } = await openStream('/stream', script)
    actor.connection.tell('go')
    const { events, whole } = await peer.end()
    assert.deepEqual({ events, whole }, { events: ['error'], whole: false })
    assert.deepEqual(await actor.ended(), { kind: 'failed', error })
  })

  test('P47: B24: socket: a close frame with 1011, which says nothing of the error', async () => {
    const { peer, actor } = await openSocket('/socket', script)
    actor.connection.tell('go')
    assert.deepEqual(await peer.closed, { code: 1011, text: '' })
    assert.deepEqual(await actor.ended(), { kind: 'failed', error })
  })
})

describe('a handler failed with an HttpError, which says what the peer may know: failed', () => {
  const refuse = (detail?: string) => ({
    info() {
      throw notFound(detail)
    },
  })

  test('stream: its kind, without detail', async () => {
    const { peer, actor } = await openStream('/stream', refuse('no room a'))
    actor.connection.tell('go')
    const { text, whole } = await peer.end()
    assert.deepEqual(
      { text, whole },
      { text: 'event: error\ndata: {"title":"Not Found","status":404}\n\n', whole: false },
    )
    assert.equal((await actor.ended()).kind, 'failed')
  })

  for (const [detail, text] of [
    ['no room a', 'no room a'],
    [undefined, 'Not Found'],
    [`a${'é'.repeat(100)}`, `a${'é'.repeat(61)}`],
  ] as const) {
    test(`socket: a close frame with 1011 and its detail: ${text}`, async () => {
      const { peer, actor } = await openSocket('/socket', refuse(detail))
      actor.connection.tell('go')
      assert.deepEqual(await peer.closed, { code: 1011, text })
      assert.equal((await actor.ended()).kind, 'failed')
    })
  }

  test('socket: so does a refusal by open, which is no failure to log', async () => {
    const logged = served.log.errors.length
    const { peer, actor } = await openSocket('/socket', { open: () => Promise.reject(notFound('no room a')) })
    assert.deepEqual(await peer.closed, { code: 1011, text: 'no room a' })
    assert.equal((await actor.ended()).kind, 'failed')
    assert.equal(served.log.errors.length, logged)
  })
})

describe('a queue was full: overflow', () => {
  const flood = async ({ connection }: Actor) => {
    while (!connection.closed) {
      void connection.send('x'.repeat(30_000))
      await new Promise(setImmediate)
    }
  }

  test('stream: cut', async () => {
    const { peer, actor } = await openStream()
    peer.raw.pause()
    await flood(actor)
    peer.raw.resume()
    assert.equal((await peer.end()).whole, false)
    assert.deepEqual(await actor.ended(), { kind: 'overflow' })
  })

  test('socket: 1013', async () => {
    const { peer, actor } = await openSocket()
    peer.ws.pause()
    await flood(actor)
    peer.ws.resume()
    assert.deepEqual(await peer.closed, { code: 1013, text: '' })
    assert.deepEqual(await actor.ended(), { kind: 'overflow' })
  })

  test('1,024 messages from inside wait for a busy handler; one more ends the connection', async () => {
    const release: (() => void)[] = []
    const busy = { info: () => new Promise<void>(resolve => release.push(resolve)) }
    const { peer, actor } = await openSocket('/socket', busy)
    for (let count = 0; count < 1025; count++) assert.equal(actor.connection.tell(count), true)
    assert.equal(actor.connection.tell('one too many'), false)
    for (const resolve of release) resolve()
    assert.deepEqual(await peer.closed, { code: 1013, text: '' })
    assert.deepEqual(await actor.ended(), { kind: 'overflow' })
    assert.deepEqual(actor.heard, [0])
  })
})

describe('registry.disconnect: disconnected', () => {
  test('a room: 1008 for sockets, the final chunk for streams', async () => {
    const registry = served.app.get(Everybody)
    const join = { open: (actor: Actor) => registry.join(actor.connection, 'room') }
    const socket = await openSocket('/socket', join)
    const stream = await openStream('/stream', join)
    await registry.disconnect('room')
    assert.deepEqual(await socket.peer.closed, { code: 1008, text: '' })
    assert.equal((await stream.peer.end()).whole, true)
    assert.deepEqual(await socket.actor.ended(), { kind: 'disconnected' })
    assert.deepEqual(await stream.actor.ended(), { kind: 'disconnected' })
    assert.equal(registry.size, 0)
  })

  test('one connection by its id, with a code and a text', async () => {
    const registry = served.app.get(Everybody)
    const join = { open: (actor: Actor) => registry.join(actor.connection, 'room') }
    const one = await openSocket('/socket', join)
    const other = await openSocket('/socket', join)
    await registry.disconnect(one.actor.connection.id, { code: 4100, text: 'again' })
    assert.deepEqual(await one.peer.closed, { code: 4100, text: 'again' })
    assert.deepEqual(await one.actor.ended(), { kind: 'disconnected', code: 4100, text: 'again' })
    assert.equal(other.actor.connection.closed, false)
    other.peer.ws.close()
    await other.actor.ended()
  })
})

describe('a signal that it was linked to aborted: linked', () => {
  test('P32: stream: cut without the final chunk, so that the peer comes back', async () => {
    const manager = new AbortController()
    const { peer, actor } = await openStream('/stream', { open: ({ connection }) => connection.link(manager.signal) })
    const cause = new Error('the manager failed')
    manager.abort(cause)
    assert.equal((await peer.end()).whole, false)
    assert.deepEqual(await actor.ended(), { kind: 'linked', cause })
  })

  test('B28: socket: by the same rule, 1011', async () => {
    const manager = new AbortController()
    const { peer, actor } = await openSocket('/socket', { open: ({ connection }) => connection.link(manager.signal) })
    manager.abort('gone')
    assert.deepEqual(await peer.closed, { code: 1011, text: '' })
    assert.deepEqual(await actor.ended(), { kind: 'linked', cause: 'gone' })
  })
})

describe('the server is draining: drain', () => {
  test('stream: retry, then the final chunk; socket: 1012', async () => {
    const own = await start(controllers, { providers })
    const ownStage = own.app.get(Stage)
    const stream = await StreamPeer.open(own.port, '/stream/one')
    const socket = await SocketPeer.open(own.port, '/socket/two')
    await own.app.close()
    const { text, whole } = await stream.end()
    assert.match(text, /^retry: \d+\n\n$/)
    assert.equal(whole, true)
    assert.deepEqual(await socket.closed, { code: 1012, text: '' })
    for (const actor of ownStage.actors) assert.deepEqual(await actor.ended(), { kind: 'drain' })
  })
})

test('P31: P35: B16: only failures are logged: an ended connection is nothing unusual', () => {
  assert.deepEqual(
    served.log.messages.filter(message => !/^(Streams|Sockets) failed$/.test(message)),
    [],
  )
  assert.equal(served.log.errors.length, 6)
})
