import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What is needed of a client of the package `redis`: that of `createClient`, `createSentinel` and `createCluster` alike.
 * Palomino never uses the one that it is given, but connections of its own that it makes with `duplicate`.
 */
export interface RedisClient {
  destroy(): Promise<void> | void
  connect(): Promise<unknown>
  close(): Promise<unknown>
  on(event: 'error', listener: (error: unknown) => void): unknown
  duplicate(overrides?: object): RedisClient
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  xRead(stream: { key: string; id: string }, options: { COUNT: number; BLOCK: number }): Promise<unknown>
}

/** Milliseconds that it may take to connect. */
const CONNECTING = 5000
/** Milliseconds that commands have to be answered when a link closes. */
const CLOSING = 1000
/** Milliseconds until the first attempt to connect again, and at the most; a connection that lasted is a new beginning. */
const BACKOFF = { first: 50, longest: 2000, lasted: 250 }

/**
 * One connection to Redis that is made again for as long as it is wanted, after waits that grow and are spread. A lost
 * one is never mended in place: what was on its way has failed, at once, and whoever sent it decides.
 */
export class RedisLink {
  #client: RedisClient | undefined
  #stopping: AbortController | undefined
  #keeping: Promise<void> = Promise.resolve()
  #lose: (error: unknown) => void = () => {}
  #error: unknown
  #waiting = new Set<() => void>()
  /** Called when it is up, and when it is down. */
  readonly onChange = new Set<() => void>()

  constructor(private readonly make: () => Promise<RedisClient>) {}

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
    if (client !== undefined) await within(client.close(), CLOSING).catch(() => {})
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
  async ready(ms = Number.POSITIVE_INFINITY): Promise<RedisClient> {
    const deadline = performance.now() + ms
    while (this.#client === undefined) {
      const left = deadline - performance.now()
      if (this.#stopping === undefined || left <= 0) throw this.#error ?? new Error('there is no connection to Redis')
      let wake = () => {}
      const woken = new Promise<void>(resolve => {
        wake = resolve
        this.#waiting.add(resolve)
      })
      await within(woken, left).catch(() => {})
      this.#waiting.delete(wake)
    }
    return this.#client
  }

  /** Runs a command. A connection that has not answered it after `ms` is taken for lost. */
  async ask<T>(client: RedisClient, run: (client: RedisClient) => Promise<T>, ms: number): Promise<T> {
    try {
      return await within(run(client), ms)
    } catch (error) {
      if (!isRefusal(error) || isMoved(error)) this.drop(client, error)
      throw error
    }
  }

  /** This connection is of no use: another one is made. */
  drop(client: RedisClient, error: unknown): void {
    if (client === this.#client) this.#lose(error)
  }

  async #keep(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      const before = performance.now()
      await this.#hold()
      if (performance.now() - before > BACKOFF.lasted) failures = 0
      const longest = Math.min(BACKOFF.longest, BACKOFF.first * 2 ** failures)
      await sleep(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
    }
  }

  /** Connects, and waits until that connection is lost. */
  async #hold(): Promise<void> {
    const lost = new Promise<never>((_, reject) => {
      this.#lose = reject
    })
    lost.catch(() => {})
    let client: RedisClient | undefined
    let connecting: Promise<unknown> = Promise.resolve()
    try {
      const made = await Promise.race([this.make(), lost])
      client = made
      made.on('error', error => {
        this.#error = error
        if (isPlain(made)) this.#lose(error)
      })
      connecting = within(made.connect(), CONNECTING)
      await Promise.race([connecting, lost])
      this.#client = made
      this.#wake()
      this.#tell()
      await lost
    } catch (error) {
      this.#error = error
    } finally {
      this.#client = undefined
      this.#tell()
      if (client !== undefined) await end(client, connecting)
    }
  }

  #tell(): void {
    for (const tell of this.onChange) tell()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}

/** Of one server: the other kinds tell of errors that they get over by themselves. */
function isPlain(client: RedisClient): client is RedisClient & { options?: { socket?: object } } {
  const { options } = client as { options?: object }
  return options !== undefined && !('sentinelRootNodes' in options) && !('rootNodes' in options)
}

/** A client like this one, which leaves it to its link to connect again. */
export function duplicate(client: RedisClient): RedisClient {
  if (!isPlain(client)) return client.duplicate()
  const { socket } = client.options ?? {}
  return client.duplicate({ disableOfflineQueue: true, socket: { ...socket, reconnectStrategy: false } })
}

async function end(client: RedisClient, connecting: Promise<unknown>): Promise<void> {
  try {
    // One of many servers leaves connections behind where it is ended before it knows them all.
    if (!isPlain(client)) await connecting.catch(() => {})
    await client.destroy()
  } catch {
    // It was no longer open.
  }
}

/** Redis answered, with an error: nothing was done. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && /^[A-Z]{2,} /.test(error.message)
}

/** The command cannot have reached Redis, or Redis has not run it. */
export function isUnsent(error: unknown): boolean {
  return isRefusal(error) || /client is (offline|closed)/.test(String(error))
}

/** Redis cannot do it now, or this server cannot. */
export function isPassing(error: unknown): boolean {
  return /\b(LOADING|BUSY|TRYAGAIN|NOREPLICAS|MISCONF)\b/.test(String(error)) || isMoved(error)
}

function isMoved(error: unknown): boolean {
  return /\b(READONLY|MASTERDOWN|CLUSTERDOWN|MOVED|UNBLOCKED)\b/.test(String(error))
}

/** Rejects where a promise has not settled after `ms`. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  if (ms === Number.POSITIVE_INFINITY) return promise
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer from Redis in ${Math.ceil(ms)} ms`)), Math.max(0, ms)).unref()
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
