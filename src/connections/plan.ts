import type { Logger } from '../logger.js'
import type { Route } from '../routing/table.js'
import type { LiveConnections } from './live.js'
import type { QueueOptions } from './send-queue.js'

/** What connections are told by a timer that they share. */
export interface Beats<C> {
  add(connection: C): void
  delete(connection: C): void
}

/** What all connections of one route share: made once, at boot. */
export interface Plan<C> {
  readonly route: Route
  readonly logger: Logger
  readonly queue: QueueOptions
  readonly live: LiveConnections<C>
  /** What beats for each of them while it lives. */
  readonly pulses: readonly Beats<C>[]
}
