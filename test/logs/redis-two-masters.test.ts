/** Two masters stand side by side for a while, as when a frozen one wakes up: what each took, who hears it, and who is told of a gap. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createClient, createSentinel } from 'redis'
import { type RedisClient, redisEventLog } from '../../src/logs/redis.js'
import { runScript } from '../../src/logs/redis-scripts.js'
import { at, dataOf, isUnavailable, message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { plenty } from '../support/registry-peers.js'
import { promote, replicaOf, SplitNode } from './split-node.js'

/** Two nodes that have heard `before`, as the replica has, which is promoted: both servers are masters now. */
async function startTwo(t: TestContext) {
  const old = await RedisServer.start(t, { 'repl-diskless-sync-delay': '0' })
  const next = await replicaOf(t, old)
  const [one, two] = [await SplitNode.at(t, old), await SplitNode.at(t, old)]
  await one.send('before')
  await Promise.all([one.tells('before'), two.tells('before')])
  const has = async () => (await next.command('XLEN', 'palomino:{r}:tail')) === 1
  await eventually('the replica has it', has)
  await promote(next)
  return { old, next, one, two }
}

// Neither node can know of what the other one sent: Redis is not asked by both, and no master waits for the other.
for (const first of ['old', 'new'] as const) {
  redisTest(
    `each node hears what its own master took, that of the ${first} one being the first; a gap tells all as they meet`,
    async t => {
      const { next, one, two } = await startTwo(t)
      await two.lead(next)
      for (const which of first === 'old' ? ['old', 'new'] : ['new', 'old']) {
        const node = which === 'old' ? one : two
        await node.send(`by the ${which} one`)
        await node.tells('before', `by the ${which} one`)
      }
      one.wire.lead(next.port)
      await one.tells('before', 'by the old one', 'reset')
      await one.send('all')
      await one.tells('before', 'by the old one', 'reset', 'all')
      await two.tells('before', 'by the new one', 'reset', 'all')
    },
  )
}

redisTest('a node that sent by the new master hears nothing more of the old one', async t => {
  const { old, next, one, two } = await startTwo(t)
  await two.move('asks', old, next)
  await two.send('by the new one')
  await one.send('by the old one')
  await two.tells('before', 'by the new one')
  one.wire.lead(next.port)
  await one.tells('before', 'by the old one', 'reset')
  await two.tells('before', 'by the new one', 'reset')
})

/** A node that hears the new master, and is not answered yet by the old one, which takes what it sent when it is let. */
async function startLate(t: TestContext) {
  const { old, next, one, two } = await startTwo(t)
  await two.lead(next)
  await one.hearsNobody(old)
  old.freeze()
  const sent = one.send('by the old one')
  await one.hearsAt(next)
  const take = () => {
    old.thaw()
    return sent
  }
  return { one, two, take }
}

redisTest('what the old master took of a node that hears the new one is a gap before all that comes after', async t => {
  const { one, two, take } = await startLate(t)
  await take()
  await two.send('by the new one')
  await one.tells('before', 'reset')
  await two.send('all')
  await one.tells('before', 'reset', 'all')
})

redisTest('… and where it has heard what came after, before it was answered, the gap follows', async t => {
  const { one, two, take } = await startLate(t)
  await two.send('by the new one')
  await one.tells('before', 'by the new one')
  await take()
  await one.tells('before', 'by the new one', 'reset')
  await two.send('all')
  await one.tells('before', 'by the new one', 'reset', 'all')
})

redisTest('a master that was left behind is sent nothing by who knows of the new one, which takes it', async t => {
  const { old, next, one, two } = await startTwo(t)
  await two.lead(next)
  await one.move('hears', old, next)
  await two.send('by the new one')
  await one.tells('before', 'by the new one')
  await one.send('too')
  await one.tells('before', 'by the new one', 'too')
  await two.tells('before', 'by the new one', 'too')
  assert.equal(await old.command('XLEN', 'palomino:{r}:tail'), 1)
})

