import { randomBytes } from 'node:crypto'
import {
  EVERYWHERE,
  EventLog,
  type LogEntry,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type Page,
  type Place,
} from './event-log.js'

interface Kept {
  readonly entry: LogEntry
  readonly size: number
  /** By a clock that nobody sets. */
  readonly at: number
}

/** What is remembered of one room, oldest first. */
interface RoomLog {
  kept: Kept[]
  bytes: number
  /** The position of the last entry that was forgotten. */
  floor: number
}

/** Rooms without entries whose floor is still known exactly. */
const EMPTY_ROOMS = 10_000
/** Keys of messages that are remembered. */
const KEYS = 10_000

/** The embedded default: remembers in this process, each room bounded by count, bytes and age. One node, no server. */
export class MemoryEventLog extends EventLog {
  readonly #epoch = randomBytes(6).toString('hex')
  #appended = 0
  #listener: LogListener | undefined
  readonly #rooms = new Map<string, RoomLog>([[EVERYWHERE, roomLog(0)]])
  /** The floor of rooms that were forgotten altogether. */
  #forgotten = 0
  /** Where the messages are that were sent with a key, oldest first. */
  readonly #keyed = new Map<string, number>()
  #sweeper: NodeJS.Timeout | undefined
  readonly #undelivered: (LogEntry | Notice)[] = []
  #delivering = false

  constructor(private readonly retention: Required<LogRetention>) {
    super()
  }

  /** Rooms and entries that are held, for tests of its bounds. @internal */
  get held(): { readonly rooms: number; readonly entries: number; readonly bytes: number } {
    const logs = [...this.#rooms.values()]
    const sum = (of: (log: RoomLog) => number) => logs.reduce((total, log) => total + of(log), 0)
    return { rooms: this.#rooms.size - 1, entries: sum(log => log.kept.length), bytes: sum(log => log.bytes) }
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener
    const period = Math.min(Math.max(this.retention.age / 4, 100), 60_000)
    this.#sweeper = setInterval(() => this.sweep(), period).unref()
    listener.reset(this.#place(this.#appended))
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#listener = undefined
  }

  async append(message: LogMessage, key?: string): Promise<Place> {
    const before = key === undefined ? undefined : this.#keyed.get(key)
    if (before !== undefined) return this.#place(before)
    const entry: LogEntry = { ...message, position: ++this.#appended }
    if (key !== undefined) this.#noteKey(key, entry.position)
    const kept = {
      entry,
      size: Buffer.byteLength(message.data) + Buffer.byteLength(message.event),
      at: performance.now(),
    }
    for (const room of new Set(message.rooms ?? [EVERYWHERE])) this.#keep(this.#roomLog(room), kept)
    this.#deliver(entry)
    return this.#place(entry.position)
  }

  async notify(notice: Notice): Promise<void> {
    this.#deliver(notice)
  }

  async read(after: ReadonlyMap<string, number>, limit: number): Promise<Page> {
    const gaps = new Map<string, number>()
    for (const [room, position] of after) {
      const floor = this.#rooms.get(room)?.floor ?? this.#forgotten
      if (floor > position || position > this.#appended) gaps.set(room, floor)
    }
    const from = new Map([...after, ...gaps])
    const found = new Map<number, LogEntry>()
    for (const [room, position] of from) collect(this.#rooms.get(room)?.kept ?? [], position, limit, from, found)
    const entries = [...found.values()].sort((a, b) => a.position - b.position).slice(0, limit)
    const last = entries.at(-1)
    return { entries, gaps, upTo: entries.length === limit && last !== undefined ? last.position : this.#appended }
  }

  async before(room: string, count: number): Promise<number> {
    const kept = [room, EVERYWHERE].flatMap(name => this.#rooms.get(name)?.kept ?? [])
    const positions = kept.map(({ entry }) => entry.position).sort((a, b) => b - a)
    const oldest = positions.slice(0, Math.max(0, count)).at(-1)
    return oldest === undefined ? this.#appended : oldest - 1
  }

  /** Forgets what is older than the retention allows, in rooms that nobody sends to, too. @internal */
  sweep(): void {
    for (const log of this.#rooms.values()) this.#trim(log)
    const empty = [...this.#rooms].filter(([room, log]) => room !== EVERYWHERE && log.kept.length === 0)
    for (const [room, log] of empty.slice(0, Math.max(0, empty.length - EMPTY_ROOMS))) {
      this.#forgotten = Math.max(this.#forgotten, log.floor)
      this.#rooms.delete(room)
    }
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

  #noteKey(key: string, position: number): void {
    this.#keyed.set(key, position)
    if (this.#keyed.size <= KEYS) return
    for (const oldest of this.#keyed.keys()) {
      this.#keyed.delete(oldest)
      return
    }
  }

  #roomLog(room: string): RoomLog {
    const known = this.#rooms.get(room)
    if (known !== undefined) return known
    const made = roomLog(this.#forgotten)
    this.#rooms.set(room, made)
    return made
  }

  #keep(log: RoomLog, kept: Kept): void {
    log.kept.push(kept)
    log.bytes += kept.size
    this.#trim(log)
  }

  #trim(log: RoomLog): void {
    const { count, bytes, age } = this.retention
    const oldest = performance.now() - age
    let dropped = 0
    for (const kept of log.kept) {
      if (log.kept.length - dropped <= count && log.bytes <= bytes && kept.at >= oldest) break
      log.bytes -= kept.size
      log.floor = kept.entry.position
      dropped++
    }
    if (dropped > 0) log.kept.splice(0, dropped)
  }
}

function roomLog(floor: number): RoomLog {
  return { kept: [], bytes: 0, floor }
}

/** Adds the first `limit` entries that were missed in one room, found by halving. */
function collect(
  kept: readonly Kept[],
  position: number,
  limit: number,
  after: ReadonlyMap<string, number>,
  into: Map<number, LogEntry>,
): void {
  let low = 0
  let high = kept.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((kept[middle]?.entry.position ?? 0) > position) high = middle
    else low = middle + 1
  }
  let taken = 0
  for (let index = low; index < kept.length && taken < limit; index++) {
    const entry = kept[index]?.entry
    if (entry === undefined || !isMissed(entry, after)) continue
    into.set(entry.position, entry)
    taken++
  }
}

/** An entry that reached the peer through one of its rooms is not missed in another. */
function isMissed({ rooms = [EVERYWHERE], position }: LogEntry, after: ReadonlyMap<string, number>): boolean {
  return rooms.every(room => (after.get(room) ?? 0) < position)
}
