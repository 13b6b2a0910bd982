/** The balancer of the example of a cluster, before applications of Palomino's. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Application, bootstrap, MemoryEventLog } from 'palomino'
import { Balancer } from '../../examples/cluster/balancer.js'
import { ClusterNode } from '../../examples/cluster/node.js'
import { LogBook } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'

async function balance(t: TestContext): Promise<Balancer> {
  const balancer = await Balancer.listen({ every: 5000 })
  t.after(() => balancer.close())
  return balancer
}

async function startNode(t: TestContext): Promise<Application> {
  const eventLog = (_: string, retention: ConstructorParameters<typeof MemoryEventLog>[0]) =>
    new MemoryEventLog(retention)
  const options = { port: 0, host: '127.0.0.1', signals: false, logger: new LogBook(), health: true }
  const app = await bootstrap(ClusterNode, { ...options, eventLog })
  t.after(() => app.close({ deadline: 0 }))
  return app
}

/** A node that says that it is ready, and hands over its other connections. */
async function openPlain(t: TestContext): Promise<{ server: Server; port: number; sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    socket.once('data', chunk => {
      if (chunk.toString().startsWith('GET /ready')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      else sockets.push(socket)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { server, port: (server.address() as { port: number }).port, sockets }
}

test('connections go to the node that has the fewest, among those that are ready', async t => {
  const balancer = await balance(t)
  const nodes = [await startNode(t), await startNode(t)]
  for (const [index, { port }] of nodes.entries()) await balancer.add(`n${index}`, port)
  assert.deepEqual(
    balancer.nodes.map(({ ready }) => ready),
    [true, true],
  )
  for (let n = 0; n < 6; n++) await StreamPeer.open(balancer.port, '/rooms/a/events')
  await SocketPeer.open(balancer.port, '/rooms/a/socket')
  await SocketPeer.open(balancer.port, '/rooms/a/socket')
  assert.deepEqual(
    balancer.nodes.map(({ connections }) => connections),
    [4, 4],
  )
  assert.deepEqual(
    nodes.map(app => app.connections),
    [4, 4],
  )
})

test('a node that drains is given none, keeps what it has until it says goodbye, and those come back to another', async t => {
  const balancer = await balance(t)
  const [going, staying] = [await startNode(t), await startNode(t)]
  await balancer.add('going', going.port)
  const peer = await SocketPeer.open(balancer.port, '/rooms/a/socket')
  await balancer.add('staying', staying.port)
  const closed = going.close({ drainDelay: 2500 })
  await balancer.ask()
  assert.deepEqual(
    balancer.nodes.map(({ ready }) => ready),
    [false, true],
  )
  assert.equal(peer.ws.readyState, peer.ws.OPEN)
  for (let n = 0; n < 3; n++) await StreamPeer.open(balancer.port, '/rooms/a/events')
  assert.deepEqual([going.connections, staying.connections], [1, 3])
  assert.equal((await peer.closed).code, 1012)
  await closed
  await SocketPeer.open(balancer.port, '/rooms/a/socket')
  assert.equal(staying.connections, 4)
})

test('a connection that a node refuses goes to the next, and one that all refuse is reset', async t => {
  const balancer = await balance(t)
  const [gone, here] = [await startNode(t), await startNode(t)]
  await balancer.add('gone', gone.port)
  await balancer.add('here', here.port)
  await gone.close()
  assert.equal(balancer.nodes[0]?.ready, true)
  const answer = await send(balancer.port, 'POST /rooms/a', { body: { text: 'hello' } })
  assert.equal(answer.status, 200)
  assert.equal(balancer.nodes[0]?.ready, false)
  await here.close()
  assert.equal(await (await RawPeer.connect(balancer.port)).closed, 'reset')
})

test('it passes on that one half has ended, what is said behind that, and that a connection was cut', async t => {
  const balancer = await balance(t)
  const { port, sockets } = await openPlain(t)
  await balancer.add('plain', port)
  const peer = await RawPeer.connect(balancer.port)
  await peer.write('hello')
  const node = await eventually('it is there', () => sockets[0])
  node.write('before')
  await peer.readUntil('before')
  node.end('last words')
  await peer.readUntil('last words')
  assert.equal(await peer.closed, 'end')
  await eventually('nothing is left', () => balancer.nodes[0]?.connections === 0)
  const cut = await RawPeer.connect(balancer.port)
  await cut.write('hello')
  const second = await eventually('it is there', () => sockets[1])
  second.resetAndDestroy()
  assert.equal(await cut.closed, 'reset')
})
