/** What stands between `open` and everything after it: messages and replays wait here until `open` has settled. */
export class OpeningGate {
  #passed = false
  #waiting: (() => void)[] = []
  #resolve: (sent: unknown) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(private readonly released: () => void) {}

  get passed(): boolean {
    return this.#passed
  }

  /** The task that keeps all others waiting: done when `settle` is called. */
  hold(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** `open` returned: `send` sends that, before anything else. */
  settle(send: () => unknown): void {
    try {
      this.#resolve(send())
    } catch (error) {
      this.#reject(error)
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
    this.released()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
