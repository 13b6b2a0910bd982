import type { Overflow } from '../declare/routes.js'
import { Drained } from './drained.js'
import { corkForTurn, type Sink } from './sink.js'
import { type Batch, beginBatch, dealOut, flushAtEndOfTurn, type Waiting } from './turn.js'

export interface QueueOptions {
  /** Bytes, those in the sink's own buffer included. */
  readonly limit: number
  readonly overflow: Overflow
}

/** Bytes of one turn that are joined before they are written: more is given to the sink while the turn goes on. */
export const JOIN_LIMIT = 65_536

/** What waits for all whom nothing waits for: an idle connection keeps no array. */
const NONE: Waiting[] = []

function added(line: Waiting[], item: Waiting): Waiting[] {
  if (line === NONE) return [item]
  line.push(item)
  return line
}

/**
 * The bounded queue in front of a peer. While the peer keeps up it holds nothing: bytes go to the sink at once. What a
 * slow peer has not taken waits here, in order, under the limit; the limit is checked before a write, so that it is
 * never passed, except by a single message that is larger than it, and by what the sink holds for producers that wait.
 */
export class SendQueue {
  #sink: Sink | undefined
  #waiting: Waiting[] = NONE
  #aside: Waiting[] = NONE
  /** Of what waits and what was set aside. */
  #waitingBytes = 0
  /** What was staged in this turn of the event loop, and is written at its end. */
  #batch: Batch | undefined
  /** What was staged while the opening had not been sent, and waits for that. */
  #staged: Waiting[] = NONE
  #stagedBytes = 0
  #held = true
  #dropped = false
  #draining = false
  /** One for all who wait, however many sends nobody awaits. */
  #drained: Drained | undefined
  #limit: number
  /** How many writes there were: what stands still is silent. */
  writes = 0

  constructor(
    private readonly options: QueueOptions,
    private readonly owner: { overflowed(): void; failed(error: unknown): void },
  ) {
    this.#limit = options.limit
  }

  /** Bytes that the peer has not taken. */
  get size(): number {
    dealOut()
    return this.#size
  }

  get #size(): number {
    return (this.#sink?.writableLength ?? 0) + this.#waitingBytes + this.#stagedBytes + (this.#batch?.size ?? 0)
  }

  /** Whether the peer keeps up: nothing waits for it. */
  get keepsUp(): boolean {
    return this.#sink !== undefined && this.#waiting.length === 0 && !this.#sink.writableNeedDrain
  }

  /**
   * Opens the sink; what was queued until now follows at once. A limit within what the sink buffers by itself would be
   * met before the sink asks anybody to wait, so it is never less than twice that.
   */
  open(sink: Sink): void {
    this.#sink = sink
    this.#limit = Math.max(this.options.limit, 2 * sink.writableHighWaterMark)
    this.#flushWaiting()
  }

  /** The opening has been sent: what was staged meanwhile follows. */
  release(): void {
    this.#held = false
    const staged = this.#staged
    this.#staged = NONE
    this.#stagedBytes = 0
    for (const { bytes, key } of staged) this.#add(bytes, key)
    this.flushStaged()
  }

  /** Sets aside what is queued, for something that goes before it. */
  setAside(): void {
    this.#aside = this.#waiting
    this.#waiting = NONE
  }

