/** Two masters stand side by side for a while, as when a frozen one wakes up: what each took, who hears it, and who is told of a gap. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createSentinel } from 'redis'
import { type RedisClient, redisEventLog } from '../../src/logs/redis.js'
import { message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { plenty } from '../support/registry-peers.js'
import { sparePort } from '../support/spare-port.js'

/** A node whose two connections, by which it asks and by which it hears, can be led to another server one by one. */
class SplitNode extends Node {
  private constructor(
    readonly wire: CuttableWire,
    private readonly connections: Record<'asks' | 'hears', string>,
    log: ConstructorParameters<typeof Node>[0],
  ) {
    super(log)
  }

  static async at(t: TestContext, server: RedisServer): Promise<SplitNode> {
    const wire = await CuttableWire.to(server.port)
    t.after(() => wire.close())
    const url = `redis://127.0.0.1:${wire.port}`
    const log = await redisEventLog({ url, patience: 15_000 })('r', plenty, new LogBook())
    t.after(() => log.stop())
    const connections = { asks: '', hears: '' }
    const before = await connectionsOf(server)
    const node = await new SplitNode(wire, connections, log).start()
    await eventually('it listens', async () => {
      const mine = [...(await connectionsOf(server))].filter(([id]) => !before.has(id))
      const idOf = (command: RegExp) => mine.find(([, last]) => command.test(last))?.[0] ?? ''
      Object.assign(connections, { asks: idOf(/^eval/), hears: idOf(/^xread/) })
      return connections.asks !== '' && connections.hears !== ''
    })
    return node
  }

  /** From here on it asks and hears another server. */
  async lead(to: RedisServer): Promise<void> {
    await this.#comesTo(to, () => this.wire.lead(to.port))
    await this.log.before('a', 1)
  }

  /** From here on it asks, or hears, another server. */
  async move(which: 'asks' | 'hears', from: RedisServer, to: RedisServer): Promise<void> {
    this.wire.turn(to.port)
    const end = () => from.command('CLIENT', 'KILL', 'ID', this.connections[which])
    if (which === 'hears') await this.#comesTo(to, end)
    else await end()
  }

  /** It hears nobody, until `hearsAt`, and asks whom it asked. */
  async hearsNobody(from: RedisServer): Promise<void> {
    this.wire.turn(await sparePort())
    await from.command('CLIENT', 'KILL', 'ID', this.connections.hears)
  }

  hearsAt(to: RedisServer): Promise<void> {
    return this.#comesTo(to, () => this.wire.turn(to.port))
  }

  async #comesTo(server: RedisServer, move: () => unknown): Promise<void> {
    const before = await connectionsOf(server)
    await move()
    await eventually('it listens there', async () =>
      [...(await connectionsOf(server))].some(([id, last]) => !before.has(id) && /^xread/.test(last)),
    )
  }

  /** What it heard, and `reset` where it was told of another place. */
  get story(): unknown[] {
    const data = this.entries.map(entry => JSON.parse(entry.data) as unknown)
    return this.heard.slice(1).map(kind => (kind === 'reset' ? 'reset' : data.shift()))
  }

  send(data: unknown) {
    return this.log.append(message(['a'], data))
  }

  async tells(...story: unknown[]): Promise<void> {
    await eventually(`the story is ${JSON.stringify(story)}`, () => {
      if (isDeepStrictEqual(this.story, story)) return true
      throw new Error(JSON.stringify(this.story))
    })
  }
}

/** Ids of connections of a server, and their last commands. */
async function connectionsOf(server: RedisServer): Promise<Map<string, string>> {
  const list = String(await server.command('CLIENT', 'LIST', 'TYPE', 'NORMAL'))
  const lines = [...list.matchAll(/\bid=(\d+) .* cmd=(\S+)/g)].filter(([, , last]) => last !== 'client|list')
  return new Map(lines.map(([, id = '', last = '']) => [id, last]))
}

async function replicaOf(t: TestContext, master: RedisServer): Promise<RedisServer> {
  const replica = await RedisServer.start(t, { replicaof: `127.0.0.1 ${master.port}` })
  const replicates = async () => /master_link_status:up/.test(String(await replica.command('INFO', 'replication')))
  await eventually('it replicates', replicates, { timeout: 30_000 })
  return replica
}

const promote = (replica: RedisServer) => replica.command('REPLICAOF', 'NO', 'ONE')

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

redisTest('two replicas that are promoted one after another give no position twice', async t => {
  const old = await RedisServer.start(t, { 'repl-diskless-sync-delay': '0' })
  const replicas = [await replicaOf(t, old), await replicaOf(t, old)]
  const [first, second] = replicas as [RedisServer, RedisServer]
  const node = await SplitNode.at(t, old)
  await node.send('before')
  for (const replica of replicas) {
    await eventually('it has it', async () => (await replica.command('XLEN', 'palomino:{r}:tail')) === 1)
    await promote(replica)
  }
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
