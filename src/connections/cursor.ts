/**
 * The ids that events carry, and what they say of a peer when it comes back: `epoch-position`, where it has all up to one
 * position; `epoch-position~room:to…`, where it has some rooms up to a further one (a room that was joined late is being
 * replayed), `~room:from:to` where not all before; several, joined by commas, where the connection is in several registries.
 */
import type { Handshake } from '../pipeline/context.js'
import type { Place } from './event-log.js'
import { allOf, type Few } from './few.js'

/**
 * The id of the last event that a peer received before: its `Last-Event-ID`, or `lastEventId` in the query. The field is
 * UTF-8 (WHATWG HTML §9.2.3), which Node reads as if it were Latin-1.
 */
export function lastEventIdOf({ headers, query }: Pick<Handshake, 'headers' | 'query'>): string | undefined {
  const { lastEventId } = query
  const field = headers['last-event-id']
  if (typeof field === 'string') return Buffer.from(field, 'latin1').toString()
  return Array.isArray(lastEventId) ? lastEventId.at(-1) : lastEventId
}

/** What went to one room after one position and up to another. */
export interface Stretch {
  readonly room: string
  readonly from: number
  readonly to: number
}

/** How far a peer has come in one log. */
export interface Cursor {
  readonly position: number
  /** What it has from behind the position. */
  readonly beyond: Iterable<Stretch>
}

/** Characters of an id: it comes back in a field or in a path, and proxies take no more than twice as many. */
const LONGEST = 4096

const FORM = /^([A-Za-z0-9]+)-(\d{1,16})((?:~[^~:,]*(?::\d{1,16}){1,2})*)$/

/** The last id: that of all who come to a room between two events, each of which keeps it. */
let last = { epoch: '', position: -1, id: '' }

/** The id of an event that reaches a peer which has seen all before it. */
export function formatPlace({ epoch, position }: Place): string {
  if (last.position !== position || last.epoch !== epoch) last = { epoch, position, id: `${epoch}-${position}` }
  return last.id
}

/**
 * The id of a peer that has come this far. Where that would be too long it names no place in the log: who comes back with
 * it is told that it may have missed something.
 */
export function formatId(epoch: string, { position, beyond }: Cursor): string {
  let id = formatPlace({ epoch, position })
  for (const { room, from, to } of beyond) {
    id += `~${escapeRoom(room)}:${from > position ? `${from}:` : ''}${to}`
    if (id.length > LONGEST) return `${epoch}-far`
  }
  return id
}

/** What an id says of the log with this epoch; undefined where it does not speak of it. */
export function parseId(id: string, epoch: string): Cursor | undefined {
  for (const part of id.split(',')) {
    const [, named, position, beyond] = FORM.exec(part.trim()) ?? []
    if (named === epoch) return { position: Number(position), beyond: parseBeyond(beyond ?? '', Number(position)) }
  }
  return undefined
}

function parseBeyond(text: string, position: number): Stretch[] {
  return text
    .split('~')
    .filter(part => part !== '')
    .map(part => {
      const [room = '', ...ends] = part.split(':')
      const [from = position, to = from] = ends.length === 1 ? [position, Number(ends[0])] : ends.map(Number)
      return { room: unescapeRoom(room), from, to }
    })
}

/** A name with half a surrogate pair has no UTF-8: behind a `!` it goes as its code units, in base64. */
function escapeRoom(room: string): string {
  if (!room.isWellFormed()) return `!${Buffer.from(room, 'utf16le').toString('base64url')}`
  return encodeURIComponent(room).replaceAll('~', '%7E').replaceAll('!', '%21')
}

function unescapeRoom(text: string): string {
  if (text.startsWith('!')) return Buffer.from(text.slice(1), 'base64url').toString('utf16le')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Whose peer stands somewhere in one registry. */
export interface Placed {
  /** The id that it was given last. */
  lastId: string
}

/** The last ids of a connection in several registries: each event says where it stands in all. */
export function idsOf(places: Few<Placed>): string {
  return Array.from(allOf(places), ({ lastId }) => lastId).join(',')
}
