/** What Sentinels and Clusters do by themselves: another master takes over, a slot moves. Nodes go on, and peers are exact. */
import assert from 'node:assert/strict'
import { after, type TestContext } from 'node:test'
import { createSentinel } from 'redis'
import type { EventLog, Place } from '../../src/index.js'
import { type RedisClient, redisEventLog } from '../../src/logs/redis.js'
import { LogBook } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { RedisCluster } from '../support/redis-cluster.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { plenty, startRegistry, TestConnection, type TestRegistry } from '../support/registry-peers.js'

/** A registry on one of several nodes, with peers in the room `a`. */
interface Node {
  readonly registry: TestRegistry
  readonly log: EventLog
  readonly peers: readonly TestConnection[]
}

async function startNodes(t: TestContext, client: () => unknown, name = 'r'): Promise<Node[]> {
  const open = async () => {
    const log = await redisEventLog({ client: client() as RedisClient, patience: 40_000 })(name, plenty, new LogBook())
    t.after(() => log.stop())
    const registry = await startRegistry({ log })
    const peers = Array.from({ length: 3 }, () => new TestConnection())
    for (const peer of peers) await registry.join(peer, 'a')
    return { registry, log, peers }
  }
  return [await open(), await open()]
}

/** Sends numbers from all nodes, one after another, until it is stopped; answers the place of each. */
function sendOn(nodes: readonly Node[]) {
  let stopped = false
  const places: Place[] = []
  const run = async () => {
    while (!stopped) {
      places.push(placeOf(await nodes[places.length % nodes.length]?.registry.to('a').send('said', places.length)))
    }
    return places
  }
  const running = run()
  running.catch(() => {})
  const more = (count: number) => {
    const goal = places.length + count
    return Promise.race([
      running,
      eventually(`${count} more are sent`, () => places.length >= goal, { timeout: 30_000 }),
    ])
  }
  const stop = () => {
    stopped = true
    return running
  }
  return { more, stop }
}

function placeOf(id: string | undefined): Place {
  const [, epoch = '', position] = /^(\w+)-(\d+)/.exec(id ?? '') ?? []
  return { epoch, position: Number(position) }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

async function exact(nodes: readonly Node[], { length }: readonly Place[]): Promise<void> {
  const peers = nodes.flatMap(node => node.peers)
  await eventually('all have heard all', () => peers.every(({ data }) => data.at(-1) === length - 1), {
    timeout: 15_000,
  })
  for (const { data, gaps } of peers) {
    assert.deepEqual(data, numbers(0, length))
    assert.deepEqual(gaps, [])
  }
}

/** Places that lie further apart were given by two servers. */
const LEAP = 1_000_000_000

/**
 * Each peer has heard all, where it was told of no gap; else it is whole from there. What was on its way when the data was
 * lost may be heard on both sides of the gap. Before it the peer has what its own node sent, and all that one master took;
 * of another node's only what that one took: no node knows what another was told by a master that is gone.
 */
async function inOrder(nodes: readonly Node[], places: readonly Place[]): Promise<void> {
  const sent = places.length
  const peers = nodes.flatMap(({ peers }, node) => peers.map(peer => ({ peer, node })))
  await eventually('all have heard the last', () => peers.every(({ peer }) => peer.data.at(-1) === sent - 1), {
    timeout: 15_000,
  })
  for (const { peer, node } of peers) {
    const { frames, gaps } = peer
    const heard = (part: typeof frames) => part.filter(({ event }) => event === 'said').map(({ data }) => Number(data))
    assert.ok(gaps.length <= 1)
    const gap = frames.findIndex(({ event }) => event === 'gap')
    const before = heard(frames.slice(0, gap === -1 ? frames.length : gap))
    const until = (before.at(-1) ?? -1) + 1
    const skipped = numbers(0, until).filter(n => !before.includes(n))
    assert.deepEqual(
      [...before, ...skipped].toSorted((a, b) => a - b),
      numbers(0, until),
    )
    assert.deepEqual(
      before,
      before.toSorted((a, b) => a - b),
    )
    if (gap === -1) assert.equal(before.length, sent)
    for (const n of skipped) {
      const next = frames.find(({ event, data }) => event === 'said' && Number(data) > n)
      assert.notEqual(n % nodes.length, node, `its own node sent ${n}, which came before ${next?.data}`)
      assert.ok(isElsewhere(places[n], placeOf(next?.id)), `one master took ${n} and ${next?.data}`)
    }
    const behind = heard(frames.slice(gap === -1 ? frames.length : gap))
    assert.deepEqual(behind, numbers(sent - behind.length, sent))
    assert.ok(sent - behind.length >= until - 1, `${until} before the gap, ${behind.length} behind it`)
  }
}

function isElsewhere(one: Place | undefined, other: Place): boolean {
  return one?.epoch !== other.epoch || Math.abs(one.position - other.position) >= LEAP
}

async function startSentinel(t: TestContext) {
  const config = { 'repl-diskless-sync-delay': '0' }
  const master = await RedisServer.start(t, config)
  const replica = await RedisServer.start(t, { ...config, replicaof: `127.0.0.1 ${master.port}` })
  const replicates = async () => /state=online/.test(String(await master.command('INFO', 'replication')))
  await eventually('it replicates', replicates, { timeout: 30_000 })
  const sentinel = await RedisServer.open({}, master)
  t.after(() => sentinel.end())
  const knows = async () => {
    const [known] = (await sentinel.command('SENTINEL', 'REPLICAS', 'main')) as Record<string, string>[]
    return known?.['master-link-status'] === 'ok'
  }
  await eventually('the Sentinel knows the replica', knows, { timeout: 30_000 })
  const client = () => createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }] })
  const promoted = async () => {
    await isMaster(replica)
    // A busy machine may silence the new one for a second: back with the old one, that would be another loss.
    await sentinel.command('SENTINEL', 'SET', 'main', 'down-after-milliseconds', '60000')
  }
  return { master, replica, client, promoted }
}

