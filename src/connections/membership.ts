import type { Connection } from './connection.js'
import { type Cursor, formatId, parseId } from './cursor.js'
import type { Encodings } from './encodings.js'
import { EVERYWHERE, type LogEntry, type Page, type Place } from './event-log.js'
import type { SharedReads } from './shared-reads.js'

/** What a membership needs of its registry. */
export interface Surroundings {
  readonly name: string
  readonly reads: SharedReads
  /** Whether what is sent is kept in the log. */
  readonly history: boolean
  /** How far this node has been given the log. */
  readonly place: Place
  readonly encodings: Encodings
}

/** Entries that are read at a time. */
const PAGE = 256

/**
 * One connection in one registry. It is either live, and given each entry as it comes, or it catches up: reads the log
 * from where the peer stands, at the peer's pace, until nothing is left between what it read and what is live.
 */
export class Membership {
  readonly rooms = new Set<string>()
  /** Where it became live: what lies up to here it has from the log. Infinity while it catches up. */
  liveAfter = Number.POSITIVE_INFINITY
  /** How far the peer has come in each room, and in what is sent to all. Up to date only while it catches up. */
  readonly #positions = new Map<string, number>()
  /** Rooms that begin for the peer at a position, where it has not come in the others: until then they have none. */
  readonly #starts = new Map<string, number>()
  /** Rooms it was in at some time: what it missed before this connection was replayed then. */
  readonly #known = new Set<string>()
  /** Where the peer says that it stood when it came: undefined for a newcomer, `foreign` where that is no place in this log. */
  #cursor: Cursor | 'foreign' | undefined
  /** Rooms whose position is what the peer says, which the log has not been asked about. */
  readonly #unchecked = new Set<string>()
  /** Rooms in which the peer is to be told that it missed what cannot be given. */
  readonly #gaps = new Set<string>()
  /** Where the node stood when a newcomer began to catch up: what was lost before, it did not miss. */
  #since: number | undefined
  /** What the peer was sent last does not tell it where it stands. */
  #unplaced: boolean
  #catchingUp: Promise<void> | undefined
  /** How often the log's data was replaced: pages that were asked for before are void. */
  #resets = 0

  constructor(
    readonly connection: Connection,
    private readonly registry: Surroundings,
  ) {
    const id = connection.lastEventId ?? ''
    this.#cursor = id === '' ? undefined : (parseId(id, registry.place.epoch) ?? 'foreign')
    this.#unplaced = typeof this.#cursor !== 'object'
  }

  get live(): boolean {
    return this.liveAfter !== Number.POSITIVE_INFINITY
  }

  /** Adds a room, seen up to `position`; where the peer resumes, up to where it stood. */
  enter(room: string, position: number): void {
    this.rooms.add(room)
    if (!this.registry.history) {
      this.liveAfter = 0
      return
    }
    this.#leaveLive(this.registry.place.position)
    this.#enterAt(room, position)
    if (!this.#positions.has(EVERYWHERE) && !this.#starts.has(EVERYWHERE)) this.#enterAt(EVERYWHERE, position)
    this.connection.noteId(this.registry.name, this.#id())
  }

  #enterAt(room: string, position: number): void {
    const cursor = this.#known.has(room) ? undefined : this.#cursor
    this.#known.add(room)
    if (cursor === undefined) {
      this.#starts.set(room, position)
      this.#since ??= this.registry.place.position
      this.#unplaced = true
    } else if (cursor === 'foreign') {
      this.#positions.set(room, 0)
      this.#gaps.add(room)
    } else {
      this.#positions.set(room, cursor.behind.get(room) ?? cursor.position)
      this.#unchecked.add(room)
    }
  }

  leave(room: string): void {
    this.rooms.delete(room)
    this.#forget(room)
    if (this.rooms.size > 0) return
    this.#forget(EVERYWHERE)
    this.liveAfter = Number.POSITIVE_INFINITY
  }

  #forget(room: string): void {
    this.#positions.delete(room)
    this.#starts.delete(room)
    this.#unchecked.delete(room)
    this.#gaps.delete(room)
  }