  /** Queues what was set aside, behind what was queued since. */
  takeBack(): void {
    if (this.#aside.length === 0) return
    this.#waiting = this.#waiting.concat(this.#aside)
    this.#aside = NONE
    this.#flushWaiting()
  }

  /**
   * Queues bytes behind all that was queued before; `true` where the producer may go on, `false` where it should wait.
   * @param waits whether it does: then it is paused where others overflow, and one message of its own may be too much
   */
  push(bytes: Buffer, key?: string, waits = false): boolean {
    dealOut()
    if (!this.#held) this.flushStaged()
    if (waits && this.#sink?.cork !== undefined) corkForTurn(this.#sink)
    if (waits && !this.#dropped && this.#isOver(bytes)) this.#wait({ bytes, key })
    else this.#write(bytes, key)
    return this.keepsUp
  }

  /**
   * Queues bytes that many connections share; what one turn brings is joined and written once. Answers `false` where
   * they would pass the limit of a queue that is ended by that, which is left to the caller.
   */
  stage(bytes: Buffer, key?: string): boolean {
    if ((this.#batch?.size ?? 0) + bytes.length > JOIN_LIMIT || this.#isOver(bytes)) this.flushStaged()
    if (this.#dropped) return true
    const isOver = this.#isOver(bytes)
    if (isOver && this.options.overflow === 'disconnect') return false
    if (this.#sink === undefined || (isOver && !this.#held)) this.#write(bytes, key)
    else if (!this.#held) {
      if (this.#batch === undefined) flushAtEndOfTurn(this)
      this.#add(bytes, key)
    } else if (this.#makeRoom(this.#staged, { bytes, key })) {
      this.#staged = added(this.#staged, { bytes, key })
      this.#stagedBytes += bytes.length
    }
    return true
  }

  #add(bytes: Buffer, key: string | undefined): void {
    this.#batch = this.#batch === undefined ? beginBatch(bytes, key) : this.#batch.add(bytes, key)
  }

  /** Writes bytes at once where the peer keeps up; answers `false` where it does not, and does nothing. */
  offer(bytes: Buffer): boolean {
    dealOut()
    this.flushStaged()
    if (this.#dropped || this.#held || !this.keepsUp) return false
    this.#sinkWrite(bytes, true)
    return true
  }

  /** Runs `send`: what it pushes leaves in one write. */
  together<T>(send: () => T): T {
    const sink = this.#sink
    sink?.cork?.()
    try {
      return send()
    } finally {
      sink?.uncork?.()
    }
  }

  /** Settles when all was taken by the sink and its buffer has run empty: `true`, or `false` when the queue was dropped. */
  drained(): Promise<boolean> {
    if (this.#dropped) return Promise.resolve(false)
    this.#drained ??= new Drained()
    this.#awaitDrain()
    return this.#drained.promise
  }

  #tellDrained(taken: boolean): void {
    const drained = this.#drained
    this.#drained = undefined
    drained?.tell(taken)
  }

  /** Hands everything to the sink, however slow the peer: the last thing before a clean end. */
  finish(): void {
    dealOut()
    const last = [...this.#waiting, ...this.#aside, ...this.#staged, ...(this.#batch?.items() ?? [])]
    this.together(() => {
      for (const { bytes } of last) this.#sink?.write(bytes)
    })
    this.drop()
  }

  /** Forgets what waits, and what comes; those who wait for it are told. */
  drop(): void {
    this.#dropped = true
    this.#waiting = NONE
    this.#aside = NONE
    this.#waitingBytes = 0
    this.#staged = NONE
    this.#stagedBytes = 0
    this.#batch = undefined
    this.#tellDrained(false)
  }

  /** @internal */
  flushStaged(): void {
    const batch = this.#batch
    if (batch === undefined) return
    this.#batch = undefined
    if (!this.#isFree(batch.size)) for (const { bytes, key } of batch.items()) this.#write(bytes, key)
    else this.#sinkWrite(batch.joined, true)
  }

  /** Writes what a turn has brought, where nothing stands before it; else answers `false`, and does nothing. */
  pass(bytes: Buffer): boolean {
    if (this.#held || this.#dropped || this.#batch !== undefined || !this.#isFree(bytes.length)) return false
    this.#sinkWrite(bytes, true)
    return true
  }

  #isFree(length: number): boolean {
    return this.keepsUp && this.#size + length <= this.#limit
  }

  #isOver(bytes: Buffer): boolean {
    const size = this.#size
    return size > 0 && size + bytes.length > this.#limit
  }

  #write(bytes: Buffer, key: string | undefined): void {
    if (this.#dropped) return
    if (this.keepsUp && !this.#isOver(bytes)) this.#sinkWrite(bytes)
    else this.#enqueue({ bytes, key })
  }

  /** What stands in front of the sink may throw: nobody knows what it has let out, and others wait for their turn. */
  #sinkWrite(bytes: Buffer, isLast = false): void {
    this.writes++
    try {
      if (isLast && this.#sink?.writeLast !== undefined) this.#sink.writeLast(bytes)
      else this.#sink?.write(bytes)
    } catch (error) {
      this.drop()
      this.owner.failed(error)
    }
  }

  #enqueue(item: Waiting): void {
    if (this.options.overflow === 'disconnect' && this.#isOver(item.bytes)) return this.owner.overflowed()
    if (this.#makeRoom(this.#waiting, item)) this.#wait(item)
  }

  #wait(item: Waiting): void {
    this.#waiting = added(this.#waiting, item)
    this.#waitingBytes += item.bytes.length
    this.#awaitDrain()
  }

  /** Removes from a line what the policy gives up for an item behind it; `false` where that is the item itself. */
  #makeRoom(line: Waiting[], { bytes, key }: Waiting): boolean {
    const { overflow } = this.options
    if (overflow === 'latest' && key !== undefined) {
      const older = line.findIndex(item => item.key === key)
      this.#remove(line, older)
    }
    while (this.#isOver(bytes)) {
      if (overflow === 'drop-newest' || line.length === 0) return false
      this.#remove(line, 0)
    }
    return true
  }

  #remove(line: Waiting[], index: number): void {
    if (index === -1) return
    const size = line.splice(index, 1)[0]?.bytes.length ?? 0
    if (line === this.#staged) this.#stagedBytes -= size
    else this.#waitingBytes -= size
  }

  #awaitDrain(): void {
    const sink = this.#sink
    if (sink === undefined || this.#draining) return
    if (!sink.writableNeedDrain) return void queueMicrotask(() => this.#flushWaiting())
    this.#draining = true
    sink.once('drain', () => {
      this.#draining = false
      this.#flushWaiting()
    })
  }

  #flushWaiting(): void {
    const sink = this.#sink
    if (sink === undefined) return
    let taken = 0
    this.together(() => {
      while (taken < this.#waiting.length && !sink.writableNeedDrain) {
        const { bytes } = this.#waiting[taken++] as Waiting
        this.#waitingBytes -= bytes.length
        this.#sinkWrite(bytes)
      }
    })
    if (taken < this.#waiting.length) this.#waiting.splice(0, taken)
    else this.#waiting = NONE
    if (this.#waiting.length === 0 && !sink.writableNeedDrain) this.#tellDrained(true)
    else this.#awaitDrain()
  }
}
