import { runOutside } from '../pipeline/current.js'
import type { Beats } from './live.js'
import { inSlices } from './slice.js'

/**
 * One timer for all connections of a route, in place of one for each: it runs while there are any. A beat of very many
 * takes several turns of the event loop.
 */
export class Pulse<C> implements Beats<C> {
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
    await inSlices(members, this.beat)
    this.#isBeating = false
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
