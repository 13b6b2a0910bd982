import { runOutside } from '../pipeline/current.js'
import { Slice } from './slice.js'

/**
 * One timer for all connections of a route, in place of one for each: it runs while there are any. A beat of very many
 * takes several turns of the event loop.
 */
export class Pulse<C> {
  readonly #members = new Set<C>()
  #timer: NodeJS.Timeout | undefined
  /** Who is left of a beat that has begun. */
  #left: Iterator<C> | undefined

  /** @param period milliseconds; 0 or less never beats */
  constructor(
    private readonly period: number,
    private readonly beat: (member: C) => void,
  ) {}

  add(member: C): void {
    if (this.period <= 0) return
    this.#members.add(member)
    this.#timer ??= runOutside(() => setInterval(() => this.#beat(), this.period).unref())
  }

  #beat(): void {
    if (this.#left !== undefined) return
    this.#left = this.#members.values()
    this.#goOn(this.#left)
  }

  #goOn(left: Iterator<C>): void {
    const slice = new Slice()
    for (let next = left.next(); !next.done; next = left.next()) {
      this.beat(next.value)
      if (slice.isOver()) return void setImmediate(() => this.#goOn(left))
    }
    this.#left = undefined
  }

  delete(member: C): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
