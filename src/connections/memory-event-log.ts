import { randomBytes } from 'node:crypto'
import {
  EventLog,
  type LogEntry,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type Page,
  type Place,
} from './event-log.js'
import { RecentKeys } from './recent-keys.js'
import { RoomHistory, sweepPeriod } from './room-history.js'

/** The embedded default: remembers in this process, each room bounded by count, bytes and age. One node, no server. */
export class MemoryEventLog extends EventLog {
  readonly #epoch = randomBytes(6).toString('hex')
  readonly #history: RoomHistory
  #appended = 0
  readonly #keys = new RecentKeys()
  #listener: LogListener | undefined
  #sweeper: NodeJS.Timeout | undefined
  readonly #undelivered: (LogEntry | Notice)[] = []
  #delivering = false

  constructor(private readonly retention: Required<LogRetention>) {
    super()
    this.#history = new RoomHistory(retention)
  }

  /** Rooms and entries that are held, for tests of its bounds. @internal */
  get held(): RoomHistory['held'] {
    return this.#history.held
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener
    this.#sweeper = setInterval(() => this.sweep(), sweepPeriod(this.retention.age)).unref()
    listener.reset(this.#place(this.#appended))
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#listener = undefined
  }

  async append(message: LogMessage, key?: string): Promise<Place> {
    const before = key === undefined ? undefined : this.#keys.position(key)
    if (before !== undefined) return this.#place(before)
    const entry: LogEntry = { ...message, position: ++this.#appended }
    if (key !== undefined) this.#keys.note(key, entry.position)
    this.#history.keep(entry)
    this.#deliver(entry)
    return this.#place(entry.position)
  }

  async notify(notice: Notice): Promise<void> {
    this.#deliver(notice)
  }

  async read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page> {
    return this.#history.read(after, limit, this.#appended, bytes)
  }

  async before(room: string, count: number): Promise<number> {
    return this.#history.before(room, count, this.#appended)
  }

  /** @internal */
  sweep(): void {
    this.#history.sweep()
  }

  #place(position: number): Place {
    return { epoch: this.#epoch, position }
  }

  /** One at a time and in order, also when a listener appends while it is being told. */
  #deliver(message: LogEntry | Notice): void {
    this.#undelivered.push(message)
    if (this.#delivering) return
    this.#delivering = true
    try {
      for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) {
        if ('position' in next) this.#listener?.entry(next)
        else this.#listener?.notice(next)
      }
    } finally {
      this.#delivering = false
    }
  }
}
