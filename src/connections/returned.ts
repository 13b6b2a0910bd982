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
  /** Calls back when the connection ends; what it answers takes that back. */
  onEnd(listener: () => void): () => void
}

type Done = undefined | Promise<undefined>
type Next = IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>>

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
class Pump {
  #finished = false
  #reading = false
  #returned: Promise<unknown> | undefined
  /** A source that was let go is over when its `return` is, also where a `next` stays open for ever. */
  #goneWith: (returned: Promise<unknown>) => void = () => {}
  #items = 0

  constructor(
    private readonly to: Receiver,
    private readonly source: Source,
    /** Whether the connection ends with it. */
    private readonly isAll: boolean,
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
      running = this.to.queue.together(() => this.#step())
    } catch (error) {
      // One failure is told; that its `return` failed, too, is nobody's to hear.
      cleanUp()?.catch(() => {})
      throw error
    }
    if (running === undefined) return cleanUp()
    const gone = this.#returned ?? new Promise<unknown>(resolve => (this.#goneWith = resolve))
    const ended: Promise<unknown> = Promise.race([running, gone]).finally(cleanUp)
    return ended.then(() => undefined)
  }

  #giveUp(): void {
    if (this.#finished) return
    this.#finished = true
    if (!this.#reading) this.#letGo()
  }

  /** Never throws, since it may run while the connection ends: what went wrong is told to the one who pumps. */
  #letGo(): void {
    try {
      this.#returned = Promise.resolve(this.source.return?.())
    } catch (error) {
      this.#returned = Promise.reject(error)
    }
    this.#returned.catch(() => {})
    this.#goneWith(this.#returned)
  }

  /** As far as it goes without waiting. */
  #step(): Done {
    while (!this.#finished) {
      const next = this.#next()
      if (isPromise(next)) return this.#goOn(next)
      const wait = this.#accept(next)
      if (wait !== undefined) return wait.then(() => (this.#finished ? undefined : this.#goOn(this.#next())))
    }
    return undefined
  }

  /** A loop, since a chain of promises would grow for as long as the source lasts. An item costs no promise of ours. */
  async #goOn(first: Next): Promise<undefined> {
    let next: Next | undefined = first
    while (next !== undefined) {
      let result = next as IteratorResult<unknown>
      try {
        if (isPromise(next)) result = await next
      } catch (error) {
        this.#fail(error)
      }
      const wait = this.#accept(result)
      if (wait !== undefined) await wait
      next = this.#finished ? undefined : this.#next()
    }
  }

  #next(): Next {
    this.#reading = true
    try {
      const next = this.source.next()
      this.#reading = false
      if (this.#finished && (isPromise(next) || next.done !== true)) this.#letGo()
      return next
    } catch (error) {
      return this.#fail(error)
    }
  }

  /** A source that failed is done: its `return` must not be called. */
  #fail(error: unknown): never {
    this.#finished = true
    throw error
  }

  /** Takes one result; answers a promise where the peer is behind. */
  #accept(result: IteratorResult<unknown>): Promise<unknown> | undefined {
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
