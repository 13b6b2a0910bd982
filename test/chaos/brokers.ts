/** The logs that chaos is tried on: how a node opens one, and what can befall it. */
import type { OpenEventLog } from '../../src/index.js'
import { redisEventLog } from '../../src/logs/redis.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { RedisServer, skip } from '../support/redis-server.js'

/** What a node's program is told of its log; it has a JSON form. */
export interface LogSpec {
  readonly kind: keyof typeof OPENERS
  readonly url: string
}

const OPENERS = {
  redis: ({ url }: LogSpec): OpenEventLog => redisEventLog({ url, patience: 30_000 }),
}

export function openerOf(spec: LogSpec): OpenEventLog {
  return OPENERS[spec.kind](spec)
}

/** A server that holds a log. */
export interface Broker {
  readonly spec: LogSpec
  /** Cuts the connections of the nodes, which may make new ones at once. */
  cut(): Promise<void>
  /** Ends it as a crash does, and starts it again with what it had. */
  restart(): Promise<void>
  /** Ends it, and starts it again with nothing. */
  lose(): Promise<void>
  end(): Promise<void>
}

export interface BrokerKind {
  readonly name: string
  /** Why it cannot be had here; false where it can. */
  readonly skip: string | false
  open(): Promise<Broker>
}

/** Redis behind a wire, and its append-only file. */
const redis: BrokerKind = {
  name: 'Redis',
  skip,
  async open() {
    // `everysec`, the default, puts writes off for as long as an fsync takes, and what a crash loses then is a gap, rightly.
    const kept = { appendonly: 'yes', appendfsync: 'no' }
    const server = await RedisServer.open({ ...kept, 'maxmemory-policy': 'noeviction' })
    const wire = await CuttableWire.to(server.port)
    let cuts = 0
    return {
      spec: { kind: 'redis', url: `redis://127.0.0.1:${wire.port}` },
      async cut() {
        if (cuts++ % 2 === 1) return void (await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
        wire.cut()
        wire.mend()
      },
      async restart() {
        await server.stop()
        await server.run()
      },
      async lose() {
        await server.stop()
        server.forget()
        await server.run()
      },
      async end() {
        await wire.close()
        await server.end()
      },
    }
  },
}

export const brokers: readonly BrokerKind[] = [redis]
