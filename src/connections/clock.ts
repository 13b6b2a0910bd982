import { runOutside } from '../pipeline/current.js'

/** Tells how much time has passed. */
export interface Clock {
  /** Milliseconds since some moment; it never goes back. */
  now(): number
  /** Runs a task once, after so many milliseconds. Answers a function that prevents it. */
  after(ms: number, run: () => void): () => void
}

/** This process' own. It keeps no process alive. */
export const processClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = runOutside(() => setTimeout(run, ms).unref())
    return () => clearTimeout(timer)
  },
}

/** Timers that are stopped together. */
export class Timers implements Clock {
  readonly #cancels = new Set<() => void>()
  #stopped = false

  constructor(private readonly clock: Clock) {}

  now(): number {
    return this.clock.now()
  }

  after(ms: number, run: () => void): () => void {
    if (this.#stopped) return () => {}
    const due = () => {
      this.#cancels.delete(cancel)
      run()
    }
    const stop = this.clock.after(ms, due)
    const cancel = () => {
      this.#cancels.delete(cancel)
      stop()
    }
    this.#cancels.add(cancel)
    return cancel
  }

  /** Stops all of them, and starts no more. */
  stop(): void {
    this.#stopped = true
    for (const cancel of this.#cancels) cancel()
  }
}
