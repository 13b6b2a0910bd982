/** One who is in a room: a user, however many connections stand for it, on whatever nodes. */
export interface Presence<Meta = unknown> {
  /** Who is there, as `join` was told. */
  readonly user: string
  /** The metadata of each of its connections there; `null` where one gave none. */
  readonly metas: readonly Meta[]
}

/**
 * The data of the event `presence`, which those who watch a room get: first all who are there (`users`), and then what
 * has changed since. Where `users` comes again, it stands in place of all that was known.
 */
export type PresenceEvent<Meta = unknown> =
  | { readonly registry: string; readonly room: string; readonly users: readonly Presence<Meta>[] }
  | ({ readonly registry: string; readonly room: string } & PresenceDiff<Meta>)

/** Who has come, who has other metadata now, and who has gone, with the metadata that was last known. */
export interface PresenceDiff<Meta = unknown> {
  /** Users who were not there before. */
  readonly joined?: readonly Presence<Meta>[]
  /** Users whose metadata are other ones. */
  readonly changed?: readonly Presence<Meta>[]
  /** Users who are there no more. */
  readonly left?: readonly Presence<Meta>[]
}

/** The name of a user. @throws TypeError for what is none */
export function checkUser(user: unknown): string {
  if (typeof user === 'string' && user !== '') return user
  throw new TypeError(`${JSON.stringify(user)} is no user: a user is named by a string`)
}

/** One connection in one room that stands for a user. */
export interface Stay {
  readonly room: string
  /** The connection's id. */
  readonly connection: string
  readonly user: string
  readonly meta: unknown
  /** Set where its connection has ended, and the user may come back: takes it away before its time. */
  end?: () => void
}

/** Who is in which room, on whatever node: as far as this node knows. */
export class Roster {
  readonly #rooms = new Map<string, Map<string, Set<Stay>>>()

  /** @param changing called before a user of a room changes */
  constructor(private readonly changing: (room: string, user: string) => void) {}

  users(room: string): Presence[] {
    return [...(this.#rooms.get(room) ?? [])].map(([user, stays]) => ({ user, metas: metasOf(stays) }))
  }

  /** The metadata of a user's connections; undefined where it has none in this room. */
  metas(room: string, user: string): unknown[] | undefined {
    const stays = this.#rooms.get(room)?.get(user)
    return stays && metasOf(stays)
  }

  /** One who comes ends what lingers of its earlier connections. */
  add(stay: Stay): void {
    const { room, user } = stay
    this.changing(room, user)
    const users = this.#rooms.get(room) ?? new Map<string, Set<Stay>>()
    const stays = users.get(user) ?? new Set()
    this.#rooms.set(room, users.set(user, stays.add(stay)))
    for (const other of [...stays]) other.end?.()
  }

  remove(stay: Stay): void {
    const { room, user } = stay
    const users = this.#rooms.get(room)
    const stays = users?.get(user)
    if (users === undefined || !stays?.has(stay)) return
    this.changing(room, user)
    stays.delete(stay)
    if (stays.size > 0) return
    users.delete(user)
    if (users.size === 0) this.#rooms.delete(room)
  }
}

function metasOf(stays: Iterable<Stay>): unknown[] {
  return Array.from(stays, stay => stay.meta)
}
