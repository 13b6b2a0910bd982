/** Two applications on one NATS, with peers of both kinds on each. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createParser } from 'eventsource-parser'
import { WebSocket as Client } from 'ws'
import {
  type Application,
  bootstrap,
  ConnectionRegistry,
  EventLogUnavailableError,
  EventStream,
  Module,
  Registry,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { natsEventLog } from '../../src/logs/nats.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { NatsServer, natsTest } from '../support/nats-server.js'

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

async function startNode(t: TestContext, url: string): Promise<Started> {
  const book = new LogBook()
  const options = { port: 0, host: '127.0.0.1', signals: false, logger: book }
  const app = await bootstrap(App, { ...options, eventLog: natsEventLog({ servers: url, patience: 15_000 }) })
  t.after(() => app.close({ deadline: 0 }))
  return { app, ticks: app.get(Ticks), book }
}

/** Keeps what it hears, and remembers its last id, wherever it is. */
class Peer {
  readonly ticks: unknown[] = []
  readonly told: unknown[] = []
  readonly others: string[] = []
  closed: number | undefined
  lastId = ''
  #end = () => {}

  constructor(
    readonly kind: 'stream' | 'socket',
    readonly room: string,
  ) {}

  connect({ app }: Started): void {
    const id = this.lastId === '' ? '' : `?lastEventId=${encodeURIComponent(this.lastId)}`
    const path = `127.0.0.1:${app.port}/${this.room}${id}`
    this.#end = this.kind === 'socket' ? this.#openSocket(`ws://${path}`) : this.#openStream(`http://${path}`)
  }

  leave(): void {
    this.#end()
  }

  #openSocket(url: string): () => void {
    const client = new Client(url)
    let here = true
    client.on('message', text => {
      const { event = '', data, id = '' } = JSON.parse(String(text))
      if (here) this.#took(event, data, id)
    })
    client.on('error', () => {})
    client.on('close', code => {
      if (here) this.closed = code
    })
    return () => {
      here = false
      client.terminate()
    }
  }

  #openStream(url: string): () => void {
    let here = true
    const parser = createParser({
      onEvent: ({ event = '', data, id = '' }) => here && this.#took(event, data === '' ? '' : JSON.parse(data), id),
    })
    const asked = request(url, { headers: { Accept: 'text/event-stream' } }, response => {
      response.setEncoding('utf8').on('data', text => parser.feed(text))
      response.on('error', () => {})
      response.on('close', () => {
        if (here) this.closed = 0
      })
    })
    asked.on('error', () => {})
    asked.end()
    return () => {
      here = false
      asked.destroy()
    }
  }

  #took(event: string, data: unknown, id: string): void {
    if (id !== '') this.lastId = id
    if (event === 'tick') this.ticks.push(data)
    else if (event === 'told') this.told.push(data)
    else if (event !== '' && event !== 'place') this.others.push(event)
  }
}

async function openPeers(t: TestContext, nodes: readonly Started[], room: string): Promise<Peer[]> {
  const peers = nodes.flatMap(node =>
    (['stream', 'socket'] as const).map(kind => {
      const peer = new Peer(kind, room)
      peer.connect(node)
      t.after(() => peer.leave())
      return peer
    }),
  )
  await eventually('all have a place', () => peers.every(peer => peer.lastId !== ''))
  return peers
}

natsTest('what any node sends reaches the peers of all, in one order', async t => {
  const { url } = await NatsServer.start(t)
  const nodes = [await startNode(t, url), await startNode(t, url)]
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

natsTest('except, tell and disconnect work across nodes', async t => {
  const { url } = await NatsServer.start(t)
  const [one, two] = [await startNode(t, url), await startNode(t, url)]
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

natsTest(
  'peers that wander between nodes see each event once, in order, while connections to NATS are cut, and it is killed',
  async t => {
    const server = await NatsServer.start(t)
    const wire = await CuttableWire.to(server.port)
    t.after(() => wire.close())
    const nodes = [await startNode(t, `127.0.0.1:${wire.port}`), await startNode(t, server.url)]
    const peers = [...(await openPeers(t, nodes, 'a')), ...(await openPeers(t, nodes, 'a'))]
    const last = 600
    let cuts = 0
    for (let n = 0; n <= last; n++) {
      await nodes[n % 2]?.ticks.to('a').send('tick', n)
      if (n % 4 === 0) await sleep(1)
      const wanderer = n % 5 === 0 ? peers[(n / 5) % peers.length] : undefined
      wanderer?.leave()
      wanderer?.connect(nodes[Math.floor(n / 40) % 2] as Started)
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
  natsTest(`a NATS that comes back with ${data} is one gap to each peer, which is whole from there`, async t => {
    const server = await NatsServer.start(t)
    const nodes = [await startNode(t, server.url), await startNode(t, server.url)]
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
  })
}

natsTest('an application whose NATS cannot be had does not start, and leaves nothing behind', async t => {
  const server = await NatsServer.start(t)
  await server.stop()
  const before = activeHandles()
  const options = { port: 0, host: '127.0.0.1', signals: false, logger: new LogBook() }
  const eventLog = natsEventLog({ servers: server.url, patience: 100 })
  await assert.rejects(bootstrap(App, { ...options, eventLog }), EventLogUnavailableError)
  await noHandlesLeft(before)
})
