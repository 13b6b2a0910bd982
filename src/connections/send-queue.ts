import type { Overflow } from '../declare/routes.js'
import { Drained } from './drained.js'
import { Backlog, Kept, type Line } from './lines.js'
import { corkForTurn, type Sink } from './sink.js'
import { type Batch, beginBatch, dealOut, flushAtEndOfTurn, type Waiting } from './turn.js'

export interface QueueOptions {
  /** Bytes, those in the sink's own buffer included. */
  readonly limit: number
  readonly overflow: Overflow
}

/** Bytes of one turn that are joined before they are written: more is given to the sink while the turn goes on. */
export const JOIN_LIMIT = 65_536

/** What a queue keeps of its connection. */
interface QueueOwner {
  readonly plan: { readonly queue: QueueOptions }
  overflowed(): void
  failed(error: unknown): void
}

/** That of all for whom nothing is kept, as for nearly all: an opening makes no lines (`scale-sse`). */
const NOTHING = new Kept()

/**
 * The bounded queue in front of a peer. While the peer keeps up it holds nothing: bytes go to the sink at once. What a
 * slow peer has not taken waits here, in order, under the limit; the limit is checked before a write, so that it is
 * never passed, except by a single message that is larger than it, and by what the sink holds for producers that wait.
 */
export class SendQueue {
  #sink: Sink | undefined
  #backlog: Backlog | undefined
  /** What was staged in this turn of the event loop, and is written at its end. */
  #batch: Batch | undefined
  /** Until the opening has been sent. */
  #kept: Kept | undefined = NOTHING
  #dropped = false
  /** How many writes there were: what stands still is silent. */
  writes = 0

  constructor(private readonly owner: QueueOwner) {}

  /** Bytes that the peer has not taken. */
  get size(): number {
    dealOut()
    return this.held
  }

