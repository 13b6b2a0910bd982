/** What is done for each of very many real connections is done a slice at a time: others have their turn, and order holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Connection,
  ConnectionRegistry,
  type EventStream,
  type Middleware,
  type PresenceEvent,
  Registry,
  type Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { turn } from '../support/registry-peers.js'
import { WatchingPeer } from '../support/watching-peer.js'

const MANY = 200
/** Milliseconds that are spent on each of them, and how many a turn has time for. */
const EACH = 0.2
const AT_ONCE = 32

function beBusy(): void {
  for (const until = performance.now() + EACH; performance.now() < until; );
}

/** Writing takes its time. */
const slowWrites: Middleware = (_request, response, next) => {
  const write = response.write
  response.write = (...args: unknown[]) => {
    beBusy()
    return (write as (...args: unknown[]) => boolean).apply(response, args)
  }
  next()
}

/** How many were done in each turn, until all were. */
async function perTurn(done: () => number, all: number): Promise<number[]> {
  const steps: number[] = []
  for (let before = done(); before < all; ) {
    await turn()
    const now = done()
    if (now > before) steps.push(now - before)
    before = now
  }
  return steps
}

@Registry('watched')
class Watched extends ConnectionRegistry {}

@Sse('/watch')
class Watching {
  constructor(private readonly watched: Watched) {}
  open(stream: EventStream) {
    return this.watched.join(stream, 'all', { watch: true })
  }
}

const users: Connection[] = []

@Sse('/user')
class User {
  open(stream: EventStream) {
    users.push(stream)
  }
}

test('very many who watch are told of a change over several turns, and of the next one behind it', async t => {
  const options = { providers: [Watched], use: [slowWrites] }
  const { app, port } = await serve(t, [Watching, User], options)
  const watched = app.get(Watched)
  const peers = await Promise.all(Array.from({ length: MANY }, () => StreamPeer.open(port, '/watch')))
  for (const _ of ['ada', 'bob']) await StreamPeer.open(port, '/user')
  const queues = watched.members('all').map(({ queue }) => queue)
  const written = () => queues.reduce((sum, { writes }) => sum + writes, 0)
  const heard = (count: number) => () => peers.every(peer => peer.read().data.length === count)
  await eventually('all know who is there', heard(1))
  const before = written()
  const told = () => written() - before
  const [ada, bob] = users as [Connection, Connection]
  await watched.join(ada, 'all', { user: 'ada' })
  while (told() === 0) await turn()
  assert.ok(told() < MANY, 'not all at once')
  await watched.join(bob, 'all', { user: 'bob' })
  watched.leave(ada)
  const steps = await perTurn(told, 2 * MANY)
  assert.ok(Math.max(...steps) <= AT_ONCE, `${steps}`)
  await eventually('all know of both changes', heard(3))
  for (const peer of peers) {
    const watching = new WatchingPeer()
    for (const data of peer.read().data) watching.take(JSON.parse(data) as PresenceEvent)
    assert.deepEqual(watching.seen, ['all: ', 'joined: ada', 'joined: bob', 'left: ada'])
  }
})

let closed = 0

class Closing {
  open(_connection: EventStream | Socket) {
    return { event: 'here', data: 1 }
  }
  close() {
    beBusy()
    closed++
  }
}

@Sse('/stream')
class Stream extends Closing {}

@WebSocket('/socket')
class Talk extends Closing {}

for (const deadline of [10_000, 0]) {
  test(`very many are ended over several turns when the application goes (deadline ${deadline})`, async t => {
    closed = 0
    const { app, port } = await serve(t, [Stream, Talk])
    const half = Array.from({ length: MANY / 2 })
    const streams = await Promise.all(half.map(() => StreamPeer.open(port, '/stream')))
    const sockets = await Promise.all(half.map(() => SocketPeer.open(port, '/socket')))
    await eventually('all are open', () => app.connections === MANY)
    const closing = app.close({ deadline })
    const steps = await perTurn(() => closed, MANY)
    const sides = deadline === 0 ? 2 : 1 // at the deadline what is left is cut while others are still drained
    assert.ok(Math.max(...steps) <= sides * AT_ONCE, `${steps}`)
    await closing
    if (deadline === 0) return
    for (const stream of streams) assert.ok((await stream.end()).whole)
    for (const socket of sockets) assert.equal((await socket.closed).code, 1012)
  })
}
