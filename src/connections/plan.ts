import type { Logger } from '../logger.js'
import type { Route } from '../routing/table.js'
import type { LiveOfRoute } from './live.js'
import type { QueueOptions } from './send-queue.js'

/** What all connections of one route share: made once, at boot. */
export interface Plan<C> {
  readonly route: Route
  readonly logger: Logger
  readonly queue: QueueOptions
  readonly live: LiveOfRoute<C>
}
