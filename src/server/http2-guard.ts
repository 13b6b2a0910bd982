/** What Node.js leaves open on a connection of HTTP/2: how long it may be idle, how long a body may take, and floods. */
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { reset, StreamError, wasReset } from '../pipeline/lane.js'

export interface SessionLimits {
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly keepAliveTimeout: number
  readonly maxResets?: number
  readonly maxControlFrames?: number
}

/** Milliseconds for which frames are counted together. */
const WINDOW = 10_000

/** Bytes on their way that a connection takes; each stream has its own window of 64 KiB besides (RFC 9113 §6.9). */
const CONNECTION_WINDOW = 1_048_576

/** Of the flags of a HEADERS frame (RFC 9113 §6.2). */
const END_STREAM = 0x1

/** Something of which so many may come in a window of time. */
class Budget {
  #count = 0
  #since = 0

  constructor(private readonly limit: number) {}

  /** Whether it was too many. */
  isOver(): boolean {
    const now = performance.now()
    if (now - this.#since > WINDOW) {
      this.#since = now
      this.#count = 0
    }
    return ++this.#count > this.limit
  }
}

export function guardSession(session: ServerHttp2Session, limits: SessionLimits): void {
  const { maxResets = 500, maxControlFrames = 1000 } = limits
  const resets = new Budget(maxResets)
  const frames = new Budget(maxControlFrames)
  const calm = (budget: Budget) => {
    if (budget.isOver() && !session.destroyed) session.destroy(undefined, StreamError.calm)
  }
  session.setLocalWindowSize(CONNECTION_WINDOW)
  session.on('ping', () => calm(frames))
  session.on('remoteSettings', () => calm(frames))
  closeWhenIdle(session, limits)
  session.on('stream', (stream, headers, flags) => {
    // Each stream costs us work that its peer may give up at once (CVE-2023-44487).
    stream.once('aborted', () => {
      if (!wasReset(stream)) calm(resets)
    })
    if ((flags & END_STREAM) === 0) boundBody(stream, headers, limits.requestTimeout)
  })
}

/** A connection without streams is kept for a while; one that has not brought its first, for as long as a header section may take. */
function closeWhenIdle(session: ServerHttp2Session, { headersTimeout, keepAliveTimeout }: SessionLimits): void {
  let open = 0
  let timer: NodeJS.Timeout | undefined
  const wait = (patience: number) => {
    if (patience > 0) timer = setTimeout(() => session.close(), patience)
  }
  wait(headersTimeout)
  session.once('close', () => clearTimeout(timer))
  session.on('stream', stream => {
    open++
    clearTimeout(timer)
    stream.once('close', () => {
      if (--open === 0 && !session.closed) wait(keepAliveTimeout)
    })
  })
}

/** A body has as much time as a whole request of HTTP/1.1. What nobody wants to read any more is declined (RFC 9113 §8.1). */
function boundBody(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, patience: number): void {
  if (headers[':protocol'] !== undefined) return
  const isWhole = () => stream.closed || stream.state.remoteClose === 1
  const late = () => {
    if (isWhole()) return
    if (stream.headersSent) return reset(stream, StreamError.cancel)
    stream.respond({ ':status': 408 }, { endStream: true })
    reset(stream, StreamError.none)
  }
  const timer = patience > 0 ? setTimeout(late, patience) : undefined
  stream.once('end', () => clearTimeout(timer))
  stream.once('close', () => clearTimeout(timer))
  stream.once('finish', () => {
    if (!isWhole() && stream.readableFlowing === null) reset(stream, StreamError.none)
  })
}
