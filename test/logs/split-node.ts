import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { LogHealth } from '../../src/index.js'
import { redisEventLog } from '../../src/logs/redis.js'
import { message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { RedisServer } from '../support/redis-server.js'
import { plenty } from '../support/registry-peers.js'
import { sparePort } from '../support/spare-port.js'

/** A node whose two connections, by which it asks and by which it hears, can be led to another server one by one. */
export class SplitNode extends Node {
  private constructor(
    readonly wire: CuttableWire,
    private readonly connections: Record<'asks' | 'hears', string>,
    private readonly changes: readonly LogHealth[],
    log: ConstructorParameters<typeof Node>[0],
  ) {
    super(log)
  }

  /** @param patience milliseconds */
  static async at(t: TestContext, server: RedisServer, patience = 15_000): Promise<SplitNode> {
    const wire = await CuttableWire.to(server.port)
    t.after(() => wire.close())
    const url = `redis://127.0.0.1:${wire.port}`
    const changes: LogHealth[] = []
    const onHealth = (_: string, health: LogHealth) => changes.push(health)
    const log = await redisEventLog({ url, patience, onHealth })('r', plenty, new LogBook())
    t.after(() => log.stop())
    const connections = { asks: '', hears: '' }
    const before = await connectionsOf(server)
    const node = await new SplitNode(wire, connections, changes, log).start()
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
    if (which === 'hears') return this.#comesTo(to, end)
    const before = this.changes.length
    await end()
    await eventually('it has lost it, and can ask there', () => this.changes.length >= before + 2)
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
export async function connectionsOf(server: RedisServer): Promise<Map<string, string>> {
  const list = String(await server.command('CLIENT', 'LIST', 'TYPE', 'NORMAL'))
  const lines = [...list.matchAll(/\bid=(\d+) .* cmd=(\S+)/g)].filter(([, , last]) => !last?.startsWith('client'))
  return new Map(lines.map(([, id = '', last = '']) => [id, last]))
}

export async function replicaOf(t: TestContext, master: RedisServer): Promise<RedisServer> {
  const replica = await RedisServer.start(t, { replicaof: `127.0.0.1 ${master.port}` })
  const replicates = async () => /master_link_status:up/.test(String(await replica.command('INFO', 'replication')))
  await eventually('it replicates', replicates, { timeout: 30_000 })
  return replica
}

export const promote = (replica: RedisServer) => replica.command('REPLICAOF', 'NO', 'ONE')
