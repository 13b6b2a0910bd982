import { isDeepStrictEqual } from 'node:util'
import { runOutside } from '../pipeline/current.js'
import type { Codec } from './codec.js'
import type { Connection } from './connection.js'
import type { Presence, PresenceDiff, PresenceEvent, Roster } from './presence.js'
import { inSlices } from './slice.js'

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
  readonly roster: Pick<Roster, 'users' | 'metas'>
  /** Told of each user that has changed in a room; undefined where nobody on this node wants to know. */
  readonly changed: ((how: keyof PresenceDiff, user: Presence, room: string) => void) | undefined
  /** For tests: as for `Slice`. */
  readonly most?: number | undefined
}

/** What has changed in a room until a turn of the event loop. */
interface Told {
  readonly room: string
  readonly diff: PresenceDiff
}

/** One thing that watchers are told: encoded once for each wire format, however many turns that takes. */
class News {
  readonly #bytes = new Map<Codec, Buffer>()

  constructor(private readonly event: PresenceEvent) {}

  bytes(codec: Codec): Buffer {
    const known = this.#bytes.get(codec)
    if (known !== undefined) return known
    const bytes = codec.encode({ event: 'presence', data: JSON.stringify(this.event) })
    this.#bytes.set(codec, bytes)
    return bytes
  }
}

interface Telling {
  readonly watcher: Watcher
  readonly news: News
}

/**
 * Tells those who watch a room who is there: first all, then what has changed, once for each turn of the event loop in
 * which something did. A watcher that does not keep up gets no changes, and all anew when it does. Telling very many takes
 * several turns: what changes meanwhile is told behind that, so that each hears everything in order, and once.
 */
export class Watchers {
  readonly #rooms = new Map<string, Map<Connection, Watcher>>()
  readonly #behind = new Set<Watcher>()
  /** Who has changed in this turn, with the metadata that was told before; undefined of those who were not there. */
  readonly #changing = new Map<string, Map<string, readonly unknown[] | undefined>>()
  #isDue = false
  #isTelling = false

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
    if (!this.#isTelling) this.#tellNextTurn()
  }

  #tellNextTurn(): void {
    this.#isTelling = true
    runOutside(() => setImmediate(() => this.#tell()))
  }

  /** All that is told is of the moment in which this begins. */
  async #tell(): Promise<void> {
    this.#isDue = false
    try {
      await this.#tellAll()
    } finally {
      this.#isTelling = false
      if (this.#isDue) this.#tellNextTurn()
    }
  }

  async #tellAll(): Promise<void> {
    const { changed, most } = this.setup
    const told = this.#takeChanges()
    const all = this.#allThatIsKnown()
    await inSlices(this.#changes(told), telling => this.#give(telling), most)
    const isBehind = ({ watcher }: Telling) => this.#behind.has(watcher)
    await inSlices(all, telling => isBehind(telling) && this.#give(telling), most)
    if (changed !== undefined) await inSlices(eachUser(told), each => changed(...each), most)
  }

  #takeChanges(): Told[] {
    const changing = [...this.#changing]
    this.#changing.clear()
    return changing.flatMap(([room, before]) => {
      const diff = this.#diff(room, before)
      return diff === undefined ? [] : [{ room, diff }]
    })
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

  /** For those who know all until now. */
  *#changes(told: readonly Told[]): Generator<Telling> {
    for (const { room, diff } of told) {
      const news = new News({ registry: this.setup.registry, room, ...diff })
      for (const watcher of this.#rooms.get(room)?.values() ?? []) if (watcher.isCurrent) yield { watcher, news }
    }
  }

  /** For those who are behind, and keep up by now. */
  #allThatIsKnown(): Telling[] {
    const { registry, roster } = this.setup
    const rooms = new Map<string, News>()
    const telling: Telling[] = []
    for (const watcher of this.#behind) {
      const { room, connection } = watcher
      if (!connection.queue.keepsUp || !connection.gate.passed) {
        this.#await(watcher)
        continue
      }
      const news = rooms.get(room) ?? new News({ registry, room, users: roster.users(room) })
      rooms.set(room, news)
      telling.push({ watcher, news })
    }
    return telling
  }

  /** One that does not take it is told all, as soon as it keeps up; what cannot be told to one is its own failure. */
  #give({ watcher, news }: Telling): void {
    const { connection } = watcher
    try {
      watcher.isCurrent = connection.queue.offer(news.bytes(connection.codec))
    } catch (error) {
      return connection.failed(error)
    }
    if (watcher.isCurrent) this.#behind.delete(watcher)
    else {
      this.#behind.add(watcher)
      this.#await(watcher)
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
}

function* eachUser(told: readonly Told[]): Generator<[how: keyof PresenceDiff, user: Presence, room: string]> {
  for (const { room, diff } of told)
    for (const how of ['joined', 'changed', 'left'] as const)
      for (const user of diff[how] ?? []) yield [how, user, room]
}
