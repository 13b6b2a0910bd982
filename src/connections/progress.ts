import type { Cursor, Stretch } from './cursor.js'
import { EVERYWHERE, type LogEntry } from './event-log.js'

/** Spans of rooms that were left, which are remembered. */
const LEFT = 1000

/** A stretch of the log of which the peer has what went to one room: it was in the room then, or its id says so. */
export class Span implements Stretch {
  isOpen = true
  /** Something was missed that cannot be given: the peer is to be told. */
  isMissing = false
  /** The log has said what it forgot of the room. */
  isAsked = false
  /** It begins behind what the log forgot: the peer's id says so, that it is not told again. */
  isBehindGap = false

  /**
   * @param since what the log forgot up to here the peer did not miss, or was told of
   * @param to it grows while the span is open
   */
  constructor(
    readonly room: string,
    readonly from: number,
    readonly since: number,
    public to = from,
  ) {}

  has(position: number): boolean {
    return this.from < position && position <= this.to
  }
}

/**
 * How far one peer has come in one log. Each room that it is in has an open span, which grows; what lies behind that it is
 * owed. The spans of rooms that it has left stay. So an entry, whatever rooms it goes to, is missed where it lies behind an
 * open span of one of them, and within no span of any.
 */
export class Progress {
  /** Of each room, oldest first. */
  readonly #spans = new Map<string, Span[]>()
  /** Oldest first. */
  #left: Span[] = []
  /** What lies up to here was given, or never will be. */
  #floor = 0
  /** Rooms it was in on this connection: what it missed before was given then. */
  readonly #known = new Set<string>()

  /** @param told what the peer says when it comes: undefined for a newcomer, `foreign` where that is no place in this log */
  constructor(private told: Cursor | 'foreign' | undefined) {
    if (typeof told !== 'object') return
    for (const { room, from, to } of told.beyond) {
      const span = this.#add(new Span(room, from, to, to))
      span.isOpen = false
      span.isBehindGap = from === to
    }
  }

  /** What the peer is owed lies behind these. */
  get open(): Span[] {
    const open: Span[] = []
    for (const spans of this.#spans.values()) {
      const last = spans.at(-1)
      if (last?.isOpen) open.push(last)
    }
    return open
  }

  /** Up to its position the peer has all that it is owed. */
  get cursor(): Cursor {
    const position = Math.min(...this.open.map(span => span.to))
    const beyond = [...this.#spans.values()].flatMap(spans => {
      const further = spans.filter(({ from, to, isBehindGap }) => position < to && (from < to || isBehindGap))
      const last = spans.at(-1)
      // The last one that is named says where the peer goes on.
      return further.length > 0 && last?.isOpen && !further.includes(last) ? [...further, last] : further
    })
    return { position, beyond }
  }

  /** Whether it goes on in a room from where it says that it stood. */
  resumes(room: string): boolean {
    return typeof this.told === 'object' && !this.#known.has(room)
  }

  /**
   * One that comes back goes on in a room from where it stood. A newcomer, and who was in the room on this connection
   * before, begins behind all that it and the node have heard, or where the past begins that it asks for.
   * @param here how far the node has been given the log
   */
  enter(room: string, here: number, past?: number): Span {
    const told = this.#known.has(room) ? undefined : this.told
    this.#known.add(room)
    if (told === undefined) return this.#begin(room, past ?? Math.max(here, this.#furthest), here)
    if (told === 'foreign') return this.#miss(this.#begin(room, 0, here))
    const had = this.#spans.get(room)?.at(-1)
    if (had !== undefined) return this.#reopen(had)
    const span = this.#begin(room, told.position, told.position)
    return told.position < this.#floor ? this.#miss(span) : span
  }

  /** @param upTo how far it was given the room */
  leave(room: string, upTo: number): void {
    const span = this.#spans.get(room)?.at(-1)
    if (!span?.isOpen) return
    span.to = Math.max(span.to, upTo)
    span.isOpen = false
    this.#left.push(span)
    if (this.#left.length > LEFT) this.#forgetOldest()
  }

  /** The log forgot what lies behind a span: it goes on from a position after which all is known. */
  skip(span: Span, known: number): void {
    span.isOpen = false
    const next = this.#begin(span.room, known, Math.max(span.since, known))
    next.isBehindGap = true
    next.isAsked = true
    next.isMissing = span.isMissing || known > span.since
  }

  /** What the peer has is of another log: it is told so, and owed all that this one knows. */
  startOver(here: number): void {
    if (this.told !== undefined) this.told = 'foreign'
    const { open } = this
    for (const span of open) span.isOpen = false
    this.#spans.clear()
    this.#left = []
    this.#floor = 0
    for (const { room } of open) this.#miss(this.#begin(room, 0, here))
  }

  has({ rooms = [EVERYWHERE], position }: LogEntry): boolean {
    return rooms.some(room => this.#spans.get(room)?.some(span => span.has(position)))
  }

  misses(entry: LogEntry): boolean {
    const { rooms = [EVERYWHERE], position } = entry
    const isOwed = rooms.some(room => {
      const last = this.#spans.get(room)?.at(-1)
      return last?.isOpen && last.to < position
    })
    return isOwed && !this.has(entry)
  }

  get #furthest(): number {
    return Math.max(0, ...[...this.#spans.values()].flat().map(span => span.to))
  }

  #begin(room: string, from: number, since: number): Span {
    return this.#add(new Span(room, Math.max(from, this.#floor), since))
  }

  #miss(span: Span): Span {
    span.isMissing = true
    return span
  }

  #reopen(span: Span): Span {
    span.isOpen = true
    return span
  }

  #add(span: Span): Span {
    const spans = this.#spans.get(span.room)
    if (spans === undefined) this.#spans.set(span.room, [span])
    else spans.push(span)
    return span
  }

  /** Nothing is given from before the end of a span that nobody remembers. */
  #forgetOldest(): void {
    const oldest = this.#left.shift()
    if (oldest === undefined) return
    this.#floor = Math.max(this.#floor, oldest.to)
    const spans = this.#spans.get(oldest.room)?.filter(span => span !== oldest) ?? []
    if (spans.length > 0) this.#spans.set(oldest.room, spans)
    else {
      this.#spans.delete(oldest.room)
      this.#known.delete(oldest.room)
    }
  }
}
