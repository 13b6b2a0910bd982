/** The door `palomino/nats`: event logs in NATS JetStream, for applications of many nodes. */
import type { OpenEventLog } from '../connections/event-log.js'
import { type Checks, check, withDefaults, wrongOptions } from '../declare/options.js'
import { ConfigurationError } from '../errors.js'
import { HealthNotes, type OnHealth } from './health-notes.js'
import { LeftOut } from './left-out.js'
import { waits } from './limits.js'
import { Link } from './link.js'
import { type ConnectionOptions, loadPackages, NatsClient } from './nats-client.js'
import { NatsEventLog } from './nats-event-log.js'
import { NatsStream } from './nats-stream.js'
import { Patience } from './patience.js'
import { shareable } from './shared-link.js'

export { NatsEventLog }

/** What `natsEventLog` is told. */
export interface NatsEventLogOptions {
  /** Where NATS is: `host[:port]`, or several servers of one cluster. @default 'localhost:4222' */
  readonly servers?: string | readonly string[]
  /** What else `connect` of `@nats-io/transport-node` is given: user, token, authenticator, tls, name … @default none */
  readonly connection?: Omit<ConnectionOptions, 'servers'>
  /** In front of all subjects, and of the names of streams. Letters, digits, `_` and `-`. @default 'palomino' */
  readonly prefix?: string
  /**
   * Milliseconds that a send, or a peer that comes back, waits for a NATS that is away; then it fails with an
   * `EventLogUnavailableError`. 0 waits for nothing but an answer. @default 5000
   */
  readonly patience?: number
  /** Sends and peers of a registry that may wait at a time; more fail at once. @default 10_000 */
  readonly waiting?: number
  /**
   * How far the stream of a registry reaches back over all of its rooms, which is what a node reads when it starts, and
   * how many servers of a cluster keep it; `age` in milliseconds. @default 100_000 messages, 64 MiB, a day, 1 server
   */
  readonly stream?: {
    readonly count?: number
    readonly bytes?: number
    readonly age?: number
    readonly replicas?: number
  }
  /** How many messages to the same rooms a node may fall behind and still be given each as it came. @default 1000 */
  readonly tail?: number
  /** Called when the log of a registry is away, and when it is back. @default none, but both are logged */
  readonly onHealth?: OnHealth
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null

const known: Checks<NatsEventLogOptions> = {
  servers: value => ([value].flat().every(isText) ? undefined : 'a text, or a list of texts'),
  connection: value => (isObject(value) ? undefined : 'an object of options for connect'),
  prefix: value => (/^[\w-]+$/.test(String(value)) ? undefined : 'a text of letters, digits, _ and -'),
  patience: check.milliseconds,
  waiting: check.count,
  stream: value => (isObject(value) ? undefined : 'an object { count, bytes, age, replicas }'),
  tail: check.count,
  onHealth: check.method,
}
const streamChecks: Checks<Required<NatsEventLogOptions>['stream']> = {
  count: check.count,
  bytes: check.bytes,
  age: check.milliseconds,
  replicas: check.count,
}

const isText = (value: unknown) => typeof value === 'string' && value !== ''

/**
 * Logs in NATS 2.9 or later with JetStream, on which any number of nodes share their registries:
 * `bootstrap(AppModule, { eventLog: natsEventLog({ servers }) })`. Needs the packages `@nats-io/transport-node` and
 * `@nats-io/jetstream`.
 * @throws ConfigurationError for options that are not known, and values that cannot be meant
 */
export function natsEventLog(options: NatsEventLogOptions = {}): OpenEventLog {
  checkOptions(options)
  const { prefix = 'palomino', patience = waits.patience, waiting = waits.waiting, tail = 1000, onHealth } = options
  const reach = { count: 100_000, bytes: 67_108_864, age: 86_400_000, replicas: 1 }
  const bounds = { ...withDefaults(reach, options.stream), tail }
  const shared = shareable(linkTo(options))
  return async (registry, retention, logger) => {
    await loadPackages()
    return new NatsEventLog({
      ...shared,
      retention,
      stream: new NatsStream(prefix, registry, retention, bounds, patience),
      patience: new Patience(registry, patience, waiting),
      startingWithin: patience,
      notes: new HealthNotes(registry, logger, onHealth),
      leftOut: new LeftOut(`the event log of the registry ${registry}`, logger),
    })
  }
}

function linkTo({ servers = 'localhost:4222', connection }: NatsEventLogOptions): Link<NatsClient> {
  const options: ConnectionOptions = { ...connection, servers: [servers].flat() }
  return new Link<NatsClient>({
    server: 'NATS',
    connect: fate => NatsClient.connect(options, fate),
    close: client => client.close(),
    destroy: client => client.destroy(),
  })
}

function checkOptions(options: NatsEventLogOptions): void {
  const problems = wrongOptions('natsEventLog', options, known)
  const { stream, connection } = Object(options) as NatsEventLogOptions
  if (isObject(stream)) problems.push(...wrongOptions('natsEventLog: stream', stream, streamChecks))
  if ('servers' in Object(connection)) problems.push('natsEventLog: give servers beside connection, not in it')
  if (problems.length > 0) throw new ConfigurationError(problems)
}
