/** What the workers of `node:cluster` and their primary say to each other about logs. All of it has a JSON form. */
import type { LogEntry, LogMessage, LogRetention, Notice, Page, Place } from '../connections/event-log.js'

/** What a worker asks. */
export type Question =
  | { readonly ask: 'open'; readonly registry: string; readonly retention: Required<LogRetention> }
  | { readonly ask: 'start' | 'stop' }
  | { readonly ask: 'append'; readonly message: LogMessage; readonly key?: string | undefined }
  | { readonly ask: 'notify'; readonly notice: Notice }
  | {
      readonly ask: 'read'
      readonly after: readonly (readonly [string, number])[]
      readonly limit: number
      readonly bytes?: number | undefined
    }
  | { readonly ask: 'before'; readonly room: string; readonly count: number }

/** A question from one log of a worker, whose number no other log of that worker has. */
export type Asked = Question & { readonly log: number; readonly id: number }

/** What the primary says to one log of a worker. */
export type Told = { readonly log: number } & (
  | { readonly id: number; readonly answer: unknown }
  | { readonly entry: LogEntry }
  | { readonly notice: Notice }
  | { readonly reset: Place }
)

/** One message of a channel: what was said in a turn, in its order. */
export interface Envelope<T> {
  readonly palomino: 'log'
  readonly items: readonly T[]
}

export function envelope<T>(items: readonly T[]): Envelope<T> {
  return { palomino: 'log', items }
}

/** What a message carries; undefined where it is somebody else's. */
export function openEnvelope<T>(message: unknown): readonly T[] | undefined {
  const { palomino, items } = Object(message) as Partial<Envelope<T>>
  return palomino === 'log' && Array.isArray(items) ? items : undefined
}

/** A page as it travels: a map has no JSON form. */
export type PageForm = Omit<Page, 'gaps'> & { readonly gaps: readonly (readonly [string, number])[] }

/** About how many bytes a message will have. */
export function sizeOf(message: Partial<LogMessage> | Notice): number {
  const { data = '', event = '', rooms = [] } = message as Partial<LogMessage>
  return 128 + data.length + event.length + rooms.length * 16
}
