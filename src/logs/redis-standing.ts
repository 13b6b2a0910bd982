import { randomBytes } from 'node:crypto'
import type { Place } from '../connections/event-log.js'
import type { TailItem } from './redis-tail.js'

/** Positions that lie further apart than this have a leap between them: see `redis-state.ts`. */
const APART = 500_000_000
/** Epochs that are over, of which every server is told. */
const REMEMBERED = 32

/** What a server is asked about. */
export interface Asked {
  readonly place: Place
  readonly told: readonly number[]
}

/** What one node knows of a log: where it stands there, and what must be there because it was told so. */
export class Standing {
  /** How far the node was given the log. Another object whenever that changes. */
  #place: Place = { epoch: '', position: 0 }
  /**
   * The highest position that the node knows of in its epoch. In front of it, where leaps lie between, the highest of
   * each stretch that the node has not been given to its end: one server's leap may lie over what another one took. What
   * the node was never given lies below its place. In order, never empty.
   */
  #known: readonly number[] = [0]
  /** Behind this position it was given all there is, without a leap. */
  #whole = 0
  readonly #over = new Set<string>()
  /** The epoch of what the node sent, where it is not that in which it stands. */
  #elsewhere: string | undefined

  get place(): Place {
    return this.#place
  }

  get known(): number {
    return this.#known.at(-1) ?? 0
  }

  /** Whether the server has to be asked about the node's place before the node hears any more of it. */
  get doubtful(): boolean {
    const { epoch, position } = this.#place
    return this.known > position + APART || (this.#known[0] ?? 0) < position || this.#over.has(epoch)
  }

  /** In front of the arguments of each script. @param insists there is no other server */
  args(insists: boolean): string[] {
    const name = randomBytes(4).toString('hex')
    // What it was given must be there, too, where what it knows of is another server's.
    const known = new Set([...this.#known, this.#place.position])
    return [name, this.#place.epoch, [...known].join(), [...this.#over].join(), insists ? '1' : '']
  }

  /** What was said was taken. @param follows whether the node is given the log, and so learns of epochs in their order */
  took({ epoch, position }: Place, follows: boolean): void {
    if (epoch === this.#place.epoch) this.reaches(position)
    else if (this.#over.has(epoch)) return
    else if (follows) {
      this.#elsewhere = epoch
      this.#end(this.#place.epoch)
    } else this.#adopt(epoch, position)
  }

  /** A server said how far the log reaches in this epoch: it must reach as far on every one. */
  reaches(position: number): void {
    if (position > this.#place.position) this.#know(position)
    else if (position <= this.#whole) this.#know(position, this.#whole)
  }

  /** It was given what comes next. */
  hear({ position, previous }: Pick<TailItem, 'position' | 'previous'>): void {
    const from = this.#place.position
    this.#place = { epoch: this.#place.epoch, position }
    if (position !== previous + 1) this.#whole = position - 1
    if (this.#known.length === 1 && this.known >= position) return
    const unheard = this.#known.filter(at => at !== from && at !== position)
    this.#known = [...new Set([...unheard, Math.max(this.known, position)])]
  }

  /** It is given what comes behind the highest position that it knows of. */
  begin(): void {
    this.#move(this.known)
  }

  /**
   * A server has said where the node can go on, when it knew what is `told`. Answers whether that is another place.
   * @param from where it can go on
   */
  found(asked: Asked, place: Place, from: number): boolean {
    if (this.#place !== asked.place) return false
    const isSame = place.epoch === this.#place.epoch
    if (isSame) {
      const open = this.#known.filter(at => at >= from || !asked.told.includes(at))
      this.#known = open.length > 0 ? open : [from]
      this.#know(place.position)
    } else this.#adopt(place.epoch, place.position)
    if (isSame && from === this.#place.position) return false
    this.#move(from)
    return true
  }

  get asked(): Asked {
    return { place: this.#place, told: this.#known }
  }

  /** @param before none from here on is of the same stretch: a leap lies between */
  #know(position: number, before = Number.POSITIVE_INFINITY): void {
    const near = this.#known.findLastIndex(at => at < before && Math.abs(at - position) <= APART)
    if (near === -1) this.#known = [...new Set([...this.#known, position])].sort((a, b) => a - b)
    else if ((this.#known[near] ?? 0) < position) this.#known = this.#known.with(near, position)
  }

  #adopt(epoch: string, position: number): void {
    for (const each of [this.#place.epoch, this.#elsewhere]) if (each !== epoch) this.#end(each)
    this.#elsewhere = undefined
    this.#place = { epoch, position }
    this.#known = [position]
  }

  #end(epoch = ''): void {
    if (epoch !== '') this.#over.add(epoch)
    const [oldest = ''] = this.#over
    if (this.#over.size > REMEMBERED) this.#over.delete(oldest)
  }

  #move(position: number): void {
    this.#place = { epoch: this.#place.epoch, position }
    this.#whole = position
  }
}
