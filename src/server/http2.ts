/** The only file that loads `node:http2`, where a listener speaks it: its requests and replies are made those of HTTP/1.1. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import {
  createServer,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Duplex, ReadableOptions } from 'node:stream'
import { Pulse } from '../connections/pulse.js'
import { reset, StreamError } from '../pipeline/lane.js'
import { attachHandlers, type Handlers, type HeaderLimits } from './handlers.js'
import { SessionGuard, type SessionLimits } from './http2-guard.js'

/** What a connection of HTTP/2 may ask for. */
export interface Http2Options {
  /**
   * Requests, event streams and sockets that one connection may have open at once; more are refused (RFC 9113 §5.1.2).
   * Browsers open one connection for all of their tabs, so `maxConnectionsPerAddress` counts one. @default 256
   */
  readonly maxStreams?: number
  /** Streams that a peer may reset in ten seconds before they are answered; more end its connection. @default 500 */
  readonly maxResets?: number
  /** PING and SETTINGS frames that a peer may send in ten seconds; more end its connection. @default 1_000 */
  readonly maxControlFrames?: number
  /** Milliseconds between pings where streams are open; a peer that said nothing since the last one is gone; 0 for none. @default 30_000 */
  readonly heartbeat?: number
  /** Bytes that a connection may hold in memory; above, it opens no more streams. @default 33_554_432 (32 MiB) */
  readonly maxMemory?: number
}

/** A request as the rest expects it. */
class Http2Request extends Http2ServerRequest {
  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    options: ReadableOptions,
    raw: readonly string[],
  ) {
    // RFC 9113 §8.3.1: what HTTP/1.1 says by Host.
    if (headers[':authority'] !== undefined) headers.host ??= headers[':authority']
    super(stream, headers, options, raw)
    // A body that was cut off must not pass for a short one: Node's own would end the request here.
    const ended = () => {
      if (stream.rstCode !== StreamError.none || stream.aborted) this.destroy()
    }
    stream.prependListener('close', ended)
  }
}

/** Fields that speak of a connection; HTTP/2 has none of them (RFC 9113 §8.2.2). */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

function isOfTheConnection(name: string): boolean {
  return OF_THE_CONNECTION.has(name.toLowerCase())
}

type Fields = OutgoingHttpHeaders | readonly string[]

/** The header fields that HTTP/2 sends, as an object, or as names and values one after another. */
function ofTheReply(fields: Fields): Fields {
  if (!Array.isArray(fields))
    return Object.fromEntries(Object.entries(fields).filter(([name]) => !isOfTheConnection(name)))
  const list: readonly string[] = fields.flat()
  return list.filter((_, index) => !isOfTheConnection(list[index - (index % 2)] ?? ''))
}

/** A reply as the rest, and middleware, write it: what HTTP/2 has no place for is left out, without a warning. */
class Http2Response extends Http2ServerResponse {
  constructor(stream: ServerHttp2Stream) {
    super(stream)
    // Node's own says nothing of a reply to HEAD that its peer gives up.
    stream.once('close', () => {
      if (this.req.method === 'HEAD' && !this.writableEnded) this.emit('close')
    })
  }

  override setHeader(name: string, value: number | string | readonly string[]): this {
    if (!isOfTheConnection(name)) super.setHeader(name, value)
    return this
  }

  override appendHeader(name: string, value: string | string[]): this {
    if (!isOfTheConnection(name)) super.appendHeader(name, value)
    return this
  }

  override writeHead(status: number, ...rest: readonly (string | Fields | undefined)[]): this {
    const given = rest.find(each => typeof each === 'object') as Fields | undefined
    return super.writeHead(status, given === undefined ? {} : ofTheReply(given))
  }

  /** A reply to HEAD has no content (RFC 9110 §9.3.2); Node's own would write behind the end. */
  override write(chunk: unknown, ...rest: never[]): boolean {
    const write = super.write as (...args: unknown[]) => boolean
    if (this.req.method !== 'HEAD') return write.call(this, chunk, ...rest)
    if (!this.headersSent) this.writeHead(this.statusCode)
    return true
  }

  /** An end of the stream without an error would pass for that of the reply. */
  override destroy(error?: Error): this {
    if (!this.stream.closed) reset(this.stream, error === undefined ? StreamError.cancel : StreamError.internal)
    super.destroy(error)
    return this
  }
}

/** Node's types promise these members, and its class lacks them, or warns of them. */
Object.defineProperties(Http2Response.prototype, {
  destroyed: {
    get(this: Http2Response) {
      return this.stream.destroyed || this.stream.closed
    },
  },
  writableNeedDrain: {
    get(this: Http2Response) {
      return this.stream.writableNeedDrain
    },
  },
  statusMessage: { get: () => '', set: () => {} },
})

/** The side of a listener that speaks HTTP/2. */
export interface Http2Side {
  /** Serves a connection that has said, or is about to say, the preface (RFC 9113 §3.4). */
  serve(socket: Duplex): void
  /** Says GOAWAY to all peers: what they have open goes on, and then they are closed. */
  close(): void
}

export function serveHttp2(handlers: Handlers, options: Http2Options, limits: Http2Limits): Http2Side {
  const { maxStreams = 256, maxMemory = 33_554_432, heartbeat = 30_000 } = options
  const { maxResets = 500, maxControlFrames = 1000 } = options
  const { maxHeaders, maxHeaderSize } = limits
  const http2 = createServer({
    Http2ServerRequest: Http2Request as typeof Http2ServerRequest,
    Http2ServerResponse: Http2Response as unknown as typeof Http2ServerResponse,
    maxHeaderListPairs: 2 * maxHeaders + PSEUDO_FIELDS,
    maxSessionMemory: Math.ceil(maxMemory / 1_000_000),
    settings: { enableConnectProtocol: true, maxConcurrentStreams: maxStreams, maxHeaderListSize: 2 * maxHeaderSize },
  })
  const guards = new Set<SessionGuard>()
  const pulse = new Pulse<SessionGuard>(heartbeat, guard => guard.beat())
  let isClosing = false
  attachHandlers(http2 as unknown as Server, handlers)
  http2.on('connect', (request: unknown, response: unknown) =>
    handlers.connect(request as IncomingMessage, response as ServerResponse),
  )
  http2.on('session', session => {
    const guard = new SessionGuard(session, { ...limits, maxResets, maxControlFrames }, pulse)
    guards.add(guard)
    session.once('close', () => guards.delete(guard))
    if (isClosing) guard.close()
  })
  return {
    serve(socket) {
      // A server of HTTP/1.1 leaves the other half open; here a FIN ends all streams.
      socket.allowHalfOpen = false
      http2.emit('connection', socket)
    },
    close() {
      isClosing = true
      for (const guard of guards) guard.close()
    },
  }
}

/** What a listener grants all who connect. */
export interface Http2Limits extends Omit<SessionLimits, 'maxResets' | 'maxControlFrames'>, HeaderLimits {}

/** Fields that stand for the request line (RFC 9113 §8.3.1, RFC 8441 §4), and some air: what is above is answered with 431. */
const PSEUDO_FIELDS = 8
