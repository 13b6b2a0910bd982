import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../logger.js'
import type { LeaveOptions } from '../server/leave.js'
import { Forked, tell } from './forked.js'

/** How workers are run. @internal */
export interface WorkersSetup {
  readonly count: number
  readonly logger: Logger
  /** How a worker stops where nothing else is said. */
  readonly leaving: LeaveOptions
  /** The environment of a worker. @param port which all share, where a spare one was asked for and found */
  readonly env: (port: number | undefined) => Readonly<Record<string, string>>
}

/** A worker that lived this long is replaced at once; the others after waits, in milliseconds, that grow. */
const LASTED = 5000
const BACKOFF = { first: 100, longest: 10_000 }

/** The processes that serve an application, in the primary that started them. */
export class Workers {
  readonly #working = new Set<Forked>()
  readonly #booting = new Set<Forked>()
  readonly #closing = new AbortController()
  #addresses: readonly (AddressInfo | string)[] = []
  /** Where a spare port was taken, and all who listened on it were gone: the port for those who come. */
  #port: number | undefined
  /** How often in a row a worker died young, or did not start. */
  #failures = 0
  #restarting: Promise<void> | undefined

  private constructor(private readonly setup: WorkersSetup) {}

  /** Starts the first, and, when that one serves, the others. @throws what the `bootstrap` of a worker did. @internal */
  static async start(setup: WorkersSetup): Promise<Workers> {
    const workers = new Workers(setup)
    try {
      await workers.#add()
      await Promise.all(Array.from({ length: setup.count - 1 }, () => workers.#add()))
    } catch (error) {
      workers.#closing.abort()
      for (const forked of [...workers.#booting, ...workers.#working]) {
        forked.retiring = true
        forked.kill()
        await forked.ended
      }
      throw error
    }
    return workers
  }

  /** How many there are to be. */
  get count(): number {
    return this.setup.count
  }

  /** The process ids of those that serve. */
  get pids(): readonly number[] {
    return [...this.#working].map(forked => forked.pid)
  }

  /** Where each of them listens. */
  get addresses(): readonly (AddressInfo | string)[] {
    return this.#addresses
  }

  /**
   * Replaces all of them, one after another: each is drained when its successor serves, so that nobody who connects is
   * refused, and the code is read anew. For its `drainDelay` it tells those whose connections are kept to come anew, while
   * `/ready` stays as it is. A second call waits for the first; where the application closes meanwhile, that is the end of it.
   * @throws what the `bootstrap` of a successor did; then those that were not replaced go on
   */
  restart(): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined
    })
    return this.#restarting
  }

  /** Drains all of them. @param options what is undefined is their own. @internal */
  async close(options: Partial<LeaveOptions>): Promise<void> {
    this.#closing.abort()
    const kill = () => {
      for (const forked of [...this.#booting, ...this.#working]) forked.kill()
    }
    process.once('exit', kill)
    const all = [...this.#booting, ...this.#working]
    const settled = await Promise.allSettled(all.map(forked => forked.close(options, this.setup.leaving)))
    process.off('exit', kill)
    for (const result of settled) if (result.status === 'rejected') throw result.reason
  }

  async #restart(): Promise<void> {
    for (const old of [...this.#working]) {
      if (this.#closing.signal.aborted) return
      if (!this.#working.has(old)) continue
      old.retiring = true
      try {
        await this.#add()
      } catch (error) {
        // All of them end: whoever asked for a restart by a signal hears of no failure.
        if (this.#closing.signal.aborted) return
        old.retiring = false
        if (!this.#working.has(old)) this.#replace(0)
        throw error
      }
      await old.close({ replaced: true }, this.setup.leaving).catch(error => this.setup.logger.error(String(error)))
    }
  }

  async #add(): Promise<void> {
    const { logger, env } = this.setup
    const forked = new Forked(env(this.#port), error => logger.error('a message to a worker was lost', error))
    this.#booting.add(forked)
    try {
      const addresses = await forked.ready
      if (this.#addresses.length > 0 && !isSamePlace(addresses, this.#addresses)) {
        forked.kill()
        throw new Error('a worker listened elsewhere than the others')
      }
      this.#addresses = addresses
      this.#working.add(forked)
      forked.ended.then(() => this.#lose(forked))
    } finally {
      this.#booting.delete(forked)
    }
  }

  async #lose(forked: Forked): Promise<void> {
    this.#working.delete(forked)
    const [address] = this.#addresses
    if (this.#working.size === 0 && typeof address === 'object') this.#port = address.port
    if (forked.retiring || this.#closing.signal.aborted) return
    this.setup.logger.error(`the worker ${forked.pid} ended ${tell(await forked.ended)}: another takes its place`)
    this.#failures = performance.now() - forked.since < LASTED ? this.#failures + 1 : 0
    await this.#replace(this.#failures)
  }

  /** Starts one, and again until it serves. */
  async #replace(failures: number): Promise<void> {
    this.#failures = failures
    while (!this.#closing.signal.aborted) {
      const wait = Math.min(BACKOFF.longest, this.#failures === 0 ? 0 : BACKOFF.first * 2 ** (this.#failures - 1))
      await sleep(wait, undefined, { signal: this.#closing.signal }).catch(() => {})
      if (this.#closing.signal.aborted) return
      try {
        return await this.#add()
      } catch (error) {
        if (this.#closing.signal.aborted) return
        this.#failures++
        this.setup.logger.error('a worker did not start: it is tried again', error)
      }
    }
  }
}

function isSamePlace(one: readonly (AddressInfo | string)[], other: readonly (AddressInfo | string)[]): boolean {
  return JSON.stringify(one[0]) === JSON.stringify(other[0])
}
