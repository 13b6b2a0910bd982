import type { Cursor, Stretch } from './cursor.js'
import { EVERYWHERE, type LogEntry } from './event-log.js'
import { type Front, Fronts, Span } from './fronts.js'

/** Closed spans that are remembered. */
const LEFT = 1000
/** What all have who left nothing: an idle connection keeps no array. */
const NONE: Span[] = []

/**
 * How far one peer has come in one log. Each room that it is in has an open span, which grows; what lies behind that it is
 * owed. The spans of rooms that it has left stay. So an entry, whatever rooms it goes to, is missed where it lies behind an
 * open span of one of them, and within no span of any.
 */
export class Progress {
  /** How far the log reaches, as it has said to this peer: further places are but what the peer says. */
  confirmed = 0
  /** Where the next room stands, if any: what lies behind it is not given before, since it may be for that room, too. */
  ceiling = Number.POSITIVE_INFINITY
  /** What the peer is owed lies behind these. */
  readonly fronts = new Fronts()
  /** Of each room, oldest first. */
  readonly #spans = new Map<string, Span[]>()
  /** Those that its id named when it came. */
  #named = NONE
  /** Those that were closed since, oldest first. */
  #left = NONE
  /** The furthest end of what is closed. */
  #leftEnd = 0
  /** What lies up to here was given, or never will be. */
  #floor = 0
  /** Of one that came back, rooms it was in on this connection: what it missed before was given then. */
  #known: Set<string> | undefined
  /** Rooms of which something was missed that cannot be given: the peer is to be told. */
  #missing: Set<string> | undefined
  /** Those of them of which the log has not said what it forgot. */
  #unasked: Set<string> | undefined

  /** @param told what the peer says when it comes: undefined for a newcomer, `foreign` where that is no place in this log */
  constructor(private told: Cursor | 'foreign' | undefined) {
    if (typeof told !== 'object') return
    const named: Span[] = []
    this.#named = named
    for (const { room, from, to } of told.beyond) {
      const span = this.#add(new Span(room, from, to, to))
      span.isBehindGap = from === to
      named.push(span)
      this.#leftEnd = Math.max(this.#leftEnd, to)
    }
  }

