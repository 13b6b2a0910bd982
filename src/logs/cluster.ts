/** The door `palomino/cluster`: event logs that the processes of `node:cluster` share, without any server. */
import cluster from 'node:cluster'
import type { LogRetention, OpenEventLog } from '../connections/event-log.js'
import { type Checks, check, wrongOptions } from '../declare/options.js'
import { ConfigurationError } from '../errors.js'
import { ClusterEventLog } from './cluster-event-log.js'
import { PrimaryLogs } from './cluster-primary.js'
import { type Tail, tailOf, waits, wrongTail } from './limits.js'
import { PrimaryLink } from './primary-link.js'

export { ClusterEventLog }

/** What `clusterEventLog` is told. */
export interface ClusterEventLogOptions {
  /**
   * Milliseconds that a send, or a peer that comes back, waits for a primary that does not answer; then it fails with an
   * `EventLogUnavailableError`. @default 5000
   */
  readonly patience?: number
  /** Sends and peers of a worker that may wait at a time; more fail at once. @default 10_000 */
  readonly waiting?: number
}

/** What `serveClusterLogs` is told. */
export interface ServeClusterLogsOptions {
  /**
   * How far a worker may fall behind and still be given each message as it came; behind that its peers read on from
   * what their rooms remember. @default 10_000 messages, 32 MiB
   */
  readonly tail?: Partial<Tail>
}

const known: Checks<ClusterEventLogOptions> = { patience: check.milliseconds, waiting: check.count }
const knownOfServing: Checks<ServeClusterLogsOptions> = { tail: check.nested }

/** What this process holds, where it is the primary. */
const logs = new PrimaryLogs()

/**
 * Logs that all workers of one primary share: `bootstrap(AppModule, { eventLog: clusterEventLog() })` in each of them, and
 * `serveClusterLogs()` in the primary. With `workers`, `bootstrap` does both. In the primary, and in a process without
 * workers, it is a log of that process, which a publisher there may use.
 * @throws ConfigurationError for options that are not known, and values that cannot be meant
 */
export function clusterEventLog(options: ClusterEventLogOptions = {}): OpenEventLog {
  refuse(wrongOptions('clusterEventLog', options, known))
  const { patience = waits.patience, waiting = waits.waiting } = options
  if (cluster.isPrimary) return (registry, retention) => logs.open(registry, retention)
  const link = new PrimaryLink(process, { patience, waiting })
  return (registry, retention) => new ClusterEventLog(registry, finite(retention), link)
}

/**
 * Holds the logs of this primary's workers, those that it has and those that it will have.
 * @throws ConfigurationError for options that are not known, and in a process that is no primary
 */
export function serveClusterLogs(options: ServeClusterLogsOptions = {}): { readonly close: () => void } {
  const problems = wrongOptions('serveClusterLogs', options, knownOfServing)
  const { tail } = Object(options) as ServeClusterLogsOptions
  problems.push(...wrongTail('serveClusterLogs', tail))
  if (!cluster.isPrimary) problems.push('serveClusterLogs: this is a worker: call it in the primary')
  refuse(problems)
  return { close: logs.serve(cluster, tailOf(tail)) }
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new ConfigurationError(problems)
}

/** Infinity has no JSON form. */
function finite({ count, bytes, age }: Required<LogRetention>): Required<LogRetention> {
  const most = (value: number) => Math.min(value, Number.MAX_SAFE_INTEGER)
  return { count: most(count), bytes: most(bytes), age: most(age) }
}
