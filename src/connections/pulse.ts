import { runOutside } from '../pipeline/current.js'
import type { Beats } from './live.js'
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
export class Pulse<C extends Beaten> implements Beats<C> {
  #timer: NodeJS.Timeout | undefined
  #isBeating = false

  /** @param period milliseconds; 0 or less never beats */
  constructor(
    private readonly period: number,
    private readonly beat: (member: C) => void,
  ) {}

  start(members: Iterable<C>): void {
    if (this.period <= 0) return
    this.#timer ??= runOutside(() => setInterval(() => this.#beat(members), this.period).unref())
  }

  async #beat(members: Iterable<C>): Promise<void> {
    if (this.#isBeating) return
    this.#isBeating = true
    try {
      await inSlices(members, member => this.#beatOne(member))
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

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