const isMaster = (server: RedisServer) =>
  eventually('the replica is promoted', async () => /role:master/.test(String(await server.command('INFO'))), {
    timeout: 40_000,
  })

const patient = { timeout: 120_000 }

redisTest(
  'a Sentinel promotes the replica of a master that was killed: nobody misses anything that the replica has',
  async t => {
    const { master, replica, client, promoted } = await startSentinel(t)
    const nodes = await startNodes(t, client)
    const before = sendOn(nodes)
    await before.more(50)
    const places = await before.stop()
    const sent = places.length
    await exact(nodes, places)
    const offset = async (server: RedisServer) =>
      /(?:master|slave)_repl_offset:(\d+)/.exec(String(await server.command('INFO', 'replication')))?.[1]
    await eventually('the replica has all', async () => (await offset(master)) === (await offset(replica)))
    await master.stop()
    const late = Promise.all(nodes.map((node, n) => node.registry.to('a').send('said', sent + n)))
    await promoted()
    await late
    const peers = nodes.flatMap(node => node.peers)
    await eventually('all have heard', () => peers.every(({ data }) => data.length === sent + 2), { timeout: 30_000 })
    for (const { data, gaps } of peers) {
      assert.deepEqual(data.toSorted(), numbers(0, sent + 2).toSorted())
      assert.deepEqual(data, peers[0]?.data)
      assert.deepEqual(gaps, [])
    }
  },
  patient,
)

redisTest(
  'a Sentinel promotes a replica that lacks the newest: one gap to each peer, which is whole from there',
  async t => {
    const { master, client, promoted } = await startSentinel(t)
    const nodes = await startNodes(t, client)
    const send = async (from: number, to: number) => {
      for (let n = from; n < to; n++) await nodes[n % 2]?.registry.to('a').send('said', n)
    }
    await send(0, 10)
    await master.command('ACL', 'SETUSER', 'default', '-psync', '-sync')
    await master.command('CLIENT', 'KILL', 'TYPE', 'replica')
    await send(10, 15)
    const peers = nodes.flatMap(node => node.peers)
    await eventually('all have heard', () => peers.every(({ data }) => data.length === 15))
    await master.stop()
    const late = send(20, 30)
    await promoted()
    await late
    await eventually('all have heard the last', () => peers.every(({ data }) => data.at(-1) === 29), {
      timeout: 30_000,
    })
    for (const { data, gaps } of peers) {
      assert.deepEqual(data, [...numbers(0, 15), ...numbers(20, 30)])
      assert.equal(gaps.length, 1)
    }
  },
  patient,
)

redisTest(
  'a master that was frozen comes back as a replica: nodes go on, and what it took meanwhile is one gap',
  async t => {
    const { master, client, promoted } = await startSentinel(t)
    const nodes = await startNodes(t, client)
    const sending = sendOn(nodes)
    await sending.more(50)
    master.freeze()
    await promoted()
    master.thaw()
    const demoted = async () => /role:slave/.test(String(await master.command('INFO', 'replication')))
    await eventually('it is a replica', demoted, { timeout: 40_000 })
    await sending.more(50)
    await inOrder(nodes, await sending.stop())
  },
  patient,
)

let started: Promise<RedisCluster> | undefined
after(async () => (await started)?.end())

/** A name of a registry whose slot is at this master of the cluster. */
async function nameAt(cluster: RedisCluster, master: number): Promise<string> {
  for (let n = 0; ; n++) {
    const slot = await cluster.slotOf(`palomino:{r${n}}:tail`)
    if (cluster.ownerOf(slot) === cluster.masters[master]) return `r${n}`
  }
}

redisTest(
  'a slot of a Cluster moves to another master while all send: nobody misses anything',
  async t => {
    started ??= RedisCluster.open(3)
    const cluster = await started
    const name = await nameAt(cluster, 1)
    const slot = await cluster.slotOf(`palomino:{${name}}:tail`)
    const nodes = await startNodes(t, () => cluster.client(), name)
    const sending = sendOn(nodes)
    await sending.more(50)
    const [, second, third] = cluster.masters as [RedisServer, RedisServer, RedisServer]
    await cluster.move(slot, second, third)
    await sending.more(50)
    await cluster.move(slot, third, second)
    await sending.more(50)
    await exact(nodes, await sending.stop())
  },
  patient,
)

redisTest(
  'a master of a Cluster is killed, and its replica takes over: exact, or one gap where it lacked the newest',
  async t => {
    started ??= RedisCluster.open(3)
    const cluster = await started
    const nodes = await startNodes(t, () => cluster.client(), await nameAt(cluster, 0))
    const sending = sendOn(nodes)
    await sending.more(50)
    await cluster.masters[0]?.stop()
    await isMaster(cluster.replica)
    await sending.more(50)
    await inOrder(nodes, await sending.stop())
  },
  patient,
)
