import type { Connection } from './connection.js'
import { type Cursor, formatId, parseId } from './cursor.js'
import { EVERYWHERE, type EventLog, type LogEntry } from './event-log.js'

/** What a membership needs of its registry. */
export interface Record {
  readonly name: string
  readonly log: EventLog
  /** Whether it remembers what was sent, so that ids say where a peer stands. */
  readonly history: boolean
  encode(connection: Connection, entry: LogEntry, id: string | undefined): Buffer
}

/** Entries that are read at a time. */
const PAGE = 256

/**
 * One connection in one registry. It is either live, and given each entry as it comes, or it catches up: reads the log
 * from where the peer stands, at the peer's pace, until nothing is left between what it read and what is live.
 */
export class Membership {
  readonly rooms = new Set<string>()
  live = false
  /** How far the peer has come in each room, while it catches up. */
  readonly #positions = new Map<string, number>()
  /** Rooms it was in at some time: what it missed before this connection was replayed then. */
  readonly #known = new Set<string>()
  /** Where the peer stood when it came: undefined for a newcomer, `foreign` where its id says nothing of this log. */
  readonly #cursor: Cursor | 'foreign' | undefined
  /** Rooms in which the peer is to be told that it missed what cannot be given. */
  readonly #gaps = new Set<string>()
  /** No event has told the peer yet where it stands. */
  #unplaced: boolean
  #catchingUp: Promise<void> | undefined

  constructor(
    readonly connection: Connection,
    private readonly record: Record,
  ) {
    const id = connection.lastEventId ?? ''
    this.#cursor = id === '' ? undefined : (parseId(id, record.log.epoch) ?? 'foreign')
    this.#unplaced = typeof this.#cursor !== 'object'
  }

  /** Adds a room, seen up to `position`; where the peer resumes, up to where it stood. */
  enter(room: string, position: number): void {
    if (this.live) this.#standAt(this.record.log.position)
    this.rooms.add(room)
    this.#enterAt(room, position)
    if (!this.#positions.has(EVERYWHERE)) this.#enterAt(EVERYWHERE, position)
    this.live = false
    if (this.record.history) this.connection.noteId(this.record.name, this.#id())
  }

  #enterAt(room: string, position: number): void {
    const first = !this.#known.has(room)
    this.#known.add(room)
    if (!first || this.#cursor === undefined) this.#positions.set(room, position)
    else if (this.#cursor === 'foreign') {
      this.#positions.set(room, 0)
      this.#gaps.add(room)
    } else this.#positions.set(room, this.#cursor.behind.get(room) ?? this.#cursor.position)
  }

  leave(room: string): void {
    this.rooms.delete(room)
    this.#positions.delete(room)
    this.#gaps.delete(room)
    if (this.rooms.size > 0) return
    this.#positions.clear()
    this.live = false
  }

  /** Reads on until the connection is live. Starts when `open` has settled, so that what it joins there is one sequence. */
  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#run().finally(() => {
      this.#catchingUp = undefined
    })
    return this.#catchingUp
  }

  /** The log lost its data: the peer is told, and stands at the new log's start. */
  reset(): void {
    this.#standAt(0)
    for (const room of this.rooms) this.#gaps.add(room)
    this.live = false
    this.catchUp().catch(error => this.connection.failed(error))
  }

  async #run(): Promise<void> {
    await this.connection.gate.wait()
    while (!this.connection.closed && !this.live) {
      const asked = new Map(this.#positions)
      const page = await this.record.log.read(asked, PAGE)
      if (this.connection.closed) return
      for (const [room, floor] of page.gaps) {
        this.#gaps.add(room)
        if (this.#positions.has(room)) this.#positions.set(room, floor)
      }
      this.#tellGaps()
      if (page.gaps.size > 0) continue
      for (const entry of page.entries) {
        if (this.connection.closed) return
        this.#advance(asked, entry.position)
        if (this.#isFor(entry) && !this.#push(entry)) await this.connection.drained()
      }
      this.#advance(asked, page.upTo)
      this.#goLive()
    }
  }

  /** No await between this check and `live`: what comes next is delivered by the registry. */
  #goLive(): void {
    const { position } = this.record.log
    for (const at of this.#positions.values()) if (at < position) return
    this.live = true
    if (this.#unplaced && this.rooms.size > 0 && !this.connection.closed) this.#place()
  }

  #standAt(position: number): void {
    for (const room of this.#positions.keys()) this.#positions.set(room, position)
  }

  #advance(asked: ReadonlyMap<string, number>, position: number): void {
    for (const room of asked.keys()) {
      const at = this.#positions.get(room)
      if (at !== undefined && at < position) this.#positions.set(room, position)
    }
  }

  #isFor(entry: LogEntry): boolean {
    if (entry.except.length > 0 && entry.except.includes(this.connection.id)) return false
    return entry.rooms === undefined || entry.rooms.some(room => this.rooms.has(room))
  }

  #id(): string {
    return formatId(this.record.log.epoch, this.#positions)
  }

  #push(entry: LogEntry): boolean {
    this.#unplaced = false
    return this.connection.queue.push(this.record.encode(this.connection, entry, this.#id()), entry.event)
  }

  /** An event with an id and nothing else, so that a peer that is cut before the first event loses nothing. */
  #place(): void {
    this.#unplaced = false
    const id = this.connection.noteId(this.record.name, this.#id())
    this.connection.queue.push(this.connection.codec.encode(id === undefined ? {} : { id }))
  }

  /** One `gap` event, without an id, for what the log cannot give any more. */
  #tellGaps(): void {
    if (this.#gaps.size === 0) return
    const rooms = [...this.rooms].filter(room => this.#gaps.has(room) || this.#gaps.has(EVERYWHERE))
    this.#gaps.clear()
    if (rooms.length === 0) return
    this.#unplaced = true
    const data = JSON.stringify({ registry: this.record.name, rooms })
    this.connection.queue.push(this.connection.codec.encode({ event: 'gap', data }))
  }
}
