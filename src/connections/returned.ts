/** What a handler returns is sent: a value, an array, an iterable, an async iterable, an observable, or `stop()`. */
import { isPromise, then } from '../pipeline/settle.js'
import { Stop, type StopOptions } from './close-reason.js'
import { Feed } from './feed.js'
import { type Source, sourceOf } from './sources.js'

/** What this file needs of a connection. */
export interface Receiver {
  readonly closed: boolean
  /** Sends one value; `false` where the producer should wait for `drained`, `waits` where it does. */
  push(value: unknown, waits: boolean): boolean
  drained(): Promise<unknown>
  /** Its `together` runs `send`, and what that pushes leaves in one write. */
  readonly queue: { together<T>(send: () => T): T }
  close(options: StopOptions): void
  /** Checks a value against the route's output schema, where it has one. */
  readonly check: ((value: unknown) => unknown) | undefined
  /** Tells when the connection ends, until `offEnd`. */
  onEnd(ending: Ending): void
  offEnd(ending: Ending): void
}

/** What is told, once, that its connection has ended. */
export interface Ending {
  ended(): void
}

type Done = undefined | Promise<undefined>
type Wait = PromiseLike<IteratorResult<unknown>>
type Next = IteratorResult<unknown> | Wait

const OVER: IteratorResult<unknown> = { done: true, value: undefined }

/** Items after which a source lets others have their turn. */
const BREATH = 128

/** Sends what a handler returned. Answers a promise only where it has to wait, so that the next handler waits too. */
export function sendReturned(to: Receiver, returned: unknown): Done {
  if (returned === undefined) return undefined
  if (isPromise(returned)) return Promise.resolve(returned).then(value => sendReturned(to, value))
  if (returned instanceof Feed) return new Pump(to, returned.source, true).run()
  const source = sourceOf(returned)
  if (source !== undefined) return new Pump(to, source, false).run()
  const sent = sendOne(to, returned, false)
  return isPromise(sent) ? Promise.resolve(sent).then(() => undefined) : undefined
}

/** `false` where the producer should wait. */
function sendOne(to: Receiver, value: unknown, waits: boolean): boolean | PromiseLike<boolean> {
  if (to.closed || value === undefined) return true
  if (value instanceof Stop) {
    to.close(value.options)
    return true
  }
  if (to.check === undefined) return to.push(value, waits)
  return then(to.check(value), checked => to.closed || to.push(checked, waits))
}

/**
 * Drives a source at the peer's pace. However that ends (the items, a throw, the peer, the server), the source's
 * `return` is called unless it is done, so a generator's `finally` runs, once.
 */
class Pump implements Ending {
  #finished = false
  #reading = false
  /** Whether what is waited for, or fails, is the source: one that failed is done, and its `return` must not be called. */
  #asked = false
  #returned: Promise<unknown> | undefined
  /** Settles what `run` answered. */
  #settle: { resolve(done: undefined): void; reject(error: unknown): void } | undefined
  /** The first one is told. */
  #failure: { readonly error: unknown } | undefined
  #items = 0

  constructor(
    private readonly to: Receiver,
    private readonly source: Source,
    /** Whether the connection ends with it. */
    private readonly isAll: boolean,
  ) {}

  run(): Done {
    this.to.onEnd(this)
    let wait: Wait | undefined
    try {
      wait = this.to.queue.together(() => this.#step())
    } catch (error) {
      if (this.#asked) this.#finished = true
      this.#leave()
      throw error
    }
    if (wait === undefined) {
      this.#leave()
      return this.#returned?.then(() => undefined)
    }
    const first = wait
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#goOn(first)
    })
  }

  /** The connection has ended before the source. */
  ended(): void {
    this.#giveUp()
  }

  #giveUp(): void {
    if (this.#finished) return
    this.#finished = true
    if (!this.#reading) this.#letGo()
  }

  #leave(): void {
    this.to.offEnd(this)
    this.#giveUp()
  }

  /** Never throws, since it may run while the connection ends: what went wrong is told to the one who pumps. */
  #letGo(): void {
    try {
      this.#returned = Promise.resolve(this.source.return?.())
    } catch (error) {
      this.#returned = Promise.reject(error)
    }
    // A source that was let go is over when its `return` is, also where a `next` stays open for ever.
    this.#returned.then(
      () => this.#over(),
      error => this.#over({ error }),
    )
  }

  /** One failure is told: where the pump has failed, that the source's `return` did, too, is nobody's to hear. */
  #over(worse?: { readonly error: unknown }): void {
    const failure = this.#failure ?? worse
    if (failure === undefined) this.#settle?.resolve(undefined)
    else this.#settle?.reject(failure.error)
  }

  /** As far as it goes without waiting, from a result on, where there is one: answers what it waits for then. */
  #step(result?: IteratorResult<unknown>): Wait | undefined {
    let next: Next | undefined = result
    while (!isPromise(next)) {
      const wait = next && this.#accept(next)
      if (wait !== undefined) return wait.then(() => (this.#finished ? OVER : this.#next()))
      if (this.#finished) return undefined
      next = this.#next()
    }
    return next
  }

  /** A loop, since a chain of promises would grow for as long as the source lasts. An item costs no promise of ours. */
  async #goOn(first: Wait): Promise<void> {
    try {
      for (let wait: Wait | undefined = first; wait !== undefined; ) wait = this.#step(await wait)
    } catch (error) {
      if (this.#asked) this.#finished = true
      this.#failure = { error }
    }
    this.#leave()
    if (this.#returned === undefined) this.#over()
  }

  #next(): Next {
    this.#asked = true
    this.#reading = true
    const next = this.source.next()
    this.#reading = false
    if (this.#finished && (isPromise(next) || next.done !== true)) this.#letGo()
    return next
  }

  /** Takes one result; answers a promise where the peer is behind. */
  #accept(result: IteratorResult<unknown>): Promise<unknown> | undefined {
    this.#asked = false
    if (result.done === true) {
      this.#finished = true
      if (this.isAll) this.to.close({})
      return undefined
    }
    const sent = sendOne(this.to, result.value, true)
    if (isPromise(sent)) return Promise.resolve(sent).then(goOn => (goOn ? this.#breathe() : this.#behind()))
    return sent ? this.#breathe() : this.#behind()
  }

  #behind(): Promise<unknown> | undefined {
    return this.to.closed ? undefined : this.to.drained()
  }

  /** A source that never waits, to a peer that always keeps up, must not keep everybody else waiting. */
  #breathe(): Promise<unknown> | undefined {
    return ++this.#items % BREATH === 0 ? new Promise(resolve => setImmediate(resolve)) : undefined
  }
}
