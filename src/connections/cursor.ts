/**
 * The ids that events carry, and what they say of a peer when it comes back: `epoch-position`, where all rooms were
 * seen up to one position; `epoch-position~room:position…`, where some rooms are still behind (a room that was joined
 * late is being replayed); several, joined by commas, where the connection is in several registries.
 */
import type { Handshake } from '../pipeline/context.js'

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

import type { Place } from './event-log.js'

/** How far a peer has come in one log. */
export interface Cursor {
  readonly position: number
  /** Rooms that are behind it. */
  readonly behind: ReadonlyMap<string, number>
}

const FORM = /^([A-Za-z0-9]+)-(\d{1,16})((?:~[^~:,]*:\d{1,16})*)$/

/** The id of an event that reaches a peer which has seen all before it. */
export function formatPlace({ epoch, position }: Place): string {
  return `${epoch}-${position}`
}

/** The id of a peer that has seen each room up to the position beside it. */
export function formatId(epoch: string, positions: ReadonlyMap<string, number>): string {
  const position = Math.max(0, ...positions.values())
  let id = formatPlace({ epoch, position })
  for (const [room, at] of positions) if (at < position) id += `~${escapeRoom(room)}:${at}`
  return id
}

/** What an id says of the log with this epoch; undefined where it does not speak of it. */
export function parseId(id: string, epoch: string): Cursor | undefined {
  for (const part of id.split(',')) {
    const [, named, position, behind] = FORM.exec(part.trim()) ?? []
    if (named !== epoch) continue
    return { position: Number(position), behind: new Map(parseBehind(behind ?? '')) }
  }
  return undefined
}

function parseBehind(text: string): [string, number][] {
  return text
    .split('~')
    .filter(part => part !== '')
    .map(part => {
      const [room = '', position] = part.split(':')
      return [unescapeRoom(room), Number(position)]
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

/** The last ids of one connection: of a connection in several registries, each event says where it stands in all. */
export class EventIds {
  #last = ''
  #all: Map<string, string> | undefined

  constructor(private readonly first: string) {}

  note(registry: string, id: string): string {
    if (this.#all === undefined && registry === this.first) {
      this.#last = id
      return id
    }
    this.#all ??= new Map([[this.first, this.#last]])
    this.#all.set(registry, id)
    return [...this.#all.values()].join(',')
  }
}