redisTest('… but where no other is to be had it begins anew, and all are told', async t => {
  const { old, next, one, two } = await startTwo(t)
  for (const { wire } of [one, two]) wire.lead(next.port)
  await two.send('by the new one')
  await Promise.all([one.tells('before', 'by the new one'), two.tells('before', 'by the new one')])
  await next.stop()
  for (const { wire } of [one, two]) wire.lead(old.port)
  await one.send('all')
  await one.tells('before', 'by the new one', 'reset', 'all')
  await two.tells('before', 'by the new one', 'reset', 'all')
})

redisTest('each loss is one gap: as the new master takes over, and as the old one does again', async t => {
  const { old, next, one, two } = await startTwo(t)
  const bothTell = (...story: string[]) => Promise.all([one, two].map(node => node.tells('before', ...story)))
  await one.send('by the old one')
  await bothTell('by the old one')
  for (const { wire } of [one, two]) wire.lead(next.port)
  await bothTell('by the old one', 'reset')
  await two.send('by the new one')
  await bothTell('by the old one', 'reset', 'by the new one')
  await next.stop()
  for (const { wire } of [one, two]) wire.lead(old.port)
  await bothTell('by the old one', 'reset', 'by the new one', 'reset')
  await one.send('all')
  await bothTell('by the old one', 'reset', 'by the new one', 'reset', 'all')
})

redisTest(
  'who sends to the old master for good is refused, and told how that is cured; who hears the new one hears on',
  async t => {
    const { old, next, two } = await startTwo(t)
    await two.lead(next)
    const one = await SplitNode.at(t, next, 5000)
    await one.send('by the new one')
    await one.move('asks', next, old)
    await assert.rejects(one.send('by the old one'), isUnavailable('refused', /BEHIND .* must lead to that one/))
    one.wire.turn(next.port)
    await eventually('it can send again', () => one.send('all'))
    await one.tells('by the new one', 'all')
    await two.tells('before', 'by the new one', 'all')
  },
)

redisTest('what a node has only read of the old master, and its peers have, is a gap to all', async t => {
  const { old, next, one, two } = await startTwo(t)
  await one.hearsNobody(old)
  const { position } = await two.send('by the old one')
  const page = await one.log.read(at({ a: position - 1 }), 10)
  assert.deepEqual(dataOf(page.entries), ['by the old one'])
  await two.log.stop()
  one.wire.lead(next.port)
  await one.tells('before', 'reset')
})

redisTest('what a master took as it began anew is a gap to its sender, where the other one goes on', async t => {
  const { old, next, one, two } = await startTwo(t)
  await two.lead(next)
  await one.move('hears', old, next)
  await two.send('by the new one')
  await one.tells('before', 'by the new one')
  await old.command('DEL', 'palomino:{r}:meta')
  await one.send('by the old one')
  await two.send('more')
  await one.tells('before', 'by the new one', 'reset')
  await two.tells('before', 'by the new one', 'more', 'reset')
})

redisTest('a master that is told so takes nothing once it has lost its replica, and nothing is lost', async t => {
  const { old, next, one, two } = await startTwo(t)
  await eventually('it has lost it', async () => /connected_slaves:0/.test(String(await old.command('INFO'))))
  await old.command('CONFIG', 'SET', 'min-replicas-to-write', '1')
  await two.lead(next)
  await two.send('by the new one')
  const waiting = one.send('too')
  await one.log.before('a', 1)
  assert.equal(await old.command('XLEN', 'palomino:{r}:tail'), 1)
  one.wire.lead(next.port)
  await waiting
  for (const node of [one, two]) await node.tells('before', 'by the new one', 'too')
})

redisTest('a master that was made a replica is left for the new one, though it has no replica of its own', async t => {
  const { old, next, one, two } = await startTwo(t)
  await two.lead(next)
  await two.send('by the new one')
  one.wire.turn(next.port)
  await old.command('CONFIG', 'SET', 'min-replicas-to-write', '1')
  await old.command('REPLICAOF', '127.0.0.1', `${next.port}`)
  await eventually('it replicates', async () => /master_link_status:up/.test(String(await old.command('INFO'))))
  await one.send('all')
  await one.tells('before', 'by the new one', 'all')
})

