/** Epochs of data in Redis, and what becomes of parts of it. */
import assert from 'node:assert/strict'
import { appendAll, at, dataOf, message, type Node, numbers } from '../contract/event-log.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { redis, startNode } from '../support/log-kinds.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { testEpochs } from './epochs.js'

testEpochs(redis)

redisTest('what reads finds the new epoch first has its listener told before it answers', async t => {
  const server = await RedisServer.start(t)
  const node = await startNode(t, redis, server.port)
  await appendAll(node.log, 0, 3)
  await node.hears(3)
  await server.wipe()
  const page = await node.log.read(at({ a: 3 }), 10)
  assert.equal(node.places.length, 2)
  assert.deepEqual(page.entries, [])
  assert.equal(page.upTo, node.places[1]?.position)
})

redisTest('a key that was evicted is a gap, never silence and never an old replay', async t => {
  const server = await RedisServer.start(t)
  const node = await startNode(t, redis, server.port)
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
  assert.deepEqual(dataOf(page.entries), [6])
  await node.log.append(message(['a'], 7))
  assert.deepEqual(dataOf((await node.log.read(at({ a: 0, b: 0 }), 10)).entries), [6, 7])
})

redisTest('a node that was away for longer than the tail reaches back is moved on, in the same epoch', async t => {
  const server = await RedisServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const tail = { count: 100, bytes: 2000 }
  const [away, other] = await Promise.all([
    startNode(t, redis, wire.port, { tail }),
    startNode(t, redis, server.port, { tail }),
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
  assert.deepEqual(dataOf(page.entries), numbers(3, 400))
  await other.log.append(message(['a'], 'live'))
  assert.deepEqual(dataOf(await away.hears(4)).at(-1), 'live')
})

for (const loses of [false, true]) {
  redisTest(
    `a failover to a replica that has ${loses ? 'not ' : ''}all is ${loses ? 'an' : 'no '}other epoch`,
    async t => {
      const master = await RedisServer.start(t, { 'repl-diskless-sync-delay': '0' })
      const replica = await RedisServer.start(t, { replicaof: `127.0.0.1 ${master.port}` })
      const wire = await CuttableWire.to(master.port)
      t.after(() => wire.close())
      const nodes = [await startNode(t, redis, wire.port), await startNode(t, redis, wire.port)]
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
        assert.deepEqual(dataOf(node.entries.slice(seen)), numbers(10, 20))
      }
      assert.equal(one.places.at(-1)?.epoch, two.places.at(-1)?.epoch)
    },
  )
}
