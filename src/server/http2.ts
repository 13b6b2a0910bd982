/** The side of a listener that speaks HTTP/2. It is loaded where there is one, and `node:http2` with it. */
import type { Server } from 'node:http'
import { createServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import { Pulse } from '../connections/pulse.js'
import { attachHandlers, type Handlers, type HeaderLimits } from './handlers.js'
import { SessionGuard, type SessionLimits } from './http2-guard.js'
import { Http2Request, Http2Response } from './http2-messages.js'

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
  http2.on('session', session => {
    const guard = new SessionGuard(session, { ...limits, maxResets, maxControlFrames })
    guards.add(guard)
    pulse.start(guards)
    session.once('close', () => {
      if (guards.delete(guard) && guards.size === 0) pulse.stop()
    })
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
