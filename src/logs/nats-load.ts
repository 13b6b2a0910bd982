import type { LogEntry, LogRetention, Notice } from '../connections/event-log.js'
import { RoomHistory } from '../connections/room-history.js'
import { type Mark, markOf, type Stored } from './nats-stored.js'
import type { View } from './nats-stream.js'

/**
 * What a node learns as it reads a whole stream. What is not in it was dropped since all of its rooms had forgotten it, but
 * for what lies before its first message: of that nothing is known.
 */
export class NatsLoad {
  last: Mark = { sequence: 0, token: '', time: 0 }
  /** The stream holds something that is younger than it can be, where a node was before. */
  wentBack = false
  /** Where the last that is not there would be. */
  #hole: number
  readonly #history: RoomHistory

  /**
   * @param known what the node was given last, before it was away
   * @param read undefined for what is no message
   */
  constructor(
    retention: Required<LogRetention>,
    private readonly view: View,
    private readonly known: Mark | undefined,
    private readonly read: (stored: Stored) => LogEntry | Notice | undefined,
  ) {
    this.#history = new RoomHistory(retention)
    this.#hole = view.messages === 0 ? view.last : 0
  }

  /** Whether there is more. */
  take(stored: Stored): boolean {
    const { sequence, time, pending } = stored
    this.wentBack = this.known !== undefined && sequence <= this.known.sequence && time > this.known.time
    if (sequence > this.last.sequence + 1) this.#hole = sequence - 1
    this.last = markOf(stored)
    const message = this.read(stored)
    const age = Math.max(0, Date.now() - time / 1e6)
    if (message !== undefined && 'position' in message) this.#history.keep(message, age)
    return !this.wentBack && sequence < this.view.last && pending > 0
  }

  /** @param first where the stream begins now: what was dropped meanwhile lies before it, or was forgotten */
  finish(first: number): RoomHistory {
    this.#history.raise(Math.min(this.#hole, first - 1))
    return this.#history
  }
}
