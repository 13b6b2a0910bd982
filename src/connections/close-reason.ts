import { HttpError } from '../errors.js'

/** Why a connection ended. Exactly one of these reaches `close`, whatever happened. */
export type CloseReason =
  /** The peer closed: for a socket with its code and text (RFC 6455 §7.1.5). */
  | { readonly kind: 'peer'; readonly code?: number; readonly text?: string }
  /** The peer vanished: a reset, a missed pong, a failed write. */
  | { readonly kind: 'lost' }
  /** A handler returned `stop()`, or the application called `close()`. */
  | { readonly kind: 'stopped'; readonly code?: number; readonly text?: string }
  /** Nothing happened for the route's `idleTimeout`. */
  | { readonly kind: 'idle' }
  /** The peer broke the protocol; the code says how (RFC 6455 §7.4.1). */
  | { readonly kind: 'protocol'; readonly code: number }
  /** A handler threw or rejected. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The send queue, or the queue of messages from inside, was full. */
  | { readonly kind: 'overflow' }
  /** `registry.disconnect` ended it. */
  | { readonly kind: 'disconnected'; readonly code?: number; readonly text?: string }
  /** A signal that it was linked to aborted. */
  | { readonly kind: 'linked'; readonly cause: unknown }
  /** The server is going away; the peer finds another. */
  | { readonly kind: 'drain' }

/** How a connection is ended. */
export interface StopOptions {
  /** The close code of a socket: 1000, or 3000 to 4999 (RFC 6455 §7.4.2). @default 1000 */
  readonly code?: number
  /** The close reason of a socket, at most 123 bytes of UTF-8 (RFC 6455 §5.5). @default none */
  readonly text?: string
  /**
   * Whether an `EventSource` may reconnect. `false` sends it an event `stop` whose id is answered with 204 when it comes
   * back, which ends it (WHATWG HTML §9.2.3). @default true
   */
  readonly reconnect?: boolean
}

/** Bytes of UTF-8 that a close frame holds beside its code (RFC 6455 §5.5). */
const TEXT_LIMIT = 123

/** What a handler returns to end its connection. */
export class Stop {
  constructor(
    /** How it is ended. */
    readonly options: StopOptions,
  ) {
    checkClose(options)
  }
}

/**
 * Ends the connection after what was sent before it. Returned from an event source's `open` it answers 204, so that a
 * browser does not come back.
 */
export function stop(options: StopOptions = {}): Stop {
  return new Stop(options)
}

/** @throws RangeError for a close code or a text that may not be sent */
export function checkClose({ code, text }: { readonly code?: number; readonly text?: string }): void {
  if (code !== undefined && !maySend(code))
    throw new RangeError(`${code} is no close code that may be sent: use 1000, or 3000 to 4999`)
  if (text !== undefined && Buffer.byteLength(text) > TEXT_LIMIT) {
    throw new RangeError(`the text of a close is ${TEXT_LIMIT} bytes of UTF-8 at the most`)
  }
}

/** RFC 6455 §7.4: the codes that have a meaning, but for those that only stand for something; and the application's own. */
function maySend(code: number): boolean {
  if (!Number.isInteger(code)) return false
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
}

/** A reason with a code and a text, where there are any. */
export function withCode<K extends 'stopped' | 'disconnected'>(
  kind: K,
  { code, text }: { readonly code?: number | undefined; readonly text?: string | undefined },
): { readonly kind: K; readonly code?: number; readonly text?: string } {
  return { kind, ...(code === undefined ? {} : { code }), ...(text === undefined ? {} : { text }) }
}

/** Whether an error only says that the connection ended: what `signal` makes of those who wait with it. */
export function isEcho(error: unknown, reason: CloseReason): boolean {
  return error === reason || (error instanceof Error && (error.name === 'AbortError' || error.cause === reason))
}

/** The code that a socket's close frame carries; undefined where none is sent. */
export function closeCode(reason: CloseReason): number | undefined {
  switch (reason.kind) {
    case 'peer':
    case 'stopped':
      return reason.code ?? 1000
    case 'idle':
      return 1000
    case 'protocol':
      return reason.code
    case 'failed':
    case 'linked':
      return 1011
    case 'overflow':
      return 1013
    case 'disconnected':
      return reason.code ?? 1008
    case 'drain':
      return 1012
    case 'lost':
      return undefined
  }
}

/** The text of a socket's close frame: the one given; where a handler failed, what an `HttpError` says to the peer. */
export function closeText(reason: CloseReason): string {
  if ('text' in reason) return reason.text ?? ''
  if (reason.kind !== 'failed' || !(reason.error instanceof HttpError)) return ''
  const { detail, title } = reason.error.problem
  return clip(detail ?? title)
}

/** As many whole characters as fit a close frame. */
function clip(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(TEXT_LIMIT))
  return text.slice(0, read)
}

const CLEAN: ReadonlySet<CloseReason['kind']> = new Set(['stopped', 'idle', 'disconnected', 'drain'])

/** How the table of reasons treats an event stream: ended with its final chunk, or cut so that the peer knows. */
export function endsCleanly({ kind }: CloseReason): boolean {
  return CLEAN.has(kind)
}
