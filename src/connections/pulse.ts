import { runOutside } from '../pipeline/current.js'
import { inSlices } from './slice.js'

/** Who has beats. */
interface Beaten {
  /** Its own beat threw: the others have theirs. */
  failed(error: unknown): void
}

/**
 * One timer for all connections of a route, in place of one for each: it runs while there are any. A beat of very many
 * takes several turns of the event loop.
 */
export class Pulse<C extends Beaten> {
  readonly #members = new Set<C>()
  #timer: NodeJS.Timeout | undefined
  #isBeating = false

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

  async #beat(): Promise<void> {
    if (this.#isBeating) return
    this.#isBeating = true
    try {
      await inSlices(this.#members, member => this.#beatOne(member))
    } finally {
      this.#isBeating = false
    }
  }

  #beatOne(member: C): void {
    try {
      this.beat(member)
    } catch (error) {
      member.failed(error)
    }
  }

  delete(member: C): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
