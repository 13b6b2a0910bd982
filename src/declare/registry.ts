import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AbstractClass } from './metadata.js'
import { markClass, written } from './routes.js'

/** What a registry remembers of each room, so that a peer that lost its connection misses nothing. */
export interface Retention {
  /** Events of a room. @default 100 */
  readonly count?: number
  /** Bytes of a room's events. @default 1_048_576 (1 MiB) */
  readonly bytes?: number
  /** Milliseconds. @default 300_000 (five minutes) */
  readonly age?: number
}

/** How it is known who is in a room, on any node. */
export interface PresenceOptions {
  /** Milliseconds between two signs of life; a node that was not heard for two of them is gone, with its users. @default 5000 */
  readonly heartbeat?: number
  /**
   * Milliseconds that a user whose connection was lost, or drained, stays present: one who is back by then was never
   * gone. 0 takes it away at once. @default 5000
   */
  readonly linger?: number
}

/** What `@Registry` is told. */
export interface RegistryOptions {
  /** How much of each room is remembered; a number is `{ count }`, `false` nothing. @default 100 events, 1 MiB, five minutes */
  readonly history?: number | Retention | false
  /** How presence is kept. @default a heartbeat every 5 s, and 5 s to linger */
  readonly presence?: PresenceOptions
  /**
   * The data of the events that are sent through it, by their names, for `openapi` and `asyncapi`. What is sent is not
   * checked: its type is that of the class. @default none are described
   */
  readonly events?: Readonly<Record<string, StandardSchemaV1>>
}

/** A typed registry of live connections: a class that extends `ConnectionRegistry<Events>`, injected by its type. */
export function Registry(name: string, options: RegistryOptions = {}): (target: AbstractClass) => void {
  return markClass({ as: 'registry', written: written('Registry', name), path: name, options })
}
