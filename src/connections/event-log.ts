import type { Logger } from '../logger.js'
import type { NodeMessage } from './node-message.js'

/** The room that stands for all: what is broadcast is kept there, and each peer has a position in it. */
export const EVERYWHERE = '\u0000'

/** What is sent to rooms. `data` is JSON text. */
export interface LogMessage {
  /** Undefined reaches every room. */
  readonly rooms: readonly string[] | undefined
  /** Its name: one line. */
  readonly event: string
  /** What it says, as JSON text. */
  readonly data: string
  /** Ids of connections that are passed over. */
  readonly except: readonly string[]
}

/** A message that a log has kept. */
export interface LogEntry extends LogMessage {
  /** The place in the registry's one order: a whole number above 0, higher than that of every entry before it. */
  readonly position: number
}

/** What is said to every node, and kept nowhere. A log carries it as it is: it has a JSON form. */
export type Notice =
  | ({ readonly kind: 'event'; readonly volatile: boolean } & LogMessage)
  | {
      readonly kind: 'tell'
      readonly rooms: readonly string[] | undefined
      readonly user?: string
      readonly data: string
    }
  | ({ readonly kind: 'disconnect'; readonly code?: number; readonly text?: string } & (
      | { readonly target: string }
      | { readonly user: string }
    ))
  | ({ readonly kind: 'node'; readonly from: string } & NodeMessage)

/** A place in the order of one log. */
export interface Place {
  /** Names the log's data, and no other data: another one when it was lost. Letters and digits only. */
  readonly epoch: string
  /** The position of the last entry before it; 0 before the first. */
  readonly position: number
}

/** What a node hears. None of these throws. */
export interface LogListener {
  /** A message that was kept, in the order of the positions. */
  entry(entry: LogEntry): void
  /** What was said and is kept nowhere. */
  notice(notice: Notice): void
  /**
   * Where the node stands: told first of all, and again where it goes on from another place than that of the last
   * entry, since the log's data is not what it was (another epoch), or since the node was away for so long that it
   * cannot be given each entry in between (the same epoch). What comes next is told when this has returned.
   */
  reset(place: Place): void
}

/** What was read of a log. */
export interface Page {
  /** What was missed and is still known, in order; each entry once. */
  readonly entries: readonly LogEntry[]
  /** Rooms of which something that was asked for is not known, and the positions after which all is known. */
  readonly gaps: ReadonlyMap<string, number>
  /** All rooms that were asked for have been read up to this position. */
  readonly upTo: number
}

/** Whether a log can be had right now. */
export interface LogHealth {
  /** What is sent is taken, and what others send is heard. */
  readonly ready: boolean
  /** Why not, where that is known. */
  readonly error?: unknown
}

/**
 * The ordered record behind a registry: a port. Every node, the sender's own included, hears each message once, and all
 * nodes hear entries in one order, that of their positions.
 *
 * What a log cannot do rejects: an `append` that rejects was not confirmed, and its sender is told; where a `read`
 * rejects, the peer that it was for is cut, and comes back.
 */
export abstract class EventLog {
  /** Tells the listener its place, and then what comes after it. Rejects where the log cannot be had. */
  abstract start(listener: LogListener): Promise<void>
  /** Nothing is delivered after it. */
  abstract stop(): Promise<void>
  /**
   * Keeps a message; answers its place once the log has taken it. Needs no `start`.
   * @param key names the message: where one of this key was kept of late, nothing is, and the answer is its place. How
   * many keys a log remembers, and for how long, it says itself; none beyond its epoch
   */
  abstract append(message: LogMessage, key?: string): Promise<Place>
  /** Needs no `start`. */
  abstract notify(notice: Notice): Promise<void>
  /**
   * What a peer missed that is in these rooms and has seen each up to the position beside it; a position that the log
   * has not reached yet is a gap. An entry that goes to several of the rooms is missed only where it lies after all of
   * their positions. It reads what the listener was given and may read further; what it answers is of the epoch that
   * the listener knows, so where that has changed the listener hears of it before.
   * @param limit entries at the most
   * @param bytes of their events and data at the most, but for a first entry that is larger by itself: what is held for
   * each peer that reads is bounded by it. @default no bound
   */
  abstract read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page>
  /** The position after which the last `count` entries of a room lie, what was sent to all included. */
  abstract before(room: string, count: number): Promise<number>

  /** Whether it can be had right now. A log that is never away need not say. */
  get health(): LogHealth {
    return { ready: true }
  }
}

/** Makes the log of a registry. */
export type OpenEventLog = (
  registry: string,
  retention: Required<LogRetention>,
  logger: Logger,
) => EventLog | Promise<EventLog>

/** What a log remembers of each room. */
export interface LogRetention {
  /** Entries of a room. */
  readonly count?: number
  /** Bytes of a room's entries. */
  readonly bytes?: number
  /** Milliseconds. */
  readonly age?: number
}
