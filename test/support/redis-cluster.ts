import { createCluster, type RedisClusterType } from 'redis'
import { eventually } from './eventually.js'
import { RedisServer } from './redis-server.js'

const SLOTS = 16_384
const CONFIG = {
  'cluster-enabled': 'yes',
  'cluster-announce-ip': '127.0.0.1',
  'cluster-node-timeout': '2000',
  'cluster-require-full-coverage': 'no',
  'repl-diskless-sync-delay': '0',
}

/** Several masters that share the slots, the first of them with a replica. The caller ends it. */
export class RedisCluster {
  private constructor(
    readonly masters: readonly RedisServer[],
    readonly replica: RedisServer,
  ) {}

  static async open(masters: number): Promise<RedisCluster> {
    const servers = await Promise.all(Array.from({ length: masters + 1 }, () => RedisServer.open(CONFIG)))
    const [replica, ...rest] = servers as [RedisServer, ...RedisServer[]]
    const cluster = new RedisCluster(rest, replica)
    try {
      await cluster.#meet()
      return cluster
    } catch (error) {
      await cluster.end()
      throw error
    }
  }

  /** A client of the whole cluster, not connected. */
  client(): RedisClusterType {
    return createCluster({ rootNodes: this.masters.map(({ url }) => ({ url })) }) as unknown as RedisClusterType
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.masters[0]?.command('CLUSTER', 'KEYSLOT', key))
  }

  /** Gives a slot with all its keys to another master, as `redis-cli --cluster reshard` does. */
  async move(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    const [source, target] = await Promise.all([from, to].map(server => server.command('CLUSTER', 'MYID')))
    await to.command('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', String(source))
    await from.command('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', String(target))
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '1')) as string[]
      if (keys.length === 0) break
      await from.command('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS', ...keys)
    }
    for (const server of [to, from]) await server.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', String(target))
  }

  /** The master that has a slot at the beginning. */
  ownerOf(slot: number): RedisServer {
    return this.masters[Math.floor(slot / this.#share)] as RedisServer
  }

  get #share(): number {
    return Math.ceil(SLOTS / this.masters.length)
  }

  async #meet(): Promise<void> {
    const [first, ...others] = this.masters as [RedisServer, ...RedisServer[]]
    for (const [n, master] of this.masters.entries()) {
      const slots = Array.from({ length: SLOTS }, (_, slot) => slot).filter(slot => this.ownerOf(slot) === master)
      await master.command('CLUSTER', 'ADDSLOTS', ...slots.map(String))
      await master.command('CLUSTER', 'SET-CONFIG-EPOCH', `${n + 1}`)
    }
    for (const { port } of [...others, this.replica]) await first.command('CLUSTER', 'MEET', '127.0.0.1', `${port}`)
    const all = [...this.masters, this.replica]
    const info = (server: RedisServer) => server.command('CLUSTER', 'INFO').then(String)
    const knowsAll = (text: string) =>
      text.includes('cluster_state:ok') && text.includes(`cluster_known_nodes:${all.length}`)
    await eventually('all know all', async () => (await Promise.all(all.map(info))).every(knowsAll), {
      timeout: 30_000,
    })
    await this.replica.command('CLUSTER', 'REPLICATE', String(await first.command('CLUSTER', 'MYID')))
    const replicates = async () =>
      /master_link_status:up/.test(String(await this.replica.command('INFO', 'replication')))
    await eventually('the replica replicates', replicates, { timeout: 30_000 })
  }

  async end(): Promise<void> {
    await Promise.all([...this.masters, this.replica].map(server => server.end()))
  }
}
