/** One write per connection and turn: what rooms are sent within one turn of the event loop leaves at its end, joined. */
import { runOutside } from '../pipeline/current.js'

export interface Waiting {
  readonly bytes: Buffer
  readonly key: string | undefined
}

/**
 * What one turn has brought to a connection. Members of a room are brought the same buffers one after another, and so
 * they share their batches: adding to one costs no object, and what is joined for the first serves them all.
 */
export class Batch implements Waiting {
  readonly size: number
  #next: Batch | undefined
  #joined: Buffer | undefined

  constructor(
    readonly bytes: Buffer,
    readonly key: string | undefined,
    private readonly before: Batch | undefined,
  ) {
    this.size = bytes.length + (before?.size ?? 0)
  }

  /** This batch and one more item. */
  add(bytes: Buffer, key: string | undefined): Batch {
    if (this.#next?.bytes !== bytes || this.#next.key !== key) this.#next = new Batch(bytes, key, this)
    return this.#next
  }

  get joined(): Buffer {
    if (this.before === undefined) return this.bytes
    this.#joined ??= Buffer.concat(
      this.items().map(({ bytes }) => bytes),
      this.size,
    )
    return this.#joined
  }

  items(): readonly Waiting[] {
    const items: Waiting[] = []
    for (let at: Batch | undefined = this; at !== undefined; at = at.before) items.push(at)
    return items.reverse()
  }
}

/** What the last batch began with: the same for the next member. */
let first: Batch | undefined

export function beginBatch(bytes: Buffer, key: string | undefined): Batch {
  if (first?.bytes !== bytes || first.key !== key) first = new Batch(bytes, key, undefined)
  return first
}

/** Who has a batch that is to be written. */
export interface Staged {
  flushStaged(): void
}

/**
 * Milliseconds of writing after which everybody else has a turn: a room of ten thousand takes longer than a request
 * should wait. What belongs to one connection stays in order, since that is in its own queue.
 */
const BUDGET = 5
/** Writes between two looks at the clock. */
const STEP = 64

let staged: Staged[] = []

export function flushAtEndOfTurn(queue: Staged): void {
  if (staged.push(queue) === 1) runOutside(() => setImmediate(flush))
}

function flush(): void {
  const queues = staged
  const until = performance.now() + BUDGET
  let done = 0
  while (done < queues.length) {
    queues[done++]?.flushStaged()
    if (done % STEP === 0 && performance.now() > until) break
  }
  staged = queues.slice(done)
  first = undefined
  if (staged.length > 0) setImmediate(flush)
}