/** A node that has heard `before`, as two replicas have, which are promoted: all three are masters now. */
async function startThree(t: TestContext) {
  const old = await RedisServer.start(t, { 'repl-diskless-sync-delay': '0' })
  const [first, second] = [await replicaOf(t, old), await replicaOf(t, old)]
  const node = await SplitNode.at(t, old)
  await node.send('before')
  for (const replica of [first, second]) {
    await eventually('it has it', async () => (await replica.command('XLEN', 'palomino:{r}:tail')) === 1)
    await promote(replica)
  }
  return { old, node, first, second }
}

redisTest('two replicas that are promoted one after another give no position twice', async t => {
  const { node, first, second } = await startThree(t)
  node.wire.lead(first.port)
  await node.send('by the first')
  await node.tells('before', 'by the first')
  const other = await SplitNode.at(t, second)
  await other.send('by the second')
  await other.tells('by the second')
  node.wire.lead(second.port)
  await node.tells('before', 'by the first', 'reset')
  await other.tells('by the second', 'reset')
})

for (const [distance, ending] of [
  [-10_000_000, 'first'],
  [10_000_000, 'second'],
] as const) {
  redisTest(`what only one of two took is a gap at the ${ending}, however close their leaps end`, async t => {
    const { old, node, first, second } = await startThree(t)
    const other = await SplitNode.at(t, first)
    await other.send('by the first')
    await leapTo(second, Number(await first.command('HGET', 'palomino:{r}:meta', 'leapt')) + distance)
    await node.move('asks', old, second)
    second.freeze()
    const sent = node.send('by the second')
    await node.move('hears', old, first)
    await node.tells('before', 'by the first')
    second.thaw()
    await sent
    await node.lead({ first, second }[ending])
    await node.send('all')
    await node.tells('before', 'by the first', 'reset', 'all')
  })
}

/** As if its name were such that its leap ends there. */
async function leapTo(server: RedisServer, landing: number) {
  const [, id = ''] = /master_replid:(\w+)/.exec(String(await server.command('INFO', 'replication'))) ?? []
  const leap = ['position', 'leapt'].flatMap(field => [field, `${landing}`])
  await server.command('HSET', 'palomino:{r}:meta', 'server', id, ...leap, 'leaps', `1:${landing}`)
}

redisTest(
  'two servers that are given the same name for a new epoch, as by a client that says it again, begin two',
  async t => {
    const begin = async () => {
      const client = createClient({ url: (await RedisServer.start(t)).url })
      await client.connect()
      const keys = ['meta', 'tail', 'rooms', 'tokens', 'keys']
      const given = ['abcdef01', '', '0', '', '', '0']
      const [epoch] = await runScript(client as unknown as RedisClient, 'look', keys, given)
      client.destroy()
      return epoch
    }
    assert.notEqual(await begin(), await begin())
  },
)

redisTest('what a client of a Sentinel says again by itself is kept once', async t => {
  const master = await RedisServer.start(t)
  const sentinel = await RedisServer.open({}, master)
  t.after(() => sentinel.end())
  const wire = await CuttableWire.to(master.port)
  t.after(() => wire.close())
  const client = createSentinel({
    name: 'main',
    sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }],
    nodeAddressMap: { [`127.0.0.1:${master.port}`]: { host: '127.0.0.1', port: wire.port } },
  })
  const log = await redisEventLog({ client: client as unknown as RedisClient })('r', plenty, new LogBook())
  const node = await new Node(log).start()
  wire.hush()
  const sending = log.append(message(['a'], 'once'))
  await eventually('it is kept', async () => (await master.command('XLEN', 'palomino:{r}:tail')) === 1)
  wire.cut()
  wire.mend()
  await sending
  await log.append(message(['a'], 'end'))
  await node.hears(2)
  await log.stop()
  assert.deepEqual(
    node.entries.map(entry => JSON.parse(entry.data)),
    ['once', 'end'],
  )
})
