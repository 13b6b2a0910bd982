import type { Connection } from './connection.js'
import { formatId, parseId } from './cursor.js'
import { EVERYWHERE, type LogEntry, type Page, type Place } from './event-log.js'
import { allOf, type Few, hasOne, withOne, withoutOne } from './few.js'
import type { Front } from './fronts.js'
import { Progress } from './progress.js'
import type { Ending } from './returned.js'
import type { Surroundings } from './surroundings.js'
import { dealOut } from './turn.js'

/** Entries that are read at a time. */
const PAGE = 256
/** In place of catching up, until `open` has settled. */
const OPENING = Promise.resolve()

/**
 * One connection in one registry. It is either live, and given each entry as it comes, or it catches up: reads the log
 * from where the peer stands, at the peer's pace, until nothing is left between what it read and what is live. The rooms
 * that are furthest behind are read first, all from one position, up to where the next one stands.
 */
export class Membership implements Ending {
  #rooms: Few<string>
  /**
   * Where it became live: what lies up to here it has from the log. Undefined while it catches up: an idle connection keeps
   * no number that is no small integer, 16 bytes each.
   */
  liveAfter: number | undefined
  /**
   * Up to date only while it catches up. Undefined for a newcomer that is in the first room it was ever in, and has missed
   * nothing there, as nearly all are: then where it began is all that is to be known, and an idle connection keeps no more.
   */
  #progress: Progress | undefined
  /** Where such a newcomer began. */
  #from = 0
  /** What the peer was sent last does not tell it where it stands. */
  #unplaced: boolean
  #catchingUp: Promise<void> | undefined
  /** The id that its peer was given last. */
  lastId = ''
  /** The last of the rounds that it had, or that are none of its own (`rounds.ts`). */
  round = 0

  constructor(
    readonly connection: Connection,
    private readonly registry: Surroundings<Membership>,
  ) {
    const id = connection.lastEventId ?? ''
    const cursor = id === '' ? undefined : (parseId(id, registry.place.epoch) ?? 'foreign')
    if (cursor !== undefined) this.#progress = new Progress(cursor)
    this.#unplaced = typeof cursor !== 'object'
  }

  ended(): void {
    this.registry.forget(this)
  }

  get live(): boolean {
    return this.liveAfter !== undefined
  }

