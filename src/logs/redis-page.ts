import { EVERYWHERE, type LogEntry, type Page } from '../connections/event-log.js'
import { readEntry } from './redis-tail.js'

/** What was read of one room: position, head and data of each entry. */
export type RoomPage = readonly (readonly [string, string, string])[]

/** Makes one page of those of several rooms, which are each in order and of `limit` entries at the most. */
export function mergePages(
  after: ReadonlyMap<string, number>,
  limit: number,
  position: number,
  gapsOf: readonly (string | null)[],
  pages: readonly RoomPage[],
): Page {
  const rooms = [...after.keys()]
  const gaps = new Map(rooms.flatMap((room, n) => (gapsOf[n] ? [[room, Number(gapsOf[n])] as const] : [])))
  const from = new Map([...after, ...gaps])
  let upTo = position
  const found = new Map<number, LogEntry>()
  for (const page of pages) {
    if (page.length >= limit) upTo = Math.min(upTo, Number(page.at(-1)?.[0]))
    for (const [at, head, data] of page) {
      const entry = readEntry(Number(at), head, data)
      if (isMissed(entry, from)) found.set(entry.position, entry)
    }
  }
  const missed = [...found.values()].filter(entry => entry.position <= upTo).sort((a, b) => a.position - b.position)
  const entries = missed.slice(0, limit)
  if (entries.length < missed.length) upTo = entries.at(-1)?.position ?? upTo
  return { entries, gaps, upTo }
}

/** An entry that reached the peer through one of its rooms is not missed in another. */
function isMissed({ rooms = [EVERYWHERE], position }: LogEntry, after: ReadonlyMap<string, number>): boolean {
  return rooms.every(room => (after.get(room) ?? 0) < position)
}
