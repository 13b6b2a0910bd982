import { setTimeout as sleep } from 'node:timers/promises'
import { EventLogUnavailableError } from '../errors.js'

/** Milliseconds that a server has to answer, however short the patience is. */
export const LEAST = 1000
/** Milliseconds until a server is asked again which could not do it a moment ago. */
const PAUSE = 100

/**
 * What a failure says of what was asked: `unsent`: it never left; `unanswered`: nobody knows whether it was done;
 * `busy`: it was not done, and may be in a moment; `refused`: it was not done, and will not be.
 */
export type Failure = 'unsent' | 'unanswered' | 'busy' | 'refused'

/** A server that may be away. */
interface Server<C> {
  /** The connection, once there is one, within `ms`. */
  ready(ms: number): Promise<C>
}

/** Asks a server that may be away for as long as a log is patient, and tells the truth about what came of it. */
export class Patience {
  #waiting = 0
  #stopped = false

  /**
   * @param patience milliseconds
   * @param limit how many may wait at a time
   */
  constructor(
    private readonly registry: string,
    private readonly patience: number,
    private readonly limit: number,
  ) {}

  /** From here on all is refused. */
  stop(): void {
    this.#stopped = true
  }

  /**
   * Asks as soon as the server can be had; again where the answer was lost.
   * @param run asks once, and has `ms` for it; `isRepeated` where it may have been done before
   */
  async ask<C, T>(
    server: Server<C>,
    run: (client: C, ms: number, isRepeated: boolean) => Promise<T>,
    judge: (error: unknown) => Failure,
  ): Promise<T> {
    if (this.#stopped || this.#waiting >= this.limit) throw this.unavailable('refused')
    this.#waiting++
    const deadline = performance.now() + this.patience
    const left = () => deadline - performance.now()
    let isRepeated = false
    try {
      for (;;) {
        const client = await server.ready(left())
        // A process that was stopped meanwhile would ask again when what it asked for is forgotten.
        if (isRepeated && left() <= 0) throw new Error('this node was too slow')
        try {
          return await run(client, Math.max(left(), LEAST), isRepeated)
        } catch (error) {
          const failure = judge(error)
          isRepeated ||= failure === 'unanswered'
          if (left() <= 0 || this.#stopped || failure === 'refused') throw error
          if (failure === 'busy') await sleep(PAUSE)
        }
      }
    } catch (cause) {
      throw this.unavailable(isRepeated ? 'unknown' : 'refused', cause)
    } finally {
      this.#waiting--
    }
  }

  unavailable(outcome: 'refused' | 'unknown', cause?: unknown): EventLogUnavailableError {
    return new EventLogUnavailableError(this.registry, outcome, cause === undefined ? {} : { cause })
  }
}
