/** Who waits behind a gate that was passed: one for all, since that is all of them in a while. */
const NOBODY: (() => void)[] = []

/** What stands between `open` and everything after it: messages and replays wait here until `open` has settled. */
export class OpeningGate {
  #passed = false
  #waiting: (() => void)[] = []
  #held: { resolve(sent: unknown): void; reject(error: unknown): void } | undefined

  constructor(private readonly released: { release(): void }) {}

  get passed(): boolean {
    return this.#passed
  }

  /** The task that keeps all others waiting: done when `settle` is called. */
  hold(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#held = { resolve, reject }
    })
  }

  /** `open` returned: `send` sends that, before anything else. */
  settle(send: () => unknown): void {
    try {
      const sent = send()
      this.#held?.resolve(sent)
    } catch (error) {
      this.#held?.reject(error)
    } finally {
      this.pass()
    }
  }

  /** Settles when `open` has, or the connection has ended. */
  wait(): Promise<void> {
    return this.#passed ? Promise.resolve() : new Promise(resolve => this.#waiting.push(resolve))
  }

  pass(): void {
    this.#passed = true
    this.released.release()
    const waiting = this.#waiting
    this.#waiting = NOBODY
    for (const resolve of waiting) resolve()
  }
}

/** The gate of all connections that are open. */
export const passed = new OpeningGate({ release() {} })
passed.pass()
