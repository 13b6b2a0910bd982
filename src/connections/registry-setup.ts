import type { PresenceOptions, Retention } from '../declare/registry.js'
import type { Logger } from '../logger.js'
import type { Clock } from './clock.js'
import type { EventLog } from './event-log.js'

/** How a registry is run: given to it at boot. @internal */
export interface RegistrySetup {
  readonly name: string
  readonly history: boolean
  readonly log: EventLog
  readonly logger: Logger
  readonly presence?: PresenceOptions | undefined
  /** For tests that make time pass. @default the process' own */
  readonly clock?: Clock
  /** Members that are given something in one turn of the event loop: for tests. */
  readonly most?: number
}

/** The retention of a registry that says nothing of its own. */
export const defaultRetention: Required<Retention> = { count: 100, bytes: 1_048_576, age: 300_000 }
