import type { Plan } from './plan.js'

/** Who waits behind a gate where nobody does: one for all, since that is all of them in a while. */
const NOBODY: (() => void)[] = []

/** Milliseconds that something may wait for `open` unremarked. */
const PATIENCE = 1000
/** Plans of routes that were told of already. */
const told = new WeakSet<object>()

/** Where what comes after `open` waits. */
interface Held {
  holdTasks(): void
  goOnWith(sent: unknown): void
  goOnWithout(error: unknown): void
}

/** What stands between `open` and everything after it: messages and replays wait here until `open` has settled. */
export class OpeningGate {
  #passed = false
  #waiting: (() => void)[] = NOBODY
  #held: Held | undefined
  /** Since when something waits. */
  #since: number | undefined

  constructor(private readonly released: { release(): void }) {}

  get passed(): boolean {
    return this.#passed
  }

  /** Whether something waits for `open` to settle. */
  get isWaitedFor(): boolean {
    return this.#since !== undefined && !this.#passed
  }

  /**
   * Something waits for `open` to settle. Where that goes on for so long that nobody can mean it, it is told, once for
   * each route: who waits for something in there that lasts as long as the connection would not know why nothing comes.
   */
  waits({ route, logger }: Pick<Plan<never>, 'route' | 'logger'>, what: (member: string) => string): void {
    const now = performance.now()
    this.#since ??= now
    if (now - this.#since <= PATIENCE || told.has(route)) return
    told.add(route)
    logger.warn(`${route.name} ${what(route.member ?? 'open')}`)
  }

  /** Keeps all others waiting, until `settle` is called. */
  hold(mailbox: Held): void {
    this.#held = mailbox
    mailbox.holdTasks()
  }

  /** `open` returned: `send` sends that, before anything else. */
  settle(send: () => unknown): void {
    const held = this.#held
    this.#held = undefined
    let sent: unknown
    try {
      sent = send()
    } catch (error) {
      this.pass()
      return held?.goOnWithout(error)
    }
    this.pass()
    held?.goOnWith(sent)
  }

  /** Settles when `open` has, or the connection has ended. */
  wait(): Promise<void> {
    return new Promise(resolve => this.behind(resolve))
  }

  /** Runs something as soon as `open` has settled, or the connection has ended: now, where it has. It must not throw. */
  behind(run: () => void): void {
    if (this.#passed) return run()
    if (this.#waiting === NOBODY) this.#waiting = [run]
    else this.#waiting.push(run)
  }

  pass(): void {
    this.#passed = true
    this.released.release()
    const waiting = this.#waiting
    this.#waiting = NOBODY
    for (const run of waiting) run()
  }
}

/** The gate of all connections that are open. */
export const passed = new OpeningGate({ release() {} })
passed.pass()
