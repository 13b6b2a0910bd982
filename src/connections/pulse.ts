import { runOutside } from '../pipeline/current.js'

/** One timer for all connections of a route, in place of one for each: it runs while there are any. */
export class Pulse<C> {
  readonly #members = new Set<C>()
  #timer: NodeJS.Timeout | undefined

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
    for (const each of this.#members) this.beat(each)
  }

  delete(member: C): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
