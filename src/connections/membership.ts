import type { Connection } from './connection.js'
import { formatId, parseId } from './cursor.js'
import type { Encodings } from './encodings.js'
import { EVERYWHERE, type LogEntry, type Page, type Place } from './event-log.js'
import { Progress, type Span } from './progress.js'
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
 * from where the peer stands, at the peer's pace, until nothing is left between what it read and what is live. The rooms
 * that are furthest behind are read first, all from one position, up to where the next one stands.
 */
export class Membership {
  readonly rooms = new Set<string>()
  /** Where it became live: what lies up to here it has from the log. Infinity while it catches up. */
  liveAfter = Number.POSITIVE_INFINITY
  /** Up to date only while it catches up. */
  readonly #progress: Progress
  /** How far the log reaches, as it has said to this peer: further places are but what the peer says. */
  #confirmed = 0
  /** Where the next room stands: what lies behind it is not given before, since it may be for that room, too. */
  #ceiling = Number.POSITIVE_INFINITY
  /** What the peer was sent last does not tell it where it stands. */
  #unplaced: boolean
  #catchingUp: Promise<void> | undefined

  constructor(
    readonly connection: Connection,
    private readonly registry: Surroundings,
  ) {
    const id = connection.lastEventId ?? ''
    const cursor = id === '' ? undefined : (parseId(id, registry.place.epoch) ?? 'foreign')
    this.#progress = new Progress(cursor)
    this.#unplaced = typeof cursor !== 'object'
  }

  get live(): boolean {
    return this.liveAfter !== Number.POSITIVE_INFINITY
  }

  /** Adds a room. @param past where the last events begin that a newcomer asks for */
  enter(room: string, past?: number): void {
    this.rooms.add(room)
    if (!this.registry.history) {
      this.liveAfter = 0
      return
    }
    this.#leaveLive(this.registry.place.position)
    this.#begin(room, past)
    if (this.rooms.size === 1) this.#begin(EVERYWHERE, past)
    this.connection.noteId(this.registry.name, this.#id())
  }

  #begin(room: string, past: number | undefined): void {
    if (!this.#progress.resumes(room)) this.#unplaced = true
    const { to } = this.#progress.enter(room, this.registry.place.position, past)
    this.#ceiling = Math.min(this.#ceiling, to)
  }

  leave(room: string): void {
    this.rooms.delete(room)
    const upTo = this.live ? Math.max(this.liveAfter, this.registry.place.position) : 0
    this.#progress.leave(room, upTo)
    if (this.rooms.size > 0) return
    this.#progress.leave(EVERYWHERE, upTo)
    this.liveAfter = Number.POSITIVE_INFINITY
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
    if (this.registry.place.epoch !== last.epoch) this.#startOver()
    this.catchUp()
  }

  #startOver(): void {
    this.#progress.startOver(this.registry.place.position)
    this.#confirmed = 0
  }

  /** From here on it reads the log itself, from where it and the node stood. */
  #leaveLive(position: number): void {
    if (!this.live) return
    advance(this.#progress.open, Math.max(this.liveAfter, position))
    this.liveAfter = Number.POSITIVE_INFINITY
  }

  async #run(): Promise<void> {
    try {
      await this.connection.gate.wait()
      while (!this.connection.closed && !this.#arrive()) await this.#readOn()
    } catch (error) {
      // The log may have stopped since the peer left: nobody waits for what was read.
      if (!this.connection.closed) this.connection.failed(error)
    }
  }

  /**
   * Whether there is nothing left to read: it has come equally far in all rooms, at least as far as the node, and no
   * further than the log. No await between this and what comes next, which the registry delivers.
   */
  #arrive(): boolean {
    const { open } = this.#progress
    const [first] = open
    const isBehind = first !== undefined && (first.to < this.registry.place.position || first.to > this.#reached)
    const isHere = !isBehind && open.every(({ to }) => to === first?.to)
    if (isHere || open.every(({ isMissing, isAsked }) => isAsked || !isMissing)) this.#tellGaps(open)
    if (!isHere) return false
    if (first !== undefined) this.liveAfter = first.to
    this.#catchingUp = undefined
    if (first !== undefined && this.#unplaced) this.#place()
    return true
  }

  /** How far the log reaches for sure. */
  get #reached(): number {
    return Math.max(this.#confirmed, this.registry.place.position)
  }

  /** Reads one page, and gives it to the peer. A place that only the peer knows of is asked about first. */
  async #readOn(): Promise<void> {
    const places = this.#progress.open.map(({ to }) => to)
    const furthest = Math.max(...places)
    const at = furthest > this.#reached ? furthest : Math.min(...places)
    const reading = this.#progress.open.filter(({ to }) => to === at)
    this.#ceiling = Math.min(...places.filter(to => to > at))
    const page = await this.registry.reads.read(new Map(reading.map(({ room }) => [room, at])), PAGE)
    // Where none is open any more they were left, or the log's data was replaced: then the page is void.
    if (this.connection.closed || !reading.some(span => span.isOpen)) return
    for (const span of reading) span.isAsked = true
    if (this.#skip(page, reading)) return
    this.#confirmed = Math.max(this.#confirmed, at, page.upTo)
    if (this.#ceiling >= at && !places.some(to => to < at)) await this.#give(page, reading)
  }

  /** Whether the log forgot what was asked for: the rest is read anew, from behind that. */
  #skip({ gaps }: Page, reading: readonly Span[]): boolean {
    const forgotten = reading.filter(({ room, isOpen }) => isOpen && gaps.has(room))
    for (const span of forgotten) {
      const known = gaps.get(span.room) ?? 0
      if (known > span.to) this.#progress.skip(span, known)
      else {
        this.#startOver()
        return true
      }
    }
    return forgotten.length > 0
  }

  /** Gives the peer one page, at its pace. */
  async #give(page: Page, reading: readonly Span[]): Promise<void> {
    this.#tellGaps(this.#progress.open)
    const entries = page.entries.values()
    while (!this.connection.queue.together(() => this.#pushAll(entries, reading))) {
      await this.connection.drained()
      if (this.connection.closed) return
    }
    advance(reading, Math.min(page.upTo, this.#ceiling))
  }

  /** Pushes entries until the peer does not keep up, or has ended: `true` where it took all. */
  #pushAll(entries: Iterator<LogEntry>, reading: readonly Span[]): boolean {
    for (let next = entries.next(); !next.done; next = entries.next()) {
      const entry = next.value
      if (entry.position > this.#ceiling) return true
      const misses = this.#progress.misses(entry)
      advance(reading, entry.position)
      if (misses && !this.#push(entry)) return false
    }
    return true
  }

  #id(): string {
    return formatId(this.registry.place.epoch, this.#progress.cursor)
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

  /**
   * One `gap` event, without an id, for what the log cannot give any more, and from where it goes on: a peer that is cut
   * before the next event is not told again. So it is told when the log has said what it forgot of each room.
   */
  #tellGaps(open: readonly Span[]): void {
    const missing = new Set(open.filter(span => span.isMissing).map(span => span.room))
    const rooms = [...this.rooms].filter(room => missing.has(room) || missing.has(EVERYWHERE))
    for (const span of open) span.isMissing = false
    if (rooms.length === 0) return
    const data = JSON.stringify({ registry: this.registry.name, rooms })
    this.connection.queue.push(this.connection.codec.encode({ event: 'gap', data }), undefined, true)
    this.#place()
  }
}

/** Notes how far rooms were read, but for those that were left meanwhile. */
function advance(spans: readonly Span[], position: number): void {
  for (const span of spans) if (span.isOpen) span.to = Math.max(span.to, position)
}