  /**
   * Reads on until the connection is live, or in no room. Begins when `open` has settled, so that what it joins there is
   * one sequence. Never rejects: where the log fails, the connection does.
   */
  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#run()
    return this.#catchingUp
  }

  /**
   * The node goes on from another place. Where the log's data was lost, the peer is told, and gets all that the new log
   * holds; else it reads what the node was not given.
   * @param last how far the node had been given the log
   */
  reset(last: Place): void {
    this.#leaveLive(last.position)
    if (this.registry.place.epoch !== last.epoch) {
      this.#resets++
      this.#since = undefined
      if (this.#cursor !== undefined) this.#cursor = 'foreign'
      this.#unchecked.clear()
      this.#begin(Number.POSITIVE_INFINITY)
      for (const room of this.#positions.keys()) {
        this.#positions.set(room, 0)
        this.#gaps.add(room)
      }
    }
    this.catchUp()
  }

  /** From here on it reads the log itself, from where it and the node stood. */
  #leaveLive(position: number): void {
    if (!this.live) return
    const seen = Math.max(this.liveAfter, position)
    for (const room of this.#positions.keys()) this.#positions.set(room, seen)
    this.liveAfter = Number.POSITIVE_INFINITY
  }

  async #run(): Promise<void> {
    try {
      await this.connection.gate.wait()
      while (!this.connection.closed && !this.#arrive()) {
        const asked = new Map(this.#positions)
        const resets = this.#resets
        const page = await this.registry.reads.read(asked, PAGE)
        if (!this.connection.closed && resets === this.#resets) await this.#give(page, asked)
      }
    } catch (error) {
      // The log may have stopped since the peer left: nobody waits for what was read.
      if (!this.connection.closed) this.connection.failed(error)
    }
  }

  /**
   * Lets rooms begin up to a position. What was sent before to such a room and to another one, the peer may yet have from
   * the other: it would not, if the room were said to be seen up to there.
   */
  #begin(upTo: number): void {
    for (const [room, position] of this.#starts) {
      if (position > upTo) continue
      this.#starts.delete(room)
      this.#positions.set(room, position)
    }
  }

  /** How far the peer has come; where no room has begun, from where it will. */
  get #begun(): ReadonlyMap<string, number> {
    return this.#positions.size > 0 ? this.#positions : this.#starts
  }

  /** Where the next room begins: what lies behind it is not given before. */
  get #ceiling(): number {
    return this.#starts.size === 0 ? Number.POSITIVE_INFINITY : Math.min(...this.#starts.values())
  }

  /**
   * Whether there is nothing left to read: it has come equally far in all rooms, and at least as far as the node. No
   * await between this and what comes next, which the registry delivers.
   */
  #arrive(): boolean {
    if (this.#starts.size > 0) this.#begin(Math.min(...this.#begun.values()))
    const positions = [...this.#positions.values()]
    const furthest = Math.max(...positions)
    const isUnsure = this.#unchecked.size > 0 || this.#gaps.size > 0 || this.#starts.size > 0
    const isBehind = isUnsure || furthest < this.registry.place.position
    if (positions.length > 0 && (isBehind || positions.some(position => position < furthest))) return false
    this.#catchingUp = undefined
    this.#since = undefined
    if (positions.length === 0) return true
    this.liveAfter = furthest
    if (this.#unplaced) this.#place()
    return true
  }

  /** Gives the peer one page, at its pace. */
  async #give(page: Page, asked: Map<string, number>): Promise<void> {
    const resets = this.#resets
    for (const room of asked.keys()) this.#unchecked.delete(room)
    for (const [room, known] of page.gaps) {
      if (!this.#positions.has(room)) continue
      const isBefore = this.#since !== undefined && known <= this.#since && known > (asked.get(room) ?? known)
      if (this.#cursor !== undefined || !isBefore) this.#gaps.add(room)
      this.#positions.set(room, known)
      asked.set(room, known)
    }
    this.#tellGaps()
    const entries = page.entries.values()
    while (!this.connection.queue.together(() => this.#pushAll(entries, asked))) {
      await this.connection.drained()
      if (this.connection.closed || resets !== this.#resets) return
    }
    this.#advance(asked, Math.min(page.upTo, this.#ceiling))
  }

  /** Pushes entries until the peer does not keep up, or has ended: `true` where it took all. */
  #pushAll(entries: Iterator<LogEntry>, asked: ReadonlyMap<string, number>): boolean {
    for (let next = entries.next(); !next.done; next = entries.next()) {
      if (next.value.position > this.#ceiling) return true
      const misses = this.#misses(next.value)
      this.#advance(asked, next.value.position)
      if (misses && !this.#push(next.value)) return false
    }
    return true
  }

  /** Whether an entry is for the peer, and did not reach it through any of its rooms. */
  #misses({ rooms = [EVERYWHERE], position }: LogEntry): boolean {
    const seen = rooms.map(room => this.#positions.get(room)).filter(at => at !== undefined)
    return seen.length > 0 && seen.every(at => at < position)
  }

  /** Notes how far the rooms were read, but for those that were left meanwhile, or entered anew from before. */
  #advance(asked: ReadonlyMap<string, number>, position: number): void {
    for (const [room, from] of asked) {
      const at = this.#positions.get(room) ?? position
      if (from <= at && at < position) this.#positions.set(room, position)
    }
  }

  #id(): string {
    return formatId(this.registry.place.epoch, this.#begun)
  }

  /** `false` where the peer does not keep up. */
  #push(entry: LogEntry): boolean {
    const { connection, registry } = this
    this.#unplaced = entry.except.includes(connection.id)
    if (this.#unplaced) return true
    const id = connection.noteId(registry.name, this.#id())
    return connection.queue.push(registry.encodings.bytes(entry, connection.codec, id), entry.event, true)
  }

  /** An event with an id and nothing else, so that a peer that is cut before the next event loses nothing, and gets nothing twice. */
  #place(): void {
    this.#unplaced = false
    const id = this.connection.noteId(this.registry.name, this.#id())
    this.connection.queue.push(this.connection.codec.encode({ id }), undefined, true)
  }

  /** One `gap` event, without an id, for what the log cannot give any more. */
  #tellGaps(): void {
    const rooms = [...this.rooms].filter(room => this.#gaps.has(room) || this.#gaps.has(EVERYWHERE))
    this.#gaps.clear()
    if (rooms.length === 0) return
    this.#unplaced = true
    const data = JSON.stringify({ registry: this.registry.name, rooms })
    this.connection.queue.push(this.connection.codec.encode({ event: 'gap', data }), undefined, true)
  }
}