  get rooms(): Iterable<string> {
    return allOf(this.#rooms)
  }

  get isInAny(): boolean {
    return this.#rooms !== undefined
  }

  isIn(room: string): boolean {
    return hasOne(this.#rooms, room)
  }

  /** Where it stands, when that is more than one number. */
  private get standing(): Progress {
    this.#progress ??= Progress.ofNewcomer(this.rooms, this.#from)
    return this.#progress
  }

  /** Adds a room. @param past where the last events begin that a newcomer asks for */
  enter(room: string, past?: number): void {
    const isFirst = !this.isInAny
    if (!this.registry.history) this.liveAfter = 0
    else if (isFirst && this.#progress === undefined && past === undefined) this.#from = this.registry.place.position
    else {
      this.leaveLive(this.registry.place.position)
      this.begin(room, past)
      if (isFirst) this.begin(EVERYWHERE, past)
    }
    this.#rooms = withOne(this.#rooms, room)
    if (this.registry.history) this.noteId()
  }

  private begin(room: string, past: number | undefined): void {
    if (!this.standing.resumes(room)) this.#unplaced = true
    const { to } = this.standing.enter(room, this.registry.place.position, past)
    this.standing.ceiling = Math.min(this.standing.ceiling, to)
  }

  leave(room: string): void {
    const isRead = this.registry.history && !this.connection.closed
    const upTo = this.liveAfter === undefined ? 0 : Math.max(this.liveAfter, this.registry.place.position)
    if (isRead) this.standing.leave(room, upTo)
    this.#rooms = withoutOne(this.#rooms, room)
    if (this.isInAny) return
    if (isRead) this.standing.leave(EVERYWHERE, upTo)
    this.liveAfter = undefined
  }

  /**
   * Reads on until the connection is live, or in no room. Begins when `open` has settled, so that what it joins there is
   * one sequence. Never rejects: where the log fails, the connection does.
   */
  catchUp(): Promise<void> {
    this.#catchingUp ??= this.connection.gate.passed ? this.run() : this.runBehindOpening()
    return this.#catchingUp
  }

  /** Who has missed nothing is live as soon as `open` has settled, without a promise (`scale-sse`). */
  private runBehindOpening(): Promise<void> {
    this.connection.gate.behind(() => {
      if (!this.isDone()) this.#catchingUp = this.run()
    })
    return OPENING
  }

  /**
   * The node goes on from another place. Where the log's data was lost, the peer is told, and gets all that the new log
   * holds; else it reads what the node was not given.
   * @param last how far the node had been given the log
   */
  reset(last: Place): void {
    this.leaveLive(last.position)
    if (this.registry.place.epoch !== last.epoch) this.startOver()
    this.catchUp()
  }

  private startOver(): void {
    this.standing.startOver(this.registry.place.position)
    this.standing.confirmed = 0
    this.standing.ceiling = 0 // nothing more of a page of before, under an id of now
  }

  /** From here on it reads the log itself, from where it and the node stood. */
  private leaveLive(position: number): void {
    if (this.liveAfter === undefined) return
    const { fronts } = this.standing
    if (fronts.lowest !== undefined) fronts.advance(fronts.lowest, Math.max(this.liveAfter, position))
    this.liveAfter = undefined
  }

  private async run(): Promise<void> {
    try {
      await OPENING // what else is joined in this turn is read with it
      while (!this.isDone()) await this.readOn()
    } catch (error) {
      // The log may have stopped since the peer left: nobody waits for what was read.
      if (!this.connection.closed) this.connection.failed(error)
    }
  }

  private isDone(): boolean {
    return !this.goesOn() || this.arrive()
  }

  /** What came to a room in this turn comes before; that may end connections, and who hears of it joins and leaves rooms. */
  private goesOn(): boolean {
    dealOut()
    return !this.connection.closed
  }

  /**
   * Whether there is nothing left to read: it has come equally far in all rooms, at least as far as the node, and no
   * further than the log. No await between this and what comes next, which the registry delivers.
   */
  private arrive(): boolean {
    const { position } = this.registry.place
    if (this.#progress === undefined && this.#from === position) return this.goLive(position)
    const { fronts, hasAsked } = this.standing
    const { lowest } = fronts
    const isBehind = lowest !== undefined && (lowest.to < position || lowest.to > this.reached)
    const isHere = fronts.isLevel && !isBehind
    if (isHere || hasAsked) this.tellGaps()
    if (!isHere) return false
    if (lowest === undefined) {
      this.#catchingUp = undefined
      return true
    }
    const { beginning } = this.standing
    this.goLive(lowest.to)
    if (beginning === undefined) return true
    this.#from = beginning
    this.#progress = undefined
    return true
  }

  /** From here on it is given each entry as it comes. */
  private goLive(position: number): true {
    this.liveAfter = position
    this.#catchingUp = undefined
    if (this.#unplaced) this.place()
    return true
  }

  /** How far the log reaches for sure. */
  private get reached(): number {
    return Math.max(this.standing.confirmed, this.registry.place.position)
  }

  /** Reads one page, and gives it to the peer. A place that only the peer knows of is asked about first. */
  private async readOn(): Promise<void> {
    const { fronts } = this.standing
    const { lowest, highest } = fronts
    const isAsking = highest !== undefined && highest.to > this.reached
    const front = isAsking ? highest : lowest
    if (front === undefined) return
    const at = front.to
    this.standing.ceiling = fronts.after(at) ?? Number.POSITIVE_INFINITY
    const isBehind = isAsking && !fronts.isLevel
    const after = new Map(Array.from(front, ({ room }) => [room, at]))
    const page = await this.registry.reads.read(after, PAGE)
    // Where nothing is on the front any more it was left, or the log's data was replaced: then the page is void.
    if (!this.goesOn() || front.size === 0) return
    this.standing.noteAsked(after.keys())
    const found = this.standing.skip(front, page.gaps)
    if (found === 'another log') this.startOver()
    if (found !== 'all') return
    this.standing.confirmed = Math.max(this.standing.confirmed, at, page.upTo)
    if (at <= this.standing.ceiling && !isBehind) await this.give(page, front)
  }

  /** Gives the peer one page, at its pace. */
  private async give(page: Page, front: Front): Promise<void> {
    this.tellGaps()
    const entries = page.entries.values()
    while (!this.connection.queue.together(() => this.pushAll(entries, front))) {
      await this.connection.drained()
      if (!this.goesOn()) return
    }
    this.standing.fronts.advance(front, Math.min(page.upTo, this.standing.ceiling))
  }

  /** Pushes entries until the peer does not keep up, or has ended: `true` where it took all. */
  private pushAll(entries: Iterator<LogEntry>, front: Front): boolean {
    for (let next = entries.next(); !next.done; next = entries.next()) {
      const entry = next.value
      if (entry.position > this.standing.ceiling) return true
      const misses = this.standing.misses(entry)
      this.standing.fronts.advance(front, entry.position)
      if (misses && !this.push(entry)) return false
    }
    return true
  }

  /** The id that the peer's next event carries. */
  private noteId(): string {
    const cursor = this.#progress?.cursor ?? { position: this.#from, beyond: [] }
    return this.connection.noteId(this, formatId(this.registry.place.epoch, cursor))
  }

  /** `false` where the peer does not keep up. */
  private push(entry: LogEntry): boolean {
    const { connection, registry } = this
    this.#unplaced = connection.isNamedIn(entry.except)
    if (this.#unplaced) return true
    const id = this.noteId()
    return connection.queue.push(registry.encodings.bytes(entry, connection.codec, id), entry.event, true)
  }

  /** An event with an id and nothing else, so that a peer that is cut before the next event loses nothing, and gets nothing twice. */
  private place(): void {
    this.#unplaced = false
    const id = this.noteId()
    this.connection.queue.push(this.registry.encodings.place(this.connection.codec, id), undefined, true)
  }

  /**
   * One `gap` event, without an id, for what the log cannot give any more, and from where it goes on: a peer that is cut
   * before the next event is not told again.
   */
  private tellGaps(): void {
    const missing = this.standing.takeMissing()
    if (missing === undefined) return
    const rooms = [...this.rooms].filter(room => missing.has(room) || missing.has(EVERYWHERE))
    if (rooms.length === 0) return
    const data = JSON.stringify({ registry: this.registry.name, rooms })
    this.connection.queue.push(this.connection.codec.encode({ event: 'gap', data }), undefined, true)
    this.place()
  }
}
