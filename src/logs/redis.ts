/** The door `palomino/redis`: event logs in Redis, for applications of many nodes. */
import type { OpenEventLog } from '../connections/event-log.js'
import { type Checks, check, wrongOptions } from '../declare/options.js'
import { ConfigurationError } from '../errors.js'
import { HealthNotes, type OnHealth } from './health-notes.js'
import { LeftOut } from './left-out.js'
import { type Tail, tailOf, waits, wrongTail } from './limits.js'
import { Patience } from './patience.js'
import { RedisEventLog } from './redis-event-log.js'
import { duplicate, type RedisClient, RedisLink } from './redis-link.js'
import { shareable } from './shared-link.js'

export { type RedisClient, RedisEventLog }

/** What `redisEventLog` is told. */
export interface RedisEventLogOptions {
  /** Where Redis is: `redis[s]://[user:password@]host[:port][/database]`. @default 'redis://localhost:6379' */
  readonly url?: string
  /**
   * In place of a url, a client of the package `redis`, of one server, a Sentinel or a Cluster. It is not used itself,
   * and need not be connected: connections of the same configuration are. @default one for `url`
   */
  readonly client?: RedisClient
  /** In front of all keys. @default 'palomino' */
  readonly prefix?: string
  /**
   * Milliseconds that a send, or a peer that comes back, waits for a Redis that is away; then it fails with an
   * `EventLogUnavailableError`. 0 waits for nothing but an answer. @default 5000
   */
  readonly patience?: number
  /** Sends and peers of a registry that may wait at a time; more fail at once. @default 10_000 */
  readonly waiting?: number
  /** How far a node may fall behind and still be given each message as it came. @default 10_000 messages, 32 MiB */
  readonly tail?: Partial<Tail>
  /** Called when the log of a registry is away, and when it is back. @default none, but both are logged */
  readonly onHealth?: OnHealth
}

const known: Checks<RedisEventLogOptions> = {
  url: check.text,
  client: value => (typeof Object(value).duplicate === 'function' ? undefined : 'a client of the package redis'),
  prefix: check.text,
  patience: check.milliseconds,
  waiting: check.count,
  tail: check.nested,
  onHealth: check.method,
}

/**
 * Logs in Redis 6 or later, or Valkey, on which any number of nodes share their registries:
 * `bootstrap(AppModule, { eventLog: redisEventLog({ url }) })`. Needs the package `redis`.
 * @throws ConfigurationError for options that are not known, and values that cannot be meant
 */
export function redisEventLog(options: RedisEventLogOptions = {}): OpenEventLog {
  checkOptions(options)
  const { prefix = 'palomino', patience = waits.patience, waiting = waits.waiting, onHealth } = options
  const tail = tailOf(options.tail)
  const model = lazily(async () => options.client ?? (await clientOf(options.url)))
  const link = () => new RedisLink(async () => duplicate(await model()))
  const shared = shareable(link())
  return async (registry, retention, logger) => {
    await model()
    return new RedisEventLog({
      ...shared,
      registry,
      retention,
      prefix,
      tail,
      reader: link(),
      patience: new Patience(registry, patience, waiting),
      startingWithin: patience,
      notes: new HealthNotes(registry, logger, onHealth),
      leftOut: new LeftOut(`the event log of the registry ${registry}`, logger),
    })
  }
}

function checkOptions(options: RedisEventLogOptions): void {
  const problems = wrongOptions('redisEventLog', options, known)
  const { tail, url, client } = Object(options) as RedisEventLogOptions
  problems.push(...wrongTail('redisEventLog', tail))
  if (url !== undefined && client !== undefined) problems.push('redisEventLog: give a url or a client, not both')
  if (problems.length > 0) throw new ConfigurationError(problems)
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

async function clientOf(url = 'redis://localhost:6379'): Promise<RedisClient> {
  const { createClient } = await import('redis').catch(cause => {
    throw new Error('palomino/redis needs the package redis: npm install redis', { cause })
  })
  return createClient({ url })
}
