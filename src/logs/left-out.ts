import type { Logger } from '../logger.js'

/** Entries of which it is known that they have been told of. */
const KNOWN = 1000
/** Warnings in a minute: who writes wrongly once mostly writes all so. */
const MOST = 100
const MINUTE = 60_000

/** What somebody else wrote wrongly is left out, and told of once: what comes behind it goes on. */
export class LeftOut {
  readonly #known = new Set<string>()
  /** How many were told of in the minute that began then. */
  #told = 0
  #since = Number.NEGATIVE_INFINITY

  /** @param who leaves it out */
  constructor(
    private readonly who: string,
    private readonly logger: Logger,
  ) {}

  /** What `read` makes of an entry; undefined where that throws. @param name where the entry lies, for who looks for it */
  read<T>(name: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      this.tell(name, error)
      return undefined
    }
  }

  tell(name: string, error: unknown): void {
    if (this.#known.has(name)) return
    if (this.#known.size >= KNOWN) this.#known.clear()
    this.#known.add(name)
    const told = this.#count()
    if (told > MOST) return
    const why = error instanceof Error ? error.message : String(error)
    const end = told < MOST ? '' : ' (and tells of no more in this minute)'
    this.logger.warn(`${this.who} leaves out ${name}: ${why}${end}`)
  }

  #count(): number {
    const now = performance.now()
    if (now - this.#since >= MINUTE) {
      this.#since = now
      this.#told = 0
    }
    return ++this.#told
  }
}