  /** What the sink holds before our first write is the answer to the opening: no peer is slow for that. */
  private get held(): number {
    const kept = this.#kept === undefined ? 0 : this.#kept.aside.bytes + this.#kept.staged.bytes
    const written = this.writes === 0 ? 0 : (this.#sink?.writableLength ?? 0)
    return written + kept + (this.#backlog?.bytes ?? 0) + (this.#batch?.size ?? 0)
  }

  /** Whether the peer keeps up: nothing waits for it. */
  get keepsUp(): boolean {
    const isFirst = this.#backlog === undefined || this.#backlog.items.length === 0
    return isFirst && this.#sink !== undefined && !this.#sink.writableNeedDrain
  }

  /** Opens the sink; what was queued until now follows at once. */
  open(sink: Sink): void {
    this.#sink = sink
    this.flushBacklog()
  }

  /** The opening has been sent: what was staged meanwhile follows. */
  release(): void {
    const { staged } = this.#kept ?? NOTHING
    this.#kept = undefined
    for (const { bytes, key } of staged.items) this.batch(bytes, key)
    this.flushStaged()
  }

  /** What is kept for this one alone. */
  private keeping(): Kept {
    const kept = this.#kept ?? NOTHING
    this.#kept = kept === NOTHING ? new Kept() : kept
    return this.#kept
  }

  /** Sets aside what is queued, for something that goes before it. */
  setAside(): void {
    if (this.#backlog !== undefined && this.#kept !== undefined) this.keeping().aside.takeOver(this.#backlog)
  }

  /** Queues what was set aside, behind what was queued since. */
  takeBack(): void {
    const { aside } = this.#kept ?? NOTHING
    if (aside.items.length === 0) return
    this.waiting().takeOver(aside)
    this.flushBacklog()
  }

  private waiting(): Backlog {
    this.#backlog ??= new Backlog()
    return this.#backlog
  }

  /**
   * Queues bytes behind all that was queued before; `true` where the producer may go on, `false` where it should wait.
   * @param waits whether it does: then it is paused where others overflow, and one message of its own may be too much
   */
  push(bytes: Buffer, key?: string, waits = false): boolean {
    dealOut()
    if (this.#kept === undefined) this.flushStaged()
    if (waits && this.#sink?.cork !== undefined) corkForTurn(this.#sink)
    if (waits && !this.#dropped && this.isOver(bytes)) this.wait({ bytes, key })
    else this.write(bytes, key)
    return this.keepsUp
  }

  /**
   * Queues bytes that many connections share; what one turn brings is joined and written once. Answers `false` where
   * they would pass the limit of a queue that is ended by that, which is left to the caller.
   */
  stage(bytes: Buffer, key?: string): boolean {
    if ((this.#batch?.size ?? 0) + bytes.length > JOIN_LIMIT || this.isOver(bytes)) this.flushStaged()
    if (this.#dropped) return true
    const isOver = this.isOver(bytes)
    if (isOver && this.options.overflow === 'disconnect') return false
    if (this.#sink === undefined || (isOver && this.#kept === undefined)) this.write(bytes, key)
    else if (this.#kept === undefined) {
      if (this.#batch === undefined) flushAtEndOfTurn(this)
      this.batch(bytes, key)
    } else {
      const { staged } = this.keeping()
      if (this.makeRoom(staged, { bytes, key })) staged.add({ bytes, key })
    }
    return true
  }

  private batch(bytes: Buffer, key: string | undefined): void {
    this.#batch = this.#batch === undefined ? beginBatch(bytes, key) : this.#batch.add(bytes, key)
  }

  /** Writes bytes at once where the peer keeps up; answers `false` where it does not, and does nothing. */
  offer(bytes: Buffer): boolean {
    dealOut()
    this.flushStaged()
    if (this.#dropped || this.#kept !== undefined || !this.keepsUp) return false
    this.sinkWrite(bytes, true)
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
    const backlog = this.waiting()
    backlog.drained ??= new Drained()
    const { promise } = backlog.drained
    this.awaitDrain(backlog)
    return promise
  }

  /** Hands everything to the sink, however slow the peer: the last thing before a clean end. */
  finish(): void {
    dealOut()
    const { aside, staged } = this.#kept ?? NOTHING
    const last = [...(this.#backlog?.items ?? []), ...aside.items, ...staged.items, ...(this.#batch?.items() ?? [])]
    this.together(() => {
      for (const { bytes } of last) this.#sink?.write(bytes)
    })
    this.drop()
  }

  /** Forgets what waits, and what comes; those who wait for it are told. */
  drop(): void {
    const backlog = this.#backlog
    this.#dropped = true
    this.#kept = undefined
    this.#backlog = undefined
    this.#batch = undefined
    backlog?.tell(false)
  }

  /** @internal */
  flushStaged(): void {
    const batch = this.#batch
    if (batch === undefined) return
    this.#batch = undefined
    if (!this.isFree(batch.size)) for (const { bytes, key } of batch.items()) this.write(bytes, key)
    else this.sinkWrite(batch.joined, true)
  }

  /** Writes what a turn has brought, where nothing stands before it; else answers `false`, and does nothing. */
  pass(bytes: Buffer): boolean {
    const isHeld = this.#kept !== undefined || this.#dropped || this.#batch !== undefined
    if (isHeld || !this.isFree(bytes.length)) return false
    this.sinkWrite(bytes, true)
    return true
  }

  private get options(): QueueOptions {
    return this.owner.plan.queue
  }

  private isFree(length: number): boolean {
    return this.keepsUp && this.isWithin(this.held + length)
  }

  private isOver(bytes: Buffer): boolean {
    const size = this.held
    return size > 0 && !this.isWithin(size + bytes.length)
  }

  /**
   * Whether the limit allows so many bytes. One within what the sink buffers by itself would be met before the sink asks
   * anybody to wait, so it is never less than twice that.
   */
  private isWithin(size: number): boolean {
    return size <= this.options.limit || (this.#sink !== undefined && size <= 2 * this.#sink.writableHighWaterMark)
  }

  private write(bytes: Buffer, key: string | undefined): void {
    if (this.#dropped) return
    if (this.keepsUp && !this.isOver(bytes)) this.sinkWrite(bytes)
    else this.enqueue({ bytes, key })
  }

  /** What stands in front of the sink may throw: nobody knows what it has let out, and others wait for their turn. */
  private sinkWrite(bytes: Buffer, isLast = false): void {
    this.writes++
    try {
      if (isLast && this.#sink?.writeLast !== undefined) this.#sink.writeLast(bytes)
      else this.#sink?.write(bytes)
    } catch (error) {
      this.drop()
      this.owner.failed(error)
    }
  }

  private enqueue(item: Waiting): void {
    if (this.options.overflow === 'disconnect' && this.isOver(item.bytes)) return this.owner.overflowed()
    if (this.makeRoom(this.waiting(), item)) this.wait(item)
  }

  private wait(item: Waiting): void {
    const backlog = this.waiting()
    backlog.add(item)
    this.awaitDrain(backlog)
  }

  /** Removes from a line what the policy gives up for an item behind it; `false` where that is the item itself. */
  private makeRoom(line: Line, { bytes, key }: Waiting): boolean {
    const { overflow } = this.options
    if (overflow === 'latest' && key !== undefined) {
      const older = line.items.findIndex(item => item.key === key)
      if (older !== -1) line.delete(older)
    }
    while (this.isOver(bytes)) {
      if (overflow === 'drop-newest' || line.items.length === 0) return false
      line.delete(0)
    }
    return true
  }

  private awaitDrain(backlog: Backlog): void {
    const sink = this.#sink
    if (sink === undefined || backlog.isDraining) return
    if (!sink.writableNeedDrain) return void queueMicrotask(() => this.flushBacklog())
    backlog.isDraining = true
    sink.once('drain', () => {
      backlog.isDraining = false
      this.flushBacklog()
    })
  }

  private flushBacklog(): void {
    const sink = this.#sink
    const backlog = this.#backlog
    if (sink === undefined || backlog === undefined) return
    let taken = 0
    this.together(() => {
      while (this.#backlog === backlog && taken < backlog.items.length && !sink.writableNeedDrain) {
        const { bytes } = backlog.items[taken++] as Waiting
        backlog.bytes -= bytes.length
        this.sinkWrite(bytes)
      }
    })
    backlog.items.splice(0, taken)
    if (this.#backlog !== backlog) return
    if (backlog.items.length > 0 || sink.writableNeedDrain) return this.awaitDrain(backlog)
    if (!backlog.isDraining) this.#backlog = undefined
    backlog.tell(true)
  }
}
