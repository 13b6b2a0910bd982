import type { Stretch } from './cursor.js'

/** A stretch of the log of which the peer has what went to one room: it was in the room then, or its id says so. */
export class Span implements Stretch {
  /** Where it is open, it grows with its front. */
  front: Front | undefined
  /** Its neighbours there. */
  next: Span | undefined
  last: Span | undefined
  /** It begins behind what the log forgot: the peer's id says so, that it is not told again. */
  isBehindGap = false
  #end: number

  /** @param since what the log forgot up to here the peer did not miss, or was told of */
  constructor(
    readonly room: string,
    readonly from: number,
    readonly since: number,
    end = from,
  ) {
    this.#end = end
  }

  get to(): number {
    return this.front?.to ?? this.#end
  }

  get isOpen(): boolean {
    return this.front !== undefined
  }

  /** @param upTo how far the peer was given the room, if that is further */
  end(upTo: number): void {
    this.#end = Math.max(this.to, upTo)
    this.front = undefined
  }

  has(position: number): boolean {
    return this.from < position && position <= this.to
  }
}

/**
 * The open spans that reach equally far: what takes a peer further in one room takes it further in all of them. They are
 * a list of themselves, since an idle connection keeps no set of its rooms.
 */
export class Front {
  size = 0
  #first: Span | undefined

  constructor(public to: number) {}

  add(span: Span): void {
    span.front = this
    span.last = undefined
    span.next = this.#first
    if (this.#first !== undefined) this.#first.last = span
    this.#first = span
    this.size++
  }

  delete({ last, next }: Span): void {
    if (last === undefined) this.#first = next
    else last.next = next
    if (next !== undefined) next.last = last
    this.size--
  }

  *[Symbol.iterator](): Generator<Span> {
    for (let at = this.#first; at !== undefined; ) {
      const { next } = at
      yield at
      at = next
    }
  }
}

/** The fronts of one peer, each at a place of its own. Nearly always it is one, however many rooms the peer is in. */
export class Fronts {
  /** The one that is furthest behind comes last. */
  #all: Front[] = []

  get lowest(): Front | undefined {
    return this.#all.at(-1)
  }

  get highest(): Front | undefined {
    return this.#all[0]
  }

  get isLevel(): boolean {
    return this.#all.length < 2
  }

  /** Where the next one stands in front of a place, if any. */
  after(place: number): number | undefined {
    return this.#all[this.#indexOf(place) - 1]?.to
  }

  /** Those in front of a place, the furthest first. */
  *beyond(place: number): Generator<Front> {
    for (const front of this.#all) {
      if (front.to <= place) return
      yield front
    }
  }

  open(span: Span): Span {
    this.#at(span.to).add(span)
    return span
  }

  close(span: Span, upTo = 0): void {
    const { front } = span
    span.end(upTo)
    front?.delete(span)
    if (front?.size === 0) this.#all.splice(this.#all.indexOf(front), 1)
  }

  /** What was left meanwhile stays where it is. */
  advance(front: Front, to: number): void {
    if (to <= front.to || front.size === 0) return
    const next = this.after(front.to)
    if (next === undefined || to < next) {
      front.to = to
      return
    }
    this.#all.splice(this.#all.indexOf(front), 1)
    const there = this.#at(to)
    const [fewer, more] = front.size < there.size ? [front, there] : [there, front]
    this.#all[this.#indexOf(to)] = more
    more.to = to
    for (const span of fewer) {
      fewer.delete(span)
      more.add(span)
    }
  }

  /** Ends all; answers what was open. */
  clear(): Span[] {
    const open = this.#all.flatMap(front => [...front])
    for (const span of open) this.close(span)
    return open
  }

  #at(place: number): Front {
    const index = this.#indexOf(place)
    const known = this.#all[index]
    if (known?.to === place) return known
    const made = new Front(place)
    if (this.#all.length > 0) this.#all.splice(index, 0, made)
    else this.#all = [made] // has no room to grow, and nearly never needs it
    return made
  }

  /** Of the first one that is not in front of a place, found by halving. */
  #indexOf(place: number): number {
    let low = 0
    let high = this.#all.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#all[middle]?.to ?? 0) > place) low = middle + 1
      else high = middle
    }
    return low
  }
}
