import type { LogEntry, Page } from '../connections/event-log.js'
import { fitting, isMissed } from '../connections/page.js'

/** What was read of one room: position, head and data of each entry; and whether there may be more, as 1 or 0. */
export type RoomPage = readonly [entries: readonly (readonly [string, string, string])[], isCut: number]

/** Makes one page of those of several rooms, which are each in order. @param read an entry; undefined for one to leave out */
export function mergePages(
  after: ReadonlyMap<string, number>,
  { limit, bytes }: { readonly limit: number; readonly bytes: number },
  position: number,
  gapsOf: readonly (string | null)[],
  pages: readonly RoomPage[],
  read: (at: string, head: string, data: string) => LogEntry | undefined,
): Page {
  const rooms = [...after.keys()]
  const gaps = new Map(rooms.flatMap((room, n) => (gapsOf[n] ? [[room, Number(gapsOf[n])] as const] : [])))
  const from = new Map([...after, ...gaps])
  let upTo = position
  const found = new Map<number, LogEntry>()
  for (const [page, isCut] of pages) {
    if (isCut === 1) upTo = Math.min(upTo, Number(page.at(-1)?.[0]))
    for (const [at, head, data] of page) {
      const entry = read(at, head, data)
      if (entry !== undefined && isMissed(entry, from)) found.set(entry.position, entry)
    }
  }
  const missed = [...found.values()].filter(entry => entry.position <= upTo).sort((a, b) => a.position - b.position)
  const entries = fitting(missed, limit, bytes)
  if (entries.length < missed.length) upTo = entries.at(-1)?.position ?? upTo
  return { entries, gaps, upTo }
}
