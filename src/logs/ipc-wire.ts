/** Bytes that go into one message, unless a single thing is larger. */
const CHUNK = 1_048_576

interface Queued<T> {
  readonly make: () => T
  readonly size: number
  /** Whether it may be given up when the other end does not keep up. */
  readonly droppable: boolean
}

/** Hands a message to an IPC channel; `written` is called when the channel has taken it, or could not. */
export type SendMessage<T> = (items: readonly T[], written: (error?: Error | null) => void) => void

/**
 * One direction of an IPC channel. What is pushed in one turn goes as one message, and what is pushed while that is being
 * written, as the next: so all that waits for a process that does not read is here, where it can be counted.
 */
export class IpcWire<T> {
  #queue: Queued<T>[] = []
  #bytes = 0
  #droppable = 0
  #writing = false
  #due = false

  constructor(
    private readonly send: SendMessage<T>,
    private readonly broken: (error: Error) => void,
  ) {}

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many wait that may be given up. */
  get droppable(): number {
    return this.#droppable
  }

  /** @param make called when it is sent, and not at all where it is dropped */
  push(make: () => T, size: number, droppable = false): void {
    this.#queue.push({ make, size, droppable })
    this.#bytes += size
    if (droppable) this.#droppable++
    this.#flushSoon()
  }

  /** Takes back what has not been sent. `false` where it has. */
  takeBack(make: () => T): boolean {
    const at = this.#queue.findIndex(queued => queued.make === make)
    if (at === -1) return false
    this.#forget(this.#queue.splice(at, 1))
    return true
  }

  /** Gives up all that may be. */
  drop(): void {
    this.#forget(this.#queue.filter(queued => queued.droppable))
    this.#queue = this.#queue.filter(queued => !queued.droppable)
  }

  #forget(gone: readonly Queued<T>[]): void {
    for (const { size, droppable } of gone) {
      this.#bytes -= size
      if (droppable) this.#droppable--
    }
  }

  #flushSoon(): void {
    if (this.#due || this.#writing) return
    this.#due = true
    setImmediate(() => {
      this.#due = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#writing || this.#queue.length === 0) return
    const chunk = this.#take()
    this.#writing = true
    this.send(
      chunk.map(({ make }) => make()),
      error => {
        this.#writing = false
        if (error) this.broken(error)
        else this.#flush()
      },
    )
  }

  #take(): Queued<T>[] {
    let size = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || size + (this.#queue[count]?.size ?? 0) <= CHUNK))
      size += this.#queue[count++]?.size ?? 0
    const chunk = this.#queue.splice(0, count)
    this.#forget(chunk)
    return chunk
  }
}
