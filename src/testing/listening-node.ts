import type { EventLog, LogEntry, LogMessage, Notice, Place } from '../index.js'
import { eventually } from './eventually.js'

/** Pages of a room that are read at the most. */
const PAGES = 1000

/** A node that starts a log, and keeps what it hears. */
export class ListeningNode {
  /** What it heard that is kept, in order. */
  readonly entries: LogEntry[] = []
  /** What it heard that is kept nowhere, in order. */
  readonly notices: Notice[] = []
  /** Where it was told that it stands, in order. */
  readonly places: Place[] = []
  /** All of it by kind, as it came. */
  readonly heard: ('entry' | 'notice' | 'reset')[] = []
  /** All entries and notices, as they came. */
  readonly messages: (LogEntry | Notice)[] = []

  constructor(
    /** The log that it listens to. */
    readonly log: EventLog,
  ) {}

  /** Begins to listen. */
  async start(): Promise<this> {
    await this.log.start({
      entry: entry => {
        this.entries.push(entry)
        this.messages.push(entry)
        this.heard.push('entry')
      },
      notice: notice => {
        this.notices.push(notice)
        this.messages.push(notice)
        this.heard.push('notice')
      },
      reset: place => {
        this.places.push(place)
        this.heard.push('reset')
      },
    })
    return this
  }

  /** Waits until it has heard so many entries. */
  async hears(entries: number): Promise<LogEntry[]> {
    await eventually(`${entries} entries`, () => this.entries.length >= entries)
    return this.entries
  }

  /** All that is known of a room behind a position, page by page. */
  async readAll(room: string, position = 0, limit = 100): Promise<LogEntry[]> {
    const read: LogEntry[] = []
    for (let at = position, pages = 0; pages < PAGES; pages++) {
      const { entries, gaps, upTo } = await this.log.read(new Map([[room, at]]), limit)
      read.push(...entries)
      if (entries.length === 0) return read
      at = Math.max(upTo, gaps.get(room) ?? 0)
    }
    throw new Error(`${room} has no end: ${PAGES} pages were read`)
  }
}

/** A message as a registry sends it. @param rooms undefined reaches all @param data becomes JSON */
export function message(rooms: readonly string[] | undefined, data: unknown, event = 'said'): LogMessage {
  return { rooms, event, data: JSON.stringify(data), except: [] }
}

/** What was sent, of each entry. */
export function dataOf(entries: readonly Pick<LogEntry, 'data'>[]): unknown[] {
  return entries.map(entry => JSON.parse(entry.data))
}

/** Positions of rooms, as `read` is asked. */
export function at(positions: Readonly<Record<string, number>>): Map<string, number> {
  return new Map(Object.entries(positions))
}
