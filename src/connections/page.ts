import { EVERYWHERE, type LogEntry } from './event-log.js'

/** Bytes of an entry, as retention and pages count them. */
export function sizeOf({ event, data }: Pick<LogEntry, 'event' | 'data'>): number {
  return Buffer.byteLength(data) + Buffer.byteLength(event)
}

/** An entry that reached the peer through one of its rooms is not missed in another. */
export function isMissed({ rooms = [EVERYWHERE], position }: LogEntry, after: ReadonlyMap<string, number>): boolean {
  return rooms.every(room => (after.get(room) ?? 0) < position)
}

/** As many of the first entries as fit into a page; the first one always does, so that reading goes on. */
export function fitting(entries: readonly LogEntry[], limit: number, bytes: number): LogEntry[] {
  let left = bytes
  const end = entries.findIndex((entry, index) => {
    left -= sizeOf(entry)
    return index >= limit || (left < 0 && index > 0)
  })
  return entries.slice(0, end === -1 ? entries.length : end)
}
