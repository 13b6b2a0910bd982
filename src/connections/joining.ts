import { type Checks, check, show, wrongOptions } from '../declare/options.js'
import type { Connection } from './connection.js'
import { checkTracking, type TrackOptions } from './tracking.js'

/** What a connection asks for when it joins a room. */
export interface JoinOptions<Meta = unknown> extends TrackOptions<Meta> {
  /** The last events of the room that a peer gets which did not come back to it with a last event id. @default 0 */
  readonly history?: number
}

const NONE: JoinOptions = {}

/** Users and their metadata have a check of their own. */
const elsewhere = () => undefined
const checks: Checks<JoinOptions> = { history: check.events, user: elsewhere, meta: elsewhere, watch: check.flag }

/** @throws TypeError for what is no option, and for a value that cannot be meant */
export function checkJoin(options: JoinOptions = NONE): { readonly history: number; readonly tracked: TrackOptions } {
  if (options === NONE) return { history: 0, tracked: NONE }
  const [wrong] = wrongOptions('join', options, checks)
  if (wrong !== undefined) throw new TypeError(wrong)
  return { history: options.history ?? 0, tracked: checkTracking(options) }
}

/** @throws TypeError for what is none */
export function checkConnection(connection: Connection): void {
  if (typeof connection?.onEnd === 'function') return
  throw new TypeError(
    `join takes a connection first, and ${show(connection)} is none: give it the EventStream or the Socket`,
  )
}

/** Who has asked to come in, and waits for the log to say where the past begins: who leaves meanwhile does not come in. */
export class Joining {
  readonly #rooms = new Map<Connection, Set<Set<string>>>()

  /** Answers the rooms that are still to be joined, for as long as `join` runs. */
  async during(
    connection: Connection,
    names: readonly string[],
    join: (rooms: ReadonlySet<string>) => Promise<void>,
  ): Promise<void> {
    const rooms = new Set(names)
    const all = this.#rooms.get(connection) ?? new Set()
    this.#rooms.set(connection, all.add(rooms))
    try {
      await join(rooms)
    } finally {
      all.delete(rooms)
      if (all.size === 0) this.#rooms.delete(connection)
    }
  }

  /** It is to stay outside: of one room, or of all. */
  leave(connection: Connection, room?: string): void {
    for (const rooms of this.#rooms.get(connection) ?? []) {
      if (room === undefined) rooms.clear()
      else rooms.delete(room)
    }
  }
}
