/** An epoch names one history of the data: one that was lost, or went back, is another, and never replayed as if it were whole. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { EventLog, LogEntry, LogRetention } from '../../src/index.js'
import { type RedisEventLogOptions, redisEventLog } from '../../src/logs/redis.js'
import { message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { plenty } from '../support/registry-peers.js'

async function openLog(t: TestContext, url: string, options: RedisEventLogOptions & { kept?: LogRetention } = {}) {
  const { kept, ...given } = options
  const log = await redisEventLog({ url, patience: 15_000, ...given })('r', { ...plenty, ...kept }, new LogBook())
  t.after(() => log.stop())
  return log
}

async function startNode(t: TestContext, url: string, options?: RedisEventLogOptions): Promise<Node> {
  return new Node(await openLog(t, url, options)).start()
}

const at = (positions: Record<string, number>) => new Map(Object.entries(positions))
const data = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

async function appendAll(log: EventLog, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await log.append(message(['a'], n))
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

redisTest('a restart with the data is no other epoch: what is sent all the while is heard once, in order', async t => {
  const server = await RedisServer.start(t, { appendonly: 'yes', appendfsync: 'always' })
  const [one, two] = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
  const sending = appendAll(one.log, 0, 300)
  await one.hears(50)
  await server.stop()
  await server.run()
  await sending
  await Promise.all([one.hears(300), two.hears(300)])
  for (const node of [one, two]) {
    assert.deepEqual(data(node.entries), numbers(0, 300))
    assert.deepEqual(new Set(node.places.map(place => place.epoch)).size, 1)
    assert.equal(node.places.length, 1, 'nobody was moved')
  }
  const [first] = one.entries
  const page = await two.log.read(at({ a: first?.position ?? 0 }), 1000)
  assert.equal(page.gaps.size, 0)
  assert.deepEqual(data(page.entries), numbers(1, 300))
})

redisTest('a restart without the data is another epoch, of which every node hears before all else', async t => {
  const server = await RedisServer.start(t)
  const [one, two] = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
  await appendAll(one.log, 0, 5)
  await Promise.all([one.hears(5), two.hears(5)])
  await server.stop()
  await server.run()
  const place = await two.log.append(message(['a'], 'new'))
  const before = two.places.at(0)?.epoch
  assert.notEqual(place.epoch, before)
  await Promise.all([one.hears(6), two.hears(6)])
  for (const node of [one, two]) {
    assert.deepEqual(node.places.at(-1), { epoch: place.epoch, position: 0 })
    assert.deepEqual(node.heard.slice(-2), ['reset', 'entry'])
  }
  assert.deepEqual(data((await one.log.read(at({ a: 0 }), 10)).entries), ['new'])
})

redisTest(
  'FLUSHALL under load: in the new epoch every node hears all that was confirmed in it, once, in one order',
  async t => {
    const server = await RedisServer.start(t)
    const nodes = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
    const placed: { epoch: string; n: string }[] = []
    const send = async ({ log }: Node, name: string) => {
      for (let n = 0; n < 200; n++) {
        const { epoch } = await log.append(message(['a'], `${name}${n}`))
        placed.push({ epoch, n: `${name}${n}` })
      }
    }
    const sending = Promise.all(nodes.map((node, of) => send(node, 'xy'[of] ?? '')))
    await nodes[0]?.hears(60)
    await server.command('FLUSHALL')
    await sending
    const [first, last] = [placed[0]?.epoch, placed.at(-1)?.epoch]
    assert.notEqual(first, last)
    const confirmed = placed.filter(({ epoch }) => epoch === last).map(({ n }) => n)
    const heardOf = (node: Node) => {
      const reset = node.heard.lastIndexOf('reset')
      const before = node.heard.slice(0, reset).filter(kind => kind === 'entry').length
      return data(node.entries.slice(before)) as string[]
    }
    for (const node of nodes) {
      await eventually('the new epoch is heard', () => heardOf(node).length === confirmed.length)
      assert.equal(node.places.at(-1)?.epoch, last)
      assert.deepEqual(heardOf(node).toSorted(), confirmed.toSorted())
      assert.deepEqual(heardOf(node), heardOf(nodes[0] as Node))
      const page = await node.log.read(at({ a: 0 }), 1000)
      assert.deepEqual(data(page.entries), heardOf(node))
    }
  },
)

redisTest('a Redis that went back is another epoch for all as soon as a node comes that knows more', async t => {
  const server = await RedisServer.start(t)
  const [one, two] = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
  await appendAll(one.log, 0, 5)
  await server.dump()
  await appendAll(one.log, 5, 8)
  await Promise.all([one.hears(8), two.hears(8)])
  const epoch = one.places[0]?.epoch
  await server.rollBack()
  await eventually('both have moved', () => [one, two].every(node => node.places.length === 2))
  assert.notEqual(one.places[1]?.epoch, epoch)
  assert.deepEqual(one.places[1], two.places[1])
  await one.log.append(message(['a'], 'new'))
  await Promise.all([one.hears(9), two.hears(9)])
  assert.deepEqual(data((await two.log.read(at({ a: 0 }), 10)).entries), ['new'])
})

redisTest('… also where others have sent more since than was lost', async t => {
  const server = await RedisServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const away = await startNode(t, `redis://127.0.0.1:${wire.port}`)
  await appendAll(away.log, 0, 5)
  await server.dump()
  await appendAll(away.log, 5, 8)
  const known = await away.hears(8)
  wire.cut()
  await server.rollBack()
  const other = await startNode(t, server.url)
  assert.equal(other.places[0]?.epoch, away.places[0]?.epoch, 'nobody is here who knows that anything was lost')
  await appendAll(other.log, 100, 120)
  await other.hears(20)
  const seen = (index: number) => known[index]?.position ?? 0
  const held = await other.log.read(at({ a: seen(2) }), 100)
  assert.equal(held.gaps.size, 0)
  assert.deepEqual(data(held.entries), [3, 4, ...numbers(100, 120)])
  const lost = await other.log.read(at({ a: seen(6) }), 100)
  assert.deepEqual([...lost.gaps.keys()], ['a'], 'a peer that saw what was lost is told')
  assert.deepEqual(data(lost.entries), numbers(100, 120))
  wire.mend()
  await eventually('the node that was away has moved', () => away.places.length === 2)
  await eventually('the other one has, too', () => other.places.length === 2)
  assert.notEqual(away.places[1]?.epoch, away.places[0]?.epoch)
  assert.deepEqual(other.places[1], away.places[1])
  await away.log.append(message(['a'], 'new'))
  await Promise.all([away.hears(9), other.hears(21)])
})

redisTest('an epoch that comes back from an old dump is over, and is not taken up again', async t => {
  const server = await RedisServer.start(t)
  const node = await startNode(t, server.url)
  await appendAll(node.log, 0, 3)
  await node.hears(3)
  await server.dump()
  await server.command('FLUSHALL')
  await eventually('the node has moved', () => node.places.length === 2)
  await server.rollBack()
  await eventually('the node has moved again', () => node.places.length === 3)
  assert.equal(new Set(node.places.map(place => place.epoch)).size, 3)
  assert.deepEqual(data((await node.log.read(at({ a: 0 }), 10)).entries), [])
})

redisTest('what reads finds the new epoch first has its listener told before it answers', async t => {
  const server = await RedisServer.start(t)
  const node = await startNode(t, server.url)
  await appendAll(node.log, 0, 3)
  await node.hears(3)
  await server.command('FLUSHALL')
  const page = await node.log.read(at({ a: 3 }), 10)
  assert.equal(node.places.length, 2)
  assert.deepEqual(page.entries, [])
  assert.equal(page.upTo, node.places[1]?.position)
})

redisTest('a key that was evicted is a gap, never silence and never an old replay', async t => {
  const server = await RedisServer.start(t)
  const node = await startNode(t, server.url)
  await appendAll(node.log, 0, 5)
  const [first] = await node.hears(5)
  await server.command('DEL', 'palomino:{r}:room:a')
  const forgotten = await node.log.read(at({ a: first?.position ?? 0 }), 10)
  assert.ok(forgotten.gaps.has('a'))
  await node.log.append(message(['a'], 5))
  await server.command('DEL', 'palomino:{r}:rooms')
  assert.equal((await node.log.read(at({ b: first?.position ?? 0 }), 10)).gaps.has('b'), true)
  await node.hears(6)
  await server.command('DEL', 'palomino:{r}:meta')
  await node.log.append(message(['b'], 6))
  await eventually('the node has moved', () => node.places.length === 2)
  const page = await node.log.read(at({ a: 0, b: 0 }), 10)
  assert.deepEqual(data(page.entries), [6])
  await node.log.append(message(['a'], 7))
  assert.deepEqual(data((await node.log.read(at({ a: 0, b: 0 }), 10)).entries), [6, 7])
})

redisTest('a node that was away for longer than the tail reaches back is moved on, in the same epoch', async t => {
  const server = await RedisServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const tail = { count: 100, bytes: 2000 }
  const [away, other] = await Promise.all([
    startNode(t, `redis://127.0.0.1:${wire.port}`, { tail }),
    startNode(t, server.url, { tail }),
  ])
  await appendAll(other.log, 0, 3)
  await Promise.all([away.hears(3), other.hears(3)])
  wire.cut()
  await appendAll(other.log, 3, 400)
  await other.hears(400)
  wire.mend()
  await eventually('it has moved', () => away.places.length === 2)
  const [before, after] = away.places
  assert.equal(after?.epoch, before?.epoch)
  assert.equal(after?.position, other.entries.at(-1)?.position)
  const page = await away.log.read(at({ a: away.entries.at(-1)?.position ?? 0 }), 1000)
  assert.equal(page.gaps.size, 0, 'the room knows more than the tail')
  assert.deepEqual(data(page.entries), numbers(3, 400))
  await other.log.append(message(['a'], 'live'))
  assert.deepEqual(data(await away.hears(4)).at(-1), 'live')
})

redisTest('rooms whose entries are too old are a gap for those who missed them, and for no others', async t => {
  const server = await RedisServer.start(t)
  const log = await openLog(t, server.url, { kept: { age: 50 } })
  const { position } = await log.append(message(['a'], 1))
  await log.append(message(['b'], 2))
  await eventually('they are gone', async () => (await server.command('EXISTS', 'palomino:{r}:room:b')) === 0)
  const page = await log.read(at({ a: position, b: position, c: 0 }), 10)
  assert.deepEqual([...page.gaps.keys()], ['b'])
  assert.deepEqual(page.entries, [])
})

for (const loses of [false, true]) {
  redisTest(
    `a failover to a replica that has ${loses ? 'not ' : ''}all is ${loses ? 'an' : 'no '}other epoch`,
    async t => {
      const master = await RedisServer.start(t)
      const replica = await RedisServer.start(t, { replicaof: `127.0.0.1 ${master.port}` })
      const wire = await CuttableWire.to(master.port)
      t.after(() => wire.close())
      const nodes = [
        await startNode(t, `redis://127.0.0.1:${wire.port}`),
        await startNode(t, `redis://127.0.0.1:${wire.port}`),
      ]
      const [one, two] = nodes as [Node, Node]
      const online = async () => /state=online/.test(String(await master.command('INFO', 'replication')))
      await eventually('it replicates', online, { timeout: 30_000 })
      await appendAll(one.log, 0, 5)
      await eventually('the replica has them', async () => (await replica.command('XLEN', 'palomino:{r}:tail')) === 5)
      if (loses) await replica.command('REPLICAOF', 'NO', 'ONE')
      if (loses) await appendAll(one.log, 5, 8)
      const seen = loses ? 8 : 5
      await Promise.all(nodes.map(node => node.hears(seen)))
      await replica.command('REPLICAOF', 'NO', 'ONE')
      await master.stop()
      wire.lead(replica.port)
      await appendAll(two.log, 10, 20)
      await Promise.all(nodes.map(node => node.hears(seen + 10)))
      for (const node of nodes) {
        assert.equal(node.places.length, loses ? 2 : 1)
        assert.deepEqual(data(node.entries.slice(seen)), numbers(10, 20))
      }
      assert.equal(one.places.at(-1)?.epoch, two.places.at(-1)?.epoch)
    },
  )
}
