/** What Node.js leaves open on a connection of HTTP/2: whether its peer is there, how long it may be idle, and floods. */
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { reset, StreamError, wasReset } from '../pipeline/lane.js'

export interface SessionLimits {
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly keepAliveTimeout: number
  readonly maxResets: number
  readonly maxControlFrames: number
}

/** Milliseconds for which frames are counted together. */
const WINDOW = 10_000

/** Milliseconds for a goodbye, where no stream is open any more. */
const GOODBYE = 1000

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

/** One connection, and those who watch over all of a listener's. */
export class SessionGuard {
  #open = 0
  #timer: NodeJS.Timeout | undefined
  /** At the last beat: whether a ping was sent, and how much had been heard. */
  #asked = false
  #heard = 0

  constructor(
    private readonly session: ServerHttp2Session,
    private readonly limits: SessionLimits,
  ) {
    const resets = new Budget(limits.maxResets)
    const frames = new Budget(limits.maxControlFrames)
    session.setLocalWindowSize(CONNECTION_WINDOW)
    session.on('ping', () => this.#calm(frames))
    session.on('remoteSettings', () => this.#calm(frames))
    session.on('stream', (stream, headers, flags) => {
      this.#opened(stream)
      // Each stream costs us work that its peer may give up at once (CVE-2023-44487).
      stream.once('aborted', () => {
        if (!wasReset(stream)) this.#calm(resets)
      })
      if ((flags & END_STREAM) === 0) boundBody(stream, headers, limits.requestTimeout)
    })
    this.#await(limits.headersTimeout)
    session.once('close', () => clearTimeout(this.#timer))
  }

  /** Says GOAWAY (RFC 9113 §6.8); ends with the last stream. */
  close(): void {
    this.session.close()
    if (this.#open === 0) this.#end()
  }

  /** One beat of the heartbeat: a peer with streams that has said nothing since the last ping is gone. */
  beat(): void {
    if (this.#asked && this.#isSilent()) {
      // What came while this process was busy is about to be read.
      setImmediate(() => {
        if (this.#isSilent()) this.#destroy('the peer is gone', StreamError.cancel)
      })
      return
    }
    this.#heard = this.#bytesRead
    // One that is destroyed has its `close` later, and until then its beats.
    this.#asked = this.#open > 0 && !this.session.destroyed && this.session.ping(() => {})
  }

  failed(error: unknown): void {
    this.session.destroy(error as Error)
  }

  #isSilent(): boolean {
    return this.#bytesRead === this.#heard
  }

  get #bytesRead(): number {
    return this.session.destroyed ? 0 : (this.session.socket?.bytesRead ?? 0)
  }

  #opened(stream: ServerHttp2Stream): void {
    this.#open++
    clearTimeout(this.#timer)
    stream.once('close', () => {
      if (--this.#open > 0) return
      if (this.session.closed) this.#end()
      else this.#await(this.limits.keepAliveTimeout)
    })
  }

  /** A connection without streams is kept for a while. */
  #await(patience: number): void {
    if (patience > 0) this.#timer = setTimeout(() => this.close(), patience)
  }

  /** What is closed and has no streams goes by itself, but not where half a header section is still to come. */
  #end(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.session.destroy(), GOODBYE)
  }

  #calm(budget: Budget): void {
    if (budget.isOver()) this.#destroy('the peer floods its connection', StreamError.calm)
  }

  #destroy(why: string, code: number): void {
    if (!this.session.destroyed) this.session.destroy(new Error(why), code)
  }
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
