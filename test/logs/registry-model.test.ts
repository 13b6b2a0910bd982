/** The model of a registry, over logs that its nodes share: peers wander between two nodes, and each gets what it is owed. */
import { after, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRetention, OpenEventLog } from '../../src/index.js'
import { serveClusterLogs } from '../../src/logs/cluster.js'
import { LogBook } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { nats, redis } from '../support/log-kinds.js'
import { LogWorker } from '../support/log-workers.js'
import { fc } from '../support/properties.js'
import {
  type Check,
  connects,
  cuts,
  exactly,
  kinds,
  lates,
  logs,
  moves,
  neverSilent,
  nothingElse,
  type Open,
  onceAtMost,
  play,
  skips,
  slows,
  tight,
} from '../support/registry-model.js'
import { plenty, RemoteLog, startRegistry, type TestConnection, type TestRegistry } from '../support/registry-peers.js'
import { type Home, type Pace, type Peer, World } from '../support/registry-world.js'

/** Milliseconds that one property has. */
const TIME = 2500

const pace: Pace = {
  wait: turns => sleep(turns),
  async settle(what, done) {
    await eventually(what, done)
    // Nothing more is to come, either.
    await sleep(3)
  },
}

/** Two nodes of one registry, to which peers come by turns. One of them sends, so that there is one order. */
class Nodes implements Home {
  #joined = 0
  readonly #home = new WeakMap<TestConnection, TestRegistry>()

  constructor(private readonly nodes: readonly TestRegistry[]) {}

  #homeOf(connection: TestConnection): TestRegistry {
    const home = this.#home.get(connection) ?? (this.nodes[this.#joined++ % this.nodes.length] as TestRegistry)
    this.#home.set(connection, home)
    return home
  }

  join(...[connection, ...how]: Parameters<TestRegistry['join']>): Promise<void> {
    return this.#homeOf(connection as TestConnection).join(connection, ...how)
  }

  leave(...[connection, room]: Parameters<TestRegistry['leave']>): void {
    this.#homeOf(connection as TestConnection).leave(connection, room)
  }

  to(rooms: string | readonly string[]) {
    return this.#sender.to(rooms)
  }

  broadcast(event: 'said', data: unknown): Promise<string | undefined> {
    return this.#sender.broadcast(event, data)
  }

  rooms(): string[] {
    return this.nodes.flatMap(node => node.rooms())
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop()
  }

  get #sender(): TestRegistry {
    return this.nodes[0] as TestRegistry
  }
}

let worlds = 0

/** @param opens opens the log of a registry on a node */
function openOn(opens: readonly OpenEventLog[]): Open {
  return async (retention, homes, most) => {
    const name = `model${worlds++}`
    const shared = await Promise.all(opens.map(open => open(name, retention, new LogBook())))
    const all = shared.map(log => new RemoteLog(retention, () => log))
    const registries = await Promise.all(all.map(log => startRegistry({ log, name, most })))
    const each = (run: (log: RemoteLog) => void) => all.forEach(run)
    const log = {
      lag: (lagging?: boolean) => each(log => log.lag(lagging)),
      slow: (turns: number) => each(log => log.slow(turns)),
      hear: (count?: number) => each(log => log.hear(count)),
      skip: () => each(log => log.skip()),
      lose: () => Promise.reject(new Error('a log that is shared loses nothing here')),
    }
    return new World(new Nodes(registries), log, homes, pace)
  }
}

const all = [connects, tight, lates, lates, cuts, cuts, slows, logs, skips, moves, moves, kinds]
const onceOrTold = (peer: Peer) => {
  onceAtMost(peer)
  neverSilent(peer)
}

/** @param opens what opens its logs, once it is there */
function testModel(
  name: string,
  skip: string | false,
  opens: (t: TestContext) => Promise<readonly OpenEventLog[]>,
): void {
  const run = (what: string, ...how: [Parameters<typeof play>[0], Required<LogRetention>, Check]) =>
    test(`${name}: ${what}`, { skip, timeout: 60_000 }, async t => {
      const open = openOn(await opens(t))
      await fc.assert(play(...how, open, TIME), { numRuns: 60 })
    })
  run(
    'exactly once, in order, however they are cut and come back',
    [connects, connects, tight, cuts, slows, logs, skips],
    plenty,
    exactly,
  )
  run('rooms are joined and left: nothing twice, nothing lost, nothing from elsewhere', all, plenty, nothingElse)
  run(
    'where it forgets, nothing goes missing without a gap',
    [connects, connects, cuts, slows, logs, skips],
    { ...plenty, count: 2 },
    onceOrTold,
  )
}

testModel('Redis', redis.skip, async t => {
  const { port } = await redis.start(t)
  return [redis.log(port), redis.log(port)]
})

testModel('NATS', nats.skip, async t => {
  const { port } = await nats.start(t)
  // NATS sets aside what a stream may hold, and these are many.
  const stream = { bytes: 1_048_576 }
  return [nats.log(port, { stream }), nats.log(port, { stream })]
})

let serving: ReturnType<typeof serveClusterLogs> | undefined
let workers: Promise<LogWorker[]> | undefined
after(async () => {
  for (const worker of (await workers) ?? []) await worker.end()
  serving?.close()
})

testModel('node:cluster', false, async () => {
  serving ??= serveClusterLogs()
  workers ??= Promise.all([LogWorker.start(), LogWorker.start()])
  return (await workers).map(
    (worker): OpenEventLog =>
      (registry, retention) =>
        worker.open(registry, retention),
  )
})
