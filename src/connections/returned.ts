/** What a handler returns is sent: a value, an array, an iterable, an async iterable, an observable, or `stop()`. */
import { isPromise, then } from '../pipeline/settle.js'
import { Stop } from './close-reason.js'
import { type Source, sourceOf } from './sources.js'

/** What this file needs of a connection. */
export interface Receiver {
  readonly closed: boolean
  /** Sends one value; `false` where the producer should wait for `drained`. */
  push(value: unknown): boolean
  drained(): Promise<unknown>
  stop(stop: Stop): void
  /** Checks a value against the route's output schema, where it has one. */
  readonly check: ((value: unknown) => unknown) | undefined
  /** Calls back when the connection ends; what it answers takes that back. */
  onEnd(listener: () => void): () => void
}

type Done = undefined | Promise<undefined>

/** Sends what a handler returned. Answers a promise only where it has to wait, so that the next handler waits too. */
export function sendReturned(to: Receiver, returned: unknown): Done {
  if (returned === undefined) return undefined
  if (isPromise(returned)) return Promise.resolve(returned).then(value => sendReturned(to, value))
  const source = sourceOf(returned)
  if (source !== undefined) return new Pump(to, source).run()
  const sent = sendOne(to, returned)
  return isPromise(sent) ? Promise.resolve(sent).then(() => undefined) : undefined
}

/** `false` where the producer should wait. */
function sendOne(to: Receiver, value: unknown): boolean | PromiseLike<boolean> {
  if (to.closed || value === undefined) return true
  if (value instanceof Stop) {
    to.stop(value)
    return true
  }
  if (to.check === undefined) return to.push(value)
  return then(to.check(value), checked => to.closed || to.push(checked))
}

/**
 * Drives a source at the peer's pace. However that ends (the items, a throw, the peer, the server), the source's
 * `return` is called unless it is done, so a generator's `finally` runs, once.
 */
class Pump {
  #finished = false
  #reading = false
  #returned: Promise<unknown> | undefined

  constructor(
    private readonly to: Receiver,
    private readonly source: Source,
  ) {}

  run(): Done {
    const forget = this.to.onEnd(() => this.#giveUp())
    const cleanUp = () => {
      forget()
      this.#giveUp()
      return this.#returned?.then(() => undefined)
    }
    let running: Done
    try {
      running = this.#step()
    } catch (error) {
      cleanUp()
      throw error
    }
    return running === undefined ? cleanUp() : running.finally(cleanUp)
  }

  #giveUp(): void {
    if (this.#finished) return
    this.#finished = true
    if (!this.#reading) this.#letGo()
  }

  /** Never throws, since it may run while the connection ends: what went wrong is told to the one who pumps. */
  #letGo(): void {
    try {
      const returned = this.source.return?.()
      if (!isPromise(returned)) return
      this.#returned = Promise.resolve(returned)
    } catch (error) {
      this.#returned = Promise.reject(error)
    }
    this.#returned.catch(() => {})
  }

  #step(): Done {
    while (!this.#finished) {
      const result = this.#next()
      if (isPromise(result)) return Promise.resolve(result).then(settled => this.#goOn(this.#accept(settled)))
      const wait = this.#accept(result)
      if (wait !== undefined) return this.#goOn(wait)
    }
    return undefined
  }

  #next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    this.#reading = true
    try {
      const result = this.source.next()
      this.#reading = false
      if (isPromise(result)) {
        if (this.#finished) this.#letGo()
        return Promise.resolve(result).catch(error => this.#fail(error))
      }
      if (this.#finished && result.done !== true) this.#letGo()
      return result
    } catch (error) {
      return this.#fail(error)
    }
  }

  /** A source that failed is done: its `return` must not be called. */
  #fail(error: unknown): never {
    this.#finished = true
    throw error
  }

  #goOn(wait: Promise<unknown> | undefined): Done {
    return wait === undefined ? this.#step() : wait.then(() => this.#step())
  }

  /** Takes one result; answers a promise where the peer is behind. */
  #accept(result: IteratorResult<unknown>): Promise<unknown> | undefined {
    if (result.done === true) {
      this.#finished = true
      return undefined
    }
    const sent = sendOne(this.to, result.value)
    if (isPromise(sent)) return Promise.resolve(sent).then(goOn => (goOn ? undefined : this.#behind()))
    return sent ? undefined : this.#behind()
  }

  #behind(): Promise<unknown> | undefined {
    return this.to.closed ? undefined : this.to.drained()
  }
}
