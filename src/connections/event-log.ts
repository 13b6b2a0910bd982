/** The room that stands for all: what is broadcast is kept there, and each peer has a position in it. */
export const EVERYWHERE = '\u0000'

/** What is sent to rooms. `data` is JSON text. */
export interface LogMessage {
  /** Undefined reaches every room. */
  readonly rooms: readonly string[] | undefined
  readonly event: string
  readonly data: string
  /** Ids of connections that are passed over. */
  readonly except: readonly string[]
}

export interface LogEntry extends LogMessage {
  /** The place in the registry's one order: 1, 2, 3 … */
  readonly position: number
}

/** What is said to every node, and kept nowhere. */
export type Notice =
  | ({ readonly kind: 'event'; readonly volatile: boolean } & LogMessage)
  | { readonly kind: 'tell'; readonly rooms: readonly string[] | undefined; readonly data: string }
  | { readonly kind: 'disconnect'; readonly target: string; readonly code?: number; readonly text?: string }

export interface LogListener {
  entry(entry: LogEntry): void
  notice(notice: Notice): void
  /** The log's data is not what it was (its epoch is another), or this node lost its place in it. */
  reset(): void
}

export interface Page {
  /** What was missed, in order; each entry once. */
  readonly entries: readonly LogEntry[]
  /** Rooms of which the log has forgotten something that was asked for, and where what it still knows begins. */
  readonly gaps: ReadonlyMap<string, number>
  /** All rooms that were asked for have been read up to this position. */
  readonly upTo: number
}

/**
 * The ordered record behind a registry: a port. Every node, the sender's own included, hears each message exactly once,
 * and all nodes hear entries in one order, that of their positions.
 */
export abstract class EventLog {
  /** Names this log's data; another one when the data was lost. Letters and digits only. */
  abstract readonly epoch: string
  /** The position of the last entry that this node's listener was given. */
  abstract readonly position: number
  /** Starts to deliver what is appended from now on. */
  abstract start(listener: LogListener): Promise<void>
  abstract stop(): Promise<void>
  /** Keeps a message; answers its position once the log has taken it. */
  abstract append(message: LogMessage): Promise<number>
  abstract notify(notice: Notice): Promise<void>
  /**
   * What a peer missed that is in these rooms and has seen each up to the position beside it. An entry that goes to
   * several of the rooms is missed only where it lies after all of their positions.
   * @param limit entries at the most
   */
  abstract read(after: ReadonlyMap<string, number>, limit: number): Promise<Page>
  /** The position after which the last `count` entries of a room lie. */
  abstract before(room: string, count: number): Promise<number>
}

/** Makes the log of a registry. */
export type OpenEventLog = (registry: string, retention: Required<LogRetention>) => EventLog | Promise<EventLog>

export interface LogRetention {
  readonly count?: number
  readonly bytes?: number
  /** Milliseconds. */
  readonly age?: number
}
