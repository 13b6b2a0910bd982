/** One write per connection and turn: what rooms are sent within one turn of the event loop leaves at its end, joined. */
import { runOutside } from '../pipeline/current.js'
import { Slice } from './slice.js'

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

/** What a room has been sent in this turn, and its members have not been brought. */
export interface Undealt {
  /** Brings it to each member's queue. */
  deal(): void
  /** Writes it to as many members as there is time for, and brings it to the queues of the others. */
  write(slice: Slice): void
}

let undealt: Undealt | undefined

/** What waits, where there is any. */
export function undealtRoom(): Undealt | undefined {
  return undealt
}

/**
 * Leaves what a room was sent for the end of the turn, or until something else comes. It waits before the last is dealt,
 * since who hears of that may leave the room.
 */
export function dealLater(room: Undealt): void {
  const last = undealt
  undealt = room
  last?.deal()
  flushLater()
}

/**
 * Before anything else comes to a queue, and before anybody enters or leaves a room: as if each message had been brought
 * to the members when it was sent. That may end a connection, and who hears of it may send, too.
 */
export function dealOut(): void {
  for (let room = undealt; room !== undefined; room = undealt) {
    undealt = undefined
    room.deal()
  }
}

/** Who has a batch that is to be written. */
export interface Staged {
  flushStaged(): void
}

let staged: Staged[] = []
let isDue = false

export function flushAtEndOfTurn(queue: Staged): void {
  staged.push(queue)
  flushLater()
}

function flushLater(): void {
  if (isDue) return
  isDue = true
  runOutside(() => setImmediate(flush))
}

/** Past a slice of the turn it goes on in the next. What belongs to one connection stays in order, since that is in its own queue. */
function flush(): void {
  isDue = false
  const slice = new Slice()
  const room = undealt
  undealt = undefined
  room?.write(slice)
  const queues = staged
  let done = 0
  while (done < queues.length) {
    queues[done++]?.flushStaged()
    if (slice.isOver()) break
  }
  staged = queues.slice(done)
  first = undefined
  if (staged.length > 0) flushLater()
}
