/** Two applications on one server, with peers of both kinds on each. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Application,
  bootstrap,
  ConnectionRegistry,
  EventLogUnavailableError,
  EventStream,
  Module,
  type OpenEventLog,
  Registry,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import type { LogKind } from '../support/log-kinds.js'
import { Peer } from '../support/wandering-peer.js'

@Registry('ticks', { history: { count: 5000, bytes: 10_000_000 } })
class Ticks extends ConnectionRegistry<{ tick: number | string }> {}

@Sse('/:room')
class Stream {
  constructor(
    private readonly ticks: Ticks,
    private readonly stream: EventStream<'room'>,
  ) {}
  open() {
    return this.ticks.join(this.stream, this.stream.params.room)
  }
  info(message: unknown) {
    return { event: 'told', data: JSON.stringify(message) }
  }
}

@WebSocket('/:room', { heartbeat: 0 })
class Member {
  constructor(
    private readonly ticks: Ticks,
    private readonly socket: Socket<'room'>,
  ) {}
  open() {
    return this.ticks.join(this.socket, this.socket.params.room)
  }
  info(message: unknown) {
    return { event: 'told', data: message }
  }
}

@Module({ controllers: [Stream, Member], providers: [Ticks] })
class App {}

interface Started {
  readonly app: Application
  readonly ticks: Ticks
  readonly book: LogBook
}

async function startNode(t: TestContext, eventLog: OpenEventLog): Promise<Started> {
  const book = new LogBook()
  const options = { port: 0, host: '127.0.0.1', signals: false, logger: book }
  const app = await bootstrap(App, { ...options, eventLog })
  t.after(() => app.close({ deadline: 0 }))
  return { app, ticks: app.get(Ticks), book }
}

async function openPeers(t: TestContext, nodes: readonly Started[], room: string): Promise<Peer[]> {
  const peers = nodes.flatMap(node =>
    (['stream', 'socket'] as const).map(kind => {
      const peer = new Peer(kind, room)
      peer.connect(node.app.port)
      t.after(() => peer.leave())
      return peer
    }),
  )
  await eventually('all have a place', () => peers.every(peer => peer.lastId !== ''))
  return peers
}

export function testNodes(kind: LogKind): void {
  kind.test('what any node sends reaches the peers of all, in one order', async t => {
    const { port } = await kind.start(t)
    const nodes = [await startNode(t, kind.log(port)), await startNode(t, kind.log(port))]
    const peers = await openPeers(t, nodes, 'a')
    const send = (node: Started, name: string) =>
      Promise.all(Array.from({ length: 100 }, (_, n) => node.ticks.to('a').send('tick', `${name}${n}`)))
    await Promise.all(nodes.map((node, of) => send(node, 'xy'[of] ?? '')))
    await eventually('all have heard all', () => peers.every(peer => peer.ticks.length === 200))
    for (const peer of peers) assert.deepEqual(peer.ticks, peers[0]?.ticks)
    assert.deepEqual(
      nodes.flatMap(node => node.book.messages),
      [],
    )
  })

  kind.test('except, tell and disconnect work across nodes', async t => {
    const { port } = await kind.start(t)
    const [one, two] = [await startNode(t, kind.log(port)), await startNode(t, kind.log(port))]
    const peers = await openPeers(t, [one, two], 'a')
    const [stream, , , far] = peers as [Peer, Peer, Peer, Peer]
    const near = one.ticks.members('a')
    const mine = near.find(connection => connection instanceof EventStream)
    const farthest = two.ticks.members('a').find(connection => connection instanceof Socket)
    assert.ok(mine !== undefined && farthest !== undefined)
    await one.ticks.to('a').except(mine).send('tick', 1)
    await one.ticks.to('a').except(farthest).send('tick', 2)
    await one.ticks.to('a').volatile().send('tick', 3)
    await two.ticks.broadcast('tick', 4)
    await eventually('all have heard the last', () => peers.every(peer => peer.ticks.at(-1) === 4))
    assert.deepEqual(
      peers.map(peer => peer.ticks),
      [
        [2, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 3, 4],
      ],
    )
    await one.ticks.tell('a', { to: 'all' })
    await one.ticks.tell(farthest.id, { to: 'one' })
    await one.ticks.tell('a', { to: 'all again' })
    await eventually('all were told', () => peers.every(peer => JSON.stringify(peer.told.at(-1))?.includes('again')))
    assert.deepEqual(
      peers.map(peer => peer.told.length),
      [2, 2, 2, 3],
    )
    await one.ticks.disconnect(farthest.id, { code: 4001 })
    await eventually('it is gone', () => far.closed === 4001)
    await two.ticks.disconnect(mine.id)
    await eventually('the stream is gone', () => stream.closed !== undefined)
    assert.equal(one.ticks.count('a') + two.ticks.count('a'), 2)
    await two.ticks.disconnect('a')
    await eventually('all are gone', () => one.ticks.size + two.ticks.size === 0)
  })

  kind.test(
    `peers that wander between nodes see each event once, in order, while connections to ${kind.name} are cut, and it is killed`,
    async t => {
      const server = await kind.start(t, 'lasting')
      const wire = await CuttableWire.to(server.port)
      t.after(() => wire.close())
      const nodes = [await startNode(t, kind.log(wire.port)), await startNode(t, kind.log(server.port))]
      const peers = [...(await openPeers(t, nodes, 'a')), ...(await openPeers(t, nodes, 'a'))]
      const last = 600
      let cuts = 0
      for (let n = 0; n <= last; n++) {
        await nodes[n % 2]?.ticks.to('a').send('tick', n)
        if (n % 4 === 0) await sleep(1)
        const wanderer = n % 5 === 0 ? peers[(n / 5) % peers.length] : undefined
        wanderer?.leave()
        wanderer?.connect((nodes[Math.floor(n / 40) % 2] as Started).app.port)
        if (n % 100 === 50) {
          cuts++
          wire.cut()
          setTimeout(() => wire.mend(), 30)
        }
        if (n % 300 === 199) {
          await server.stop()
          await server.run()
        }
      }
      const expected = Array.from({ length: last + 1 }, (_, n) => n)
      await eventually('all have heard the last', () => peers.every(peer => peer.ticks.at(-1) === last), {
        timeout: 15_000,
      })
      for (const peer of peers) assert.deepEqual(peer.ticks, expected)
      assert.deepEqual(
        peers.flatMap(peer => peer.others),
        [],
      )
      assert.equal(cuts, 6)
    },
  )

  for (const data of ['no data', 'old data'] as const) {
    kind.test(
      `a ${kind.name} that comes back with ${data} is one gap to each peer, which is whole from there`,
      async t => {
        const server = await kind.start(t)
        const nodes = [await startNode(t, kind.log(server.port)), await startNode(t, kind.log(server.port))]
        const peers = await openPeers(t, nodes, 'a')
        const send = async (from: number, to: number) => {
          for (let n = from; n < to; n++) await nodes[n % 2]?.ticks.to('a').send('tick', n)
        }
        await send(0, 5)
        if (data === 'old data') await server.dump()
        await send(5, 10)
        await eventually('all have heard', () => peers.every(peer => peer.ticks.length === 10))
        await server.stop()
        const sending = send(10, 30)
        await (data === 'old data' ? server.rollBack() : server.runEmpty())
        await sending
        await eventually('all have heard the last', () => peers.every(peer => peer.ticks.at(-1) === 29))
        for (const peer of peers) {
          assert.deepEqual(peer.others, ['gap'])
          assert.deepEqual(
            peer.ticks,
            Array.from({ length: 30 }, (_, n) => n),
          )
        }
      },
    )
  }

  kind.test(`an application whose ${kind.name} cannot be had does not start, and leaves nothing behind`, async t => {
    const server = await kind.start(t)
    await server.stop()
    const before = activeHandles()
    const options = { port: 0, host: '127.0.0.1', signals: false, logger: new LogBook() }
    const eventLog = kind.log(server.port, { patience: 100 })
    await assert.rejects(bootstrap(App, { ...options, eventLog }), EventLogUnavailableError)
    await noHandlesLeft(before)
  })
}
