import { isDeepStrictEqual } from 'node:util'
import { runOutside } from '../pipeline/current.js'
import type { Connection } from './connection.js'
import type { Encodings } from './encodings.js'
import type { LogMessage } from './event-log.js'
import type { Presence, PresenceDiff, PresenceEvent, Roster } from './presence.js'

/** A connection that is told who is in a room. */
interface Watcher {
  readonly room: string
  readonly connection: Connection
  /** It knows all but what has changed since the last time the room's watchers were told. */
  isCurrent: boolean
  /** It is waited for, until it keeps up. */
  isAwaited: boolean
}

/** What watchers need of their registry. */
export interface WatchersSetup {
  readonly registry: string
  readonly encodings: Encodings
  readonly roster: Pick<Roster, 'users' | 'metas'>
  /** Told of what has changed in a room; undefined where nobody on this node wants to know. */
  readonly changed: ((room: string, diff: PresenceDiff) => void) | undefined
}

/**
 * Tells those who watch a room who is there: first all, then what has changed, once for each turn of the event loop in
 * which something did. A watcher that does not keep up gets no changes, and all anew when it does.
 */
export class Watchers {
  readonly #rooms = new Map<string, Map<Connection, Watcher>>()
  readonly #behind = new Set<Watcher>()
  /** Who has changed in this turn, with the metadata that was told before; undefined of those who were not there. */
  readonly #changing = new Map<string, Map<string, readonly unknown[] | undefined>>()
  #isDue = false

  constructor(private readonly setup: WatchersSetup) {}

  /** A user of a room is about to change. */
  changing(room: string, user: string): void {
    if (!this.#rooms.has(room) && this.setup.changed === undefined) return
    const users = this.#changing.get(room) ?? new Map<string, readonly unknown[] | undefined>()
    if (!users.has(user)) users.set(user, this.setup.roster.metas(room, user))
    this.#changing.set(room, users)
    this.#tellSoon()
  }

  add(connection: Connection, room: string): void {
    const watchers = this.#rooms.get(room) ?? new Map<Connection, Watcher>()
    if (watchers.has(connection)) return
    const watcher = { room, connection, isCurrent: false, isAwaited: false }
    this.#rooms.set(room, watchers.set(connection, watcher))
    this.#behind.add(watcher)
    this.#tellSoon()
  }

  delete(connection: Connection, room: string): void {
    const watchers = this.#rooms.get(room)
    const watcher = watchers?.get(connection)
    if (watchers === undefined || watcher === undefined) return
    watchers.delete(connection)
    this.#behind.delete(watcher)
    if (watchers.size === 0) this.#rooms.delete(room)
  }

  #tellSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    runOutside(() => setImmediate(() => this.#tell()))
  }

  #tell(): void {
    this.#isDue = false
    const changing = [...this.#changing]
    this.#changing.clear()
    const told = changing.flatMap(([room, before]) => {
      const diff = this.#diff(room, before)
      return diff === undefined ? [] : [{ room, diff }]
    })
    for (const { room, diff } of told) this.#tellDiff(room, diff)
    this.#tellAll()
    for (const { room, diff } of told) this.setup.changed?.(room, diff)
  }

  #diff(room: string, before: ReadonlyMap<string, readonly unknown[] | undefined>): PresenceDiff | undefined {
    const joined: Presence[] = []
    const changed: Presence[] = []
    const left: Presence[] = []
    for (const [user, old] of before) {
      const metas = this.setup.roster.metas(room, user)
      if (metas === undefined) {
        if (old !== undefined) left.push({ user, metas: old })
      } else if (old === undefined) joined.push({ user, metas })
      else if (!isDeepStrictEqual(old, metas)) changed.push({ user, metas })
    }
    if (joined.length + changed.length + left.length === 0) return undefined
    return {
      ...(joined.length > 0 ? { joined } : {}),
      ...(changed.length > 0 ? { changed } : {}),
      ...(left.length > 0 ? { left } : {}),
    }
  }

  #tellDiff(room: string, diff: PresenceDiff): void {
    const message = this.#message({ registry: this.setup.registry, room, ...diff })
    for (const watcher of this.#rooms.get(room)?.values() ?? []) {
      if (!watcher.isCurrent || this.#give(watcher, message)) continue
      watcher.isCurrent = false
      this.#behind.add(watcher)
    }
  }

  /** Tells those who are behind all that is known, as soon as they keep up. */
  #tellAll(): void {
    const messages = new Map<string, LogMessage>()
    for (const watcher of this.#behind) {
      const { room, connection } = watcher
      if (!connection.queue.keepsUp || !connection.gate.passed) {
        this.#await(watcher)
        continue
      }
      const { registry, roster } = this.setup
      const message = messages.get(room) ?? this.#message({ registry, room, users: roster.users(room) })
      messages.set(room, message)
      watcher.isCurrent = this.#give(watcher, message)
      if (watcher.isCurrent) this.#behind.delete(watcher)
      else this.#await(watcher)
    }
  }

  async #await(watcher: Watcher): Promise<void> {
    if (watcher.isAwaited) return
    watcher.isAwaited = true
    await watcher.connection.gate.wait()
    await watcher.connection.drained()
    watcher.isAwaited = false
    if (this.#behind.has(watcher)) this.#tellSoon()
  }

  #message(event: PresenceEvent): LogMessage {
    return { rooms: [event.room], event: 'presence', data: JSON.stringify(event), except: [] }
  }

  #give({ connection }: Watcher, message: LogMessage): boolean {
    return connection.queue.offer(this.setup.encodings.bytes(message, connection.codec, undefined))
  }
}
