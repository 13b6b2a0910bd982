import { runOutside } from '../pipeline/current.js'
import { atEndOfTurn } from '../pipeline/end-of-turn.js'

/** Where a connection's bytes go: a socket, or whatever stands before one. */
export interface Sink {
  write(bytes: Buffer): boolean
  /** Writes what nothing follows in this turn: there is no use in waiting for more. */
  writeLast?(bytes: Buffer): boolean
  readonly writableLength: number
  readonly writableNeedDrain: boolean
  /** Bytes that it takes before it asks to wait for `drain`. */
  readonly writableHighWaterMark: number
  once(event: 'drain', listener: () => void): unknown
  /** Has somebody hear of what fails behind the back of a write; a lane tells by its own events. */
  onFailure?(failed: (error: unknown) => void): void
  cork?(): void
  uncork?(): void
}

/** Corked in this turn of the event loop. */
let corked = new Set<Sink>()

/**
 * What a corked sink holds waits until the next turn of the event loop is over, for what that may bring: the head of a
 * stream leaves with the first item of a source that has one at once, in one write (`generator`).
 */
export function uncorkLater(sink: Pick<Sink, 'uncork'>): void {
  atEndOfTurn(() => atEndOfTurn(() => sink.uncork?.()))
}

/** What is written to a sink until this turn of the event loop is over leaves in one write. */
export function corkForTurn(sink: Sink): void {
  if (corked.has(sink)) return
  sink.cork?.()
  if (corked.add(sink).size === 1) runOutside(() => setImmediate(uncork))
}

/**
 * Somebody else has let out all that a sink held, as the end of a response does: what comes next, of another exchange on the
 * same lane, is not to be uncorked by this one (`generator`).
 */
export function uncorkNow(sink: Sink): void {
  if (corked.delete(sink)) sink.uncork?.()
}

function uncork(): void {
  const sinks = corked
  corked = new Set()
  for (const sink of sinks) sink.uncork?.()
}
