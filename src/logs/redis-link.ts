import { answerWithin } from './answer-within.js'
import { type Fate, Link } from './link.js'
import type { Failure } from './patience.js'

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

/** A connection to Redis that is made again for as long as it is wanted. */
export class RedisLink extends Link<RedisClient> {
  constructor(make: () => Promise<RedisClient>) {
    super({
      server: 'Redis',
      connect: fate => connect(make, fate),
      close: client => client.close(),
      destroy,
    })
  }

  /** Runs a command. A connection that has not answered it after `ms` is taken for lost. */
  async ask<T>(client: RedisClient, run: (client: RedisClient) => Promise<T>, ms: number): Promise<T> {
    try {
      return await answerWithin(run(client), ms, 'Redis')
    } catch (error) {
      if (!isRefusal(error) || isMoved(error)) this.drop(client, error)
      throw error
    }
  }
}

/**
 * Milliseconds after which a server that was left behind is taken for the only one, where no connection leads to another:
 * longer than Sentinels need to tell each other, and shorter than sends are patient.
 */
const DOUBT = 3000

/** Milliseconds after which a refusal says nothing any more, unless others followed: longer than it takes to connect. */
const REMEMBERED = 10_000

/** When connections were first refused since one was answered, and when last. */
interface Refusals {
  readonly client: RedisClient
  readonly since: number
  last: number
}

/** Insists on an answer where one connection of a log after another leads to a server that was left behind, and none elsewhere. */
export class Insistence {
  readonly #refusals = new Map<RedisLink, Refusals>()

  /** @param times milliseconds */
  constructor(private readonly times = { doubt: DOUBT, remembered: REMEMBERED }) {}

  async ask<T>(link: RedisLink, client: RedisClient, run: (insists: boolean) => Promise<T>): Promise<T> {
    const refusals = this.#refusalsOf(link)
    const insists = refusals !== undefined && refusals.client !== client && now() - refusals.since >= this.times.doubt
    try {
      const answer = await run(insists)
      this.answered()
      return answer
    } catch (error) {
      if (/\bBEHIND\b/.test(String(error))) this.#refused(link, client)
      throw error
    }
  }

  /** By a server that was not left behind. */
  answered(): void {
    this.#refusals.clear()
  }

  #refusalsOf(link: RedisLink): Refusals | undefined {
    const refusals = this.#refusals.get(link)
    return refusals !== undefined && now() - refusals.last < this.times.remembered ? refusals : undefined
  }

  #refused(link: RedisLink, client: RedisClient): void {
    const refusals = this.#refusalsOf(link)
    if (refusals === undefined) this.#refusals.set(link, { client, since: now(), last: now() })
    else refusals.last = now()
  }
}

const now = () => performance.now()

async function connect(make: () => Promise<RedisClient>, { lose, note, signal }: Fate): Promise<RedisClient> {
  const client = await make()
  client.on('error', error => {
    note(error)
    if (isPlain(client)) lose(error)
  })
  const end = () => destroy(client)
  // One of many servers leaves connections behind where it is ended before it knows them all.
  if (isPlain(client)) signal.addEventListener('abort', end, { once: true })
  try {
    await answerWithin(client.connect(), CONNECTING, 'Redis')
    return client
  } catch (error) {
    await end()
    throw error
  } finally {
    signal.removeEventListener('abort', end)
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

async function destroy(client: RedisClient): Promise<void> {
  try {
    await client.destroy()
  } catch {
    // It was no longer open.
  }
}

/** Redis answered, with an error: nothing was done. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && /^[A-Z]{2,} /.test(error.message)
}

/** The command cannot have reached Redis. */
function isUnsent(error: unknown): boolean {
  return /client is (offline|closed)/.test(String(error))
}

/** Redis cannot do it now, or this server cannot. */
function isPassing(error: unknown): boolean {
  return /\b(LOADING|BUSY|TRYAGAIN|NOREPLICAS|MISCONF)\b/.test(String(error)) || isMoved(error)
}

function isMoved(error: unknown): boolean {
  return /\b(BEHIND|READONLY|MASTERDOWN|CLUSTERDOWN|MOVED|UNBLOCKED)\b/.test(String(error))
}

/** What a failed command says of what was asked. */
export function judge(error: unknown): Failure {
  if (isRefusal(error)) return isPassing(error) ? 'busy' : 'refused'
  return isUnsent(error) ? 'unsent' : 'unanswered'
}