  /** That of a newcomer which has been in these rooms since a position. */
  static ofNewcomer(rooms: Iterable<string>, from: number): Progress {
    const progress = new Progress(undefined)
    const named = [...rooms]
    for (const room of named.length === 0 ? named : [...named, EVERYWHERE]) {
      progress.fronts.open(progress.#add(new Span(room, from, from)))
    }
    return progress
  }

  /** Where a newcomer began whose first room is all that it was ever in, read without a gap; undefined for all others. */
  get beginning(): number | undefined {
    if (this.told !== undefined || this.#spans.size !== 2 || this.#left !== NONE) return undefined
    const [first, second] = [...this.#spans.values()].flat()
    return first?.from === second?.from ? first?.from : undefined
  }

  /** Up to its position the peer has all that it is owed. */
  get cursor(): Cursor {
    const position = this.fronts.lowest?.to ?? Number.POSITIVE_INFINITY
    return { position, beyond: this.fronts.isLevel && this.#leftEnd <= position ? [] : this.#beyond(position) }
  }

  /** One at a time, since an id does not name many. */
  *#beyond(position: number): Generator<Stretch> {
    const rooms = new Set<string>()
    for (const span of this.#endingBehind(position)) {
      if (rooms.has(span.room)) continue
      rooms.add(span.room)
      const spans = this.#spans.get(span.room) ?? []
      const further = spans.filter(({ from, to, isBehindGap }) => position < to && (from < to || isBehindGap))
      yield* further
      const last = spans.at(-1)
      // The last one that is named says where the peer goes on.
      if (further.length > 0 && last?.isOpen && !further.includes(last)) yield last
    }
  }

  *#endingBehind(position: number): Generator<Span> {
    for (const front of this.fronts.beyond(position)) yield* front
    if (this.#leftEnd <= position) return
    for (const spans of [this.#named, this.#left]) for (const span of spans) if (span.to > position) yield span
  }

  /** Whether it goes on in a room from where it says that it stood. */
  resumes(room: string): boolean {
    return typeof this.told === 'object' && !this.#known?.has(room)
  }

  /**
   * One that comes back goes on in a room from where it stood. A newcomer, and who was in the room on this connection
   * before, begins behind all that it and the node have heard, or where the past begins that it asks for.
   * @param here how far the node has been given the log
   */
  enter(room: string, here: number, past?: number): Span {
    const { told } = this
    if (told === undefined || this.#known?.has(room))
      return this.#begin(room, past ?? Math.max(here, this.#furthest), here)
    this.#known ??= new Set()
    this.#known.add(room)
    if (told === 'foreign') return this.#miss(this.#begin(room, 0, here))
    const had = this.#spans.get(room)?.at(-1)
    if (had !== undefined) return this.fronts.open(had)
    const span = this.#begin(room, told.position, told.position)
    return told.position < this.#floor ? this.#miss(span) : span
  }

  /** @param upTo how far it was given the room */
  leave(room: string, upTo: number): void {
    const span = this.#spans.get(room)?.at(-1)
    if (!span?.isOpen) return
    this.#close(span, upTo)
  }

  /**
   * What the log has of what lies behind a front. Where it forgot something of a room, that goes on from behind it, and is to
   * be read anew; where it does not reach as far as the peer, it is not the peer's.
   * @param gaps of rooms, the positions after which all is known
   */
  skip(front: Front, gaps: ReadonlyMap<string, number>): 'all' | 'less' | 'another log' {
    let found: 'all' | 'less' = 'all'
    for (const [room, known] of gaps) {
      const span = this.#on(front, room)
      if (span === undefined) continue
      if (known <= span.to) return 'another log'
      this.#skip(span, known)
      found = 'less'
    }
    return found
  }

  #skip(span: Span, known: number): void {
    const isMissing = this.#missing?.has(span.room) || known > span.since
    this.#close(span)
    const next = this.#begin(span.room, known, Math.max(span.since, known))
    next.isBehindGap = true
    if (isMissing) this.#miss(next)
    this.noteAsked([span.room])
  }

  /** What the peer has is of another log: it is told so, and owed all that this one knows. */
  startOver(here: number): void {
    if (this.told !== undefined) this.told = 'foreign'
    const open = this.fronts.clear()
    this.#spans.clear()
    this.#named = NONE
    this.#left = NONE
    this.#leftEnd = 0
    this.#floor = 0
    this.takeMissing()
    for (const { room } of open) this.#miss(this.#begin(room, 0, here))
  }

  /** The log has said what it forgot of these rooms. */
  noteAsked(rooms: Iterable<string>): void {
    if (this.#unasked === undefined) return
    for (const room of rooms) this.#unasked.delete(room)
  }

  /** Whether it has said so of all whose peer is to be told. */
  get hasAsked(): boolean {
    return this.#unasked === undefined || this.#unasked.size === 0
  }

  /** The rooms whose peer is to be told; they are told of once. */
  takeMissing(): ReadonlySet<string> | undefined {
    const missing = this.#missing
    this.#missing = undefined
    this.#unasked = undefined
    return missing
  }

  /** The open span of a room on a front. */
  #on(front: Front, room: string): Span | undefined {
    const last = this.#spans.get(room)?.at(-1)
    return last?.front === front ? last : undefined
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
    return Math.max(this.#leftEnd, this.fronts.highest?.to ?? 0)
  }

  #begin(room: string, from: number, since: number): Span {
    return this.fronts.open(this.#add(new Span(room, Math.max(from, this.#floor), since)))
  }

  #close(span: Span, upTo?: number): void {
    this.fronts.close(span, upTo)
    this.#leftEnd = Math.max(this.#leftEnd, span.to)
    this.#missing?.delete(span.room)
    this.#unasked?.delete(span.room)
    if (this.#left === NONE) this.#left = []
    this.#left.push(span)
    if (this.#left.length > LEFT) this.#forgetOldest()
  }

  #miss(span: Span): Span {
    this.#missing ??= new Set()
    this.#missing.add(span.room)
    this.#unasked ??= new Set()
    this.#unasked.add(span.room)
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
    const spans = this.#spans.get(oldest.room) ?? []
    spans.splice(spans.indexOf(oldest), 1)
    if (spans.length > 0) return
    this.#spans.delete(oldest.room)
    this.#known?.delete(oldest.room)
  }
}
