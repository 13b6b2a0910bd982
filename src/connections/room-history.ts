import { EVERYWHERE, type LogEntry, type LogRetention, type Page } from './event-log.js'
import { fitting, isMissed, sizeOf } from './page.js'

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

/** What this process remembers of the rooms of a registry, each bounded by count, bytes and age. */
export class RoomHistory {
  readonly #rooms: Map<string, RoomLog>
  /** The floor of rooms that were forgotten altogether. */
  #forgotten: number

  /** @param floor the position up to which nothing is known of any room */
  constructor(
    private readonly retention: Required<LogRetention>,
    floor = 0,
  ) {
    this.#forgotten = floor
    this.#rooms = new Map([[EVERYWHERE, roomLog(floor)]])
  }

  /** Rooms and entries that are held, for tests of its bounds. */
  get held(): { readonly rooms: number; readonly entries: number; readonly bytes: number } {
    const logs = [...this.#rooms.values()]
    const sum = (of: (log: RoomLog) => number) => logs.reduce((total, log) => total + of(log), 0)
    return { rooms: this.#rooms.size - 1, entries: sum(log => log.kept.length), bytes: sum(log => log.bytes) }
  }

  /** @param age milliseconds since it was sent */
  keep(entry: LogEntry, age = 0): void {
    const kept = { entry, size: sizeOf(entry), at: performance.now() - age }
    for (const room of new Set(entry.rooms ?? [EVERYWHERE])) {
      const log = this.#roomLog(room)
      log.kept.push(kept)
      log.bytes += kept.size
      this.#trim(log)
    }
  }

  /** As `EventLog.read`. @param reached how far the log has come */
  read(after: ReadonlyMap<string, number>, limit: number, reached: number, bytes = Number.POSITIVE_INFINITY): Page {
    const gaps = new Map<string, number>()
    for (const [room, position] of after) {
      const floor = this.#rooms.get(room)?.floor ?? this.#forgotten
      if (floor > position || position > reached) gaps.set(room, floor)
    }
    const from = new Map([...after, ...gaps])
    const found = new Map<number, LogEntry>()
    for (const [room, position] of from) collect(this.#rooms.get(room)?.kept ?? [], position, limit, from, found)
    const missed = [...found.values()].sort((a, b) => a.position - b.position)
    const entries = fitting(missed, limit, bytes)
    const isWhole = entries.length === missed.length && entries.length < limit
    return { entries, gaps, upTo: isWhole ? reached : (entries.at(-1)?.position ?? reached) }
  }

  /** As `EventLog.before`. @param reached how far the log has come */
  before(room: string, count: number, reached: number): number {
    const kept = [...new Set([room, EVERYWHERE])].flatMap(name => this.#rooms.get(name)?.kept ?? [])
    const positions = kept.map(({ entry }) => entry.position).sort((a, b) => b - a)
    const oldest = positions.slice(0, Math.max(0, count)).at(-1)
    return oldest === undefined ? reached : oldest - 1
  }

  /**
   * Forgets what is older than the retention allows, in rooms that nobody sends to, too.
   * @param floor the position up to which all is to be forgotten
   */
  sweep(floor = 0): void {
    const now = performance.now()
    const empty: [room: string, log: RoomLog][] = []
    for (const [room, log] of this.#rooms) {
      this.#trim(log, floor, now)
      if (log.kept.length === 0 && room !== EVERYWHERE) empty.push([room, log])
    }
    for (const [room, log] of empty.slice(0, Math.max(0, empty.length - EMPTY_ROOMS))) {
      this.#forgotten = Math.max(this.#forgotten, log.floor)
      this.#rooms.delete(room)
    }
  }

  /** Nothing is known of any room up to here. */
  raise(floor: number): void {
    this.#forgotten = Math.max(this.#forgotten, floor)
    for (const log of this.#rooms.values()) {
      this.#trim(log, floor)
      log.floor = Math.max(log.floor, floor)
    }
  }

  #roomLog(room: string): RoomLog {
    const known = this.#rooms.get(room)
    if (known !== undefined) return known
    const made = roomLog(this.#forgotten)
    this.#rooms.set(room, made)
    return made
  }

  #trim(log: RoomLog, floor = 0, now = performance.now()): void {
    const { count, bytes, age } = this.retention
    const oldest = now - age
    let dropped = 0
    for (const kept of log.kept) {
      const fits = log.kept.length - dropped <= count && log.bytes <= bytes
      if (fits && kept.at >= oldest && kept.entry.position > floor) break
      log.bytes -= kept.size
      log.floor = kept.entry.position
      dropped++
    }
    if (dropped > 0) log.kept.splice(0, dropped)
  }
}

/** Milliseconds between two sweeps of what may be this old. */
export function sweepPeriod(age: number): number {
  return Math.min(Math.max(age / 4, 100), 60_000)
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
