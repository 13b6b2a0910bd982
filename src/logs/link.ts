import { setTimeout as sleep } from 'node:timers/promises'
import { answerWithin } from './answer-within.js'

/** What happens to a connection that is being made, or was. */
export interface Fate {
  /** It is lost. */
  lose(error: unknown): void
  /** Something went wrong that it may get over. */
  note(error: unknown): void
  /** Aborts when it is wanted no longer. */
  readonly signal: AbortSignal
}

/** How a link makes its connections, and ends them. */
export interface Connector<C> {
  /** The server's name, for errors. */
  readonly server: string
  connect(fate: Fate): Promise<C>
  /** Lets what is on its way be answered, and ends the connection. */
  close(client: C): Promise<unknown>
  /** Ends the connection at once, if it is still open. */
  destroy(client: C): Promise<unknown>
}

/** Milliseconds that what is on its way has to be answered when a link closes. */
const CLOSING = 1000
/** Milliseconds until the first attempt to connect again, and at the most; a connection that lasted is a new beginning. */
const BACKOFF = { first: 50, longest: 1000, lasted: 250 }

/**
 * One connection to a server that is made again for as long as it is wanted, after waits that grow and are spread. A lost
 * one is never mended in place: what was on its way has failed, at once, and whoever sent it decides.
 */
export class Link<C> {
  #client: C | undefined
  #stopping: AbortController | undefined
  #keeping: Promise<void> = Promise.resolve()
  #lose: (error: unknown) => void = () => {}
  #error: unknown
  readonly #waiting = new Set<() => void>()
  /** Called when it is up, and when it is down. */
  readonly onChange = new Set<() => void>()

  constructor(private readonly connector: Connector<C>) {}

  get up(): boolean {
    return this.#client !== undefined
  }

  /** Why it is down, where that is known. */
  get error(): unknown {
    return this.#error
  }

  open(): void {
    if (this.#stopping !== undefined) return
    const stopping = new AbortController()
    this.#stopping = stopping
    this.#keeping = this.#keeping.then(() => this.#keep(stopping.signal))
  }

  /** Lets what is on its way be answered, for a moment, and ends the connection. */
  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    const { server } = this.connector
    if (client !== undefined) await answerWithin(this.connector.close(client), CLOSING, server).catch(() => {})
    this.#stopping?.abort()
    this.#stopping = undefined
    this.#lose(new Error('the link was closed'))
    this.#wake()
    await this.#keeping
  }

  /** Ends the connection at once; what is on its way fails. */
  async destroy(): Promise<void> {
    this.#client = undefined
    await this.close()
  }

  /** The connection, once there is one. Rejects after `ms`, and when the link is closed, with why there is none. */
  async ready(ms = Number.POSITIVE_INFINITY): Promise<C> {
    const deadline = performance.now() + ms
    while (this.#client === undefined) {
      const left = deadline - performance.now()
      const { server } = this.connector
      if (this.#stopping === undefined || left <= 0) {
        throw this.#error ?? new Error(`there is no connection to ${server}`)
      }
      let wake = () => {}
      const woken = new Promise<void>(resolve => {
        wake = resolve
        this.#waiting.add(resolve)
      })
      await answerWithin(woken, left, server).catch(() => {})
      this.#waiting.delete(wake)
    }
    return this.#client
  }

  /** This connection is of no use: another one is made. */
  drop(client: C, error: unknown): void {
    if (client === this.#client) this.#lose(error)
  }

  async #keep(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      const before = performance.now()
      await this.#hold(signal)
      if (performance.now() - before > BACKOFF.lasted) failures = 0
      const longest = Math.min(BACKOFF.longest, BACKOFF.first * 2 ** failures)
      await sleep(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
    }
  }

  /** Connects, and waits until that connection is lost. */
  async #hold(signal: AbortSignal): Promise<void> {
    const lost = new Promise<never>((_, reject) => {
      this.#lose = reject
    })
    lost.catch(() => {})
    let client: C | undefined
    try {
      const note = (error: unknown) => {
        this.#error = error
      }
      client = await this.connector.connect({ lose: this.#lose, note, signal })
      if (signal.aborted) return
      this.#client = client
      this.#wake()
      this.#tell()
      await lost
    } catch (error) {
      this.#error = error
    } finally {
      this.#client = undefined
      this.#tell()
      if (client !== undefined) await this.connector.destroy(client).catch(() => {})
    }
  }

  #tell(): void {
    for (const tell of this.onChange) tell()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
