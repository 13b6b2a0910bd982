/** The logs that chaos is tried on, and what can befall them. */
import { type ChildProcess, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { join } from 'node:path'
import { serveClusterLogs } from '../../src/logs/cluster.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import type { LogServer } from '../support/log-server.js'
import { NatsServer, skip as skipNats } from '../support/nats-server.js'
import { RedisServer, skip as skipRedis } from '../support/redis-server.js'
import { sparePort } from '../support/spare-port.js'
import type { Fault } from './faults.js'
import type { LogSpec } from './log-spec.js'

/** What holds a log, and starts the nodes that have it. */
export interface Broker {
  /** Starts the program of a node. */
  fork(env: NodeJS.ProcessEnv): Promise<ChildProcess>
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
  /** How much it is tried, unless `CHAOS_SECONDS` and `CHAOS_ROLLS` say something else, or `CHAOS_FULL` as much as Redis. */
  readonly seconds: number
  readonly rolls: number
  readonly faults: readonly Fault[]
  open(): Promise<Broker>
}

const PROGRAM = join(import.meta.dirname, 'node-program.js')
const execArgv = ['--max-old-space-size=512']

/** A way to start nodes whose log is on a server. */
const forker = (spec: LogSpec) => async (env: NodeJS.ProcessEnv) =>
  fork(PROGRAM, { env: { ...env, LOG: JSON.stringify(spec) }, execArgv })

/** Every log is tried as long as Redis, and everything on each: that takes longer than CI may. */
const isFull = process.env.CHAOS_FULL !== undefined

const ALL: readonly Fault[] = ['kill', 'drain', 'freeze', 'cut', 'restart']

/** A server that nodes reach by a wire, which is cut. */
async function behindWire(server: LogServer, specOf: (wire: CuttableWire) => LogSpec): Promise<Broker> {
  const wire = await CuttableWire.to(server.port)
  return {
    fork: forker(specOf(wire)),
    async cut() {
      wire.cut()
      wire.mend()
    },
    async restart() {
      await server.stop()
      await server.run()
    },
    async lose() {
      await server.stop()
      await server.runEmpty()
    },
    async end() {
      await wire.close()
      await server.end()
    },
  }
}

/** Redis, and its append-only file. */
const redis: BrokerKind = {
  name: 'Redis',
  skip: skipRedis,
  seconds: 60,
  rolls: 10,
  faults: ALL,
  async open() {
    // `everysec`, the default, puts writes off for as long as an fsync takes, and `no` may answer one whose connection has
    // more to send before it is written: what a crash loses then is a gap, rightly. Only `always` keeps all that it answered.
    const kept = { appendonly: 'yes', appendfsync: 'always' }
    const server = await RedisServer.open({ ...kept, 'maxmemory-policy': 'noeviction' })
    const broker = await behindWire(server, ({ port }) => ({ kind: 'redis', url: `redis://127.0.0.1:${port}` }))
    let cuts = 0
    const cut = async () => {
      if (cuts++ % 2 === 0) return broker.cut()
      await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    }
    return { ...broker, cut }
  },
}

/** NATS, and the files of JetStream. */
const nats: BrokerKind = {
  name: 'NATS',
  skip: skipNats,
  seconds: 60,
  rolls: isFull ? 10 : 1,
  faults: ALL,
  open: async () => behindWire(await NatsServer.open(), ({ port }) => ({ kind: 'nats', url: `127.0.0.1:${port}` })),
}

/** The test's own process is the primary of its nodes: nothing befalls the log but what befalls them. */
const ipc: BrokerKind = {
  name: 'the log of the primary',
  skip: false,
  seconds: isFull ? 60 : 8,
  rolls: isFull ? 10 : 1,
  faults: ['kill', 'drain', 'freeze'],
  async open() {
    const serving = serveClusterLogs()
    cluster.setupPrimary({ exec: PROGRAM, execArgv })
    const untouched = () => Promise.reject(new Error('the log is in this process'))
    return {
      // Workers that ask for a spare port are given the same one.
      fork: async env => {
        const spec: LogSpec = { kind: 'ipc', url: '' }
        return cluster.fork({ ...env, LOG: JSON.stringify(spec), PORT: await sparePort() }).process
      },
      cut: untouched,
      restart: untouched,
      lose: untouched,
      end: async () => serving.close(),
    }
  },
}

/** Brokers that a fault can befall. */
export const servers: readonly BrokerKind[] = [redis, nats]

export const brokers: readonly BrokerKind[] = [...servers, ipc]

/** Those that what takes long is tried on: all of them with `CHAOS_FULL`. */
export const few: readonly BrokerKind[] = isFull ? brokers : servers
