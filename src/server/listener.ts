import type { Server, ServerResponse } from 'node:http'
import type * as Https from 'node:https'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { inSlices } from '../connections/slice.js'
import { AddressInUseError } from '../errors.js'
import { createServer as createHttp } from '../node-http.js'
import type { Lane } from '../pipeline/lane.js'
import { keepLane, type LaneKeeper } from '../pipeline/lane-close.js'
import { lazily } from '../pipeline/lazily.js'
import { permitHibernation } from '../sse/hibernate.js'
import { asksForWebSocket } from '../websocket/upgrade.js'
import { attachHandlers, bounded, type Handlers } from './handlers.js'
import type { Http2Side } from './http2.js'
import { divert, type ListenerProtocols } from './protocols.js'
import { isShared } from './shared-address.js'
import { type TlsOptions, tlsDefaults } from './tls.js'
import { removeStaleSocket } from './unix-socket.js'

const https = lazily<typeof Https>('node:https')

/** How a listener treats those who connect. */
export interface ListenerLimits {
  /** Milliseconds for the header section of a request, for the first byte of a connection, and for the handshake of TLS. @default 10_000, or `requestTimeout` where that is less */
  readonly headersTimeout?: number
  /** Milliseconds for a whole request; streams and sockets have no such limit. @default 60_000 */
  readonly requestTimeout?: number
  /** Milliseconds for which an idle connection is kept for its next request. @default 5_000 */
  readonly keepAliveTimeout?: number
  /** Header fields of a request; more are 431. @default 100 */
  readonly maxHeaders?: number
  /** Bytes of a request's header section; more is 431; over HTTP/2 more than twice as much is a reset of the stream. @default 16_384 (16 KiB) */
  readonly maxHeaderSize?: number
  /** Connections of a listener; more are closed at once. @default no limit */
  readonly maxConnections?: number
  /** Connections of one remote address; more are closed at once. Behind a proxy all have one; those of a Unix socket have none, and are not counted. @default no limit */
  readonly maxConnectionsPerAddress?: number
  /** Connections that wait to be accepted. @default 511 */
  readonly backlog?: number
}

/** Where a listener listens, a port and a host, or the path of a Unix socket; and what it speaks there. */
export interface ListenAddress extends ListenerProtocols {
  /** The TCP port; 0 takes a spare one. */
  readonly port?: number
  /** The address. @default all addresses */
  readonly host?: string
  /** The path of a Unix socket, in place of a port. */
  readonly path?: string
}

/** Where a listener says what went wrong while nobody waits for it, such as a connection that could not be accepted. */
type Failed = (error: Error) => void

/** An address that sockets of one listener come from, and how many; what decrypts one comes from nowhere. */
class Origin implements LaneKeeper {
  sockets = 0

  constructor(
    readonly address: string | undefined,
    private readonly listener: { forget(socket: Socket, origin: Origin): void },
  ) {}

  gone(lane: Lane): void {
    this.listener.forget(lane as Socket, this)
  }
}

/** Milliseconds that the first bytes of a connection may be on their way when its listener closes. */
const FIRST_WORDS = 500

/** One HTTP server of the application, and the connections it has. */
export class Listener {
  readonly #sockets = new Set<Socket>()
  readonly #origins = new Map<string | undefined, Origin>()
  #tls: TlsOptions | undefined
  #http2: Http2Side | undefined

  private constructor(readonly server: Server) {}

  /** @throws AddressInUseError */
  static async open(
    { tls, http2 = false, ...where }: ListenAddress,
    limits: ListenerLimits,
    handlers: Handlers,
    failed: Failed,
  ): Promise<Listener> {
    const settled = settle(limits)
    const server = createServer(settled, tls, http2 !== false)
    server.maxHeadersCount = settled.maxHeaders
    if (limits.maxConnections !== undefined) server.maxConnections = limits.maxConnections
    const listener = new Listener(server)
    listener.#tls = tls
    const guarded = bounded(handlers, settled)
    attachHandlers(server, guarded)
    if (http2 !== false) {
      const { serveHttp2 } = await import('./http2.js')
      listener.#http2 = serveHttp2(guarded, http2 === true ? {} : http2, settled)
      divert(server, listener.#http2, settled.headersTimeout)
    }
    permitHibernation(server)
    listener.#watch(limits.maxConnectionsPerAddress ?? Number.POSITIVE_INFINITY)
    if (where.path !== undefined && !isShared) await removeStaleSocket(where.path)
    await listen(server, { ...where, backlog: limits.backlog ?? 511 })
    server.on('error', failed)
    return listener
  }

  get address(): AddressInfo | string {
    return this.server.address() ?? ''
  }

  /** What it speaks TLS with; undefined where it does not. */
  get tls(): TlsOptions | undefined {
    return this.#tls
  }

  /** From now on, connections get another certificate; those that are open go on. */
  renew(tls: TlsOptions): void {
    this.#tls = tls
    ;(this.server as Https.Server).setSecureContext({ ...tlsDefaults, ...tls })
  }

  /**
   * Replies that have not begun are the last of their connections, and will say so (RFC 9112 §9.6): whose connection is
   * said to be kept would ask again on it, just as it is closed. What a socket is being answered with, only Node's own
   * `_httpMessage` knows, on which others rely, too.
   */
  leave(): void {
    for (const socket of this.#sockets) {
      const { _httpMessage: response } = socket as Socket & { readonly _httpMessage?: ServerResponse | null }
      if (response) response.shouldKeepAlive = false
    }
  }

  /**
   * Stops accepting; settles when the last connection is gone. Connections that are between requests are closed at once,
   * but for what has come: who asked on a kept connection is in this process's buffers, and is answered. Those that have
   * said nothing yet are closed when what they may have begun to say is not here a moment later.
   */
  async close(): Promise<void> {
    this.leave()
    await readWhatCame()
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    const began = performance.now()
    const sweep = setInterval(() => this.#closeIdle(performance.now() - began > FIRST_WORDS), 50)
    this.#http2?.close()
    this.#closeIdle(false)
    await closed
    clearInterval(sweep)
  }

  /** Node counts a connection that has said nothing yet as a busy one. */
  #closeIdle(silent: boolean): void {
    this.server.closeIdleConnections()
    if (!silent) return
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  /** Ends every connection now. */
  async destroy(): Promise<void> {
    await inSlices(this.#sockets, socket => socket.destroy())
  }

  #watch(perAddress: number): void {
    this.server.on('connection', (socket: Socket) => {
      if (this.#sockets.has(socket)) return
      const origin = this.#origin(socket.remoteAddress ?? '')
      if (origin.sockets >= perAddress && origin.address !== '') return void socket.destroy()
      this.#keep(socket, origin)
    })
    // Under TLS, what was said through a socket is known to the one that decrypts.
    this.server.on('secureConnection', (socket: Socket) => this.#keep(socket, this.#origin(undefined)))
  }

  #origin(address: string | undefined): Origin {
    return this.#origins.get(address) ?? new Origin(address, this)
  }

  #keep(socket: Socket, origin: Origin): void {
    if (this.#sockets.has(socket)) return
    origin.sockets++
    this.#origins.set(origin.address, origin)
    this.#sockets.add(socket)
    keepLane(socket, origin)
  }

  /** @internal */
  forget(socket: Socket, origin: Origin): void {
    this.#sockets.delete(socket)
    if (--origin.sockets === 0) this.#origins.delete(origin.address)
  }
}

/** Settles when the event loop has looked once for what was there. */
async function readWhatCame(): Promise<void> {
  for (let turns = 2; turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
}

/** Limits, with the defaults filled in. */
function settle(limits: ListenerLimits) {
  const { requestTimeout = 60_000, keepAliveTimeout = 5000, maxHeaders = 100, maxHeaderSize = 16_384 } = limits
  const { headersTimeout = Math.min(10_000, requestTimeout || 10_000) } = limits
  return { headersTimeout, requestTimeout, keepAliveTimeout, maxHeaders, maxHeaderSize }
}

function createServer(limits: ReturnType<typeof settle>, tls: TlsOptions | undefined, http2: boolean): Server {
  const { maxHeaders: _, ...timeouts } = limits
  const options = { ...timeouts, ...declining, connectionsCheckingInterval: 1000 }
  if (tls === undefined) return createHttp(options)
  const alpn = { ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'], handshakeTimeout: limits.headersTimeout }
  return https().createServer({ ...options, noDelay: true, ...alpn, ...tlsDefaults, ...tls })
}

/** Since Node.js 22.21: requests that offer to upgrade to anything but a WebSocket are requests like any other. */
const declining = { shouldUpgradeCallback: asksForWebSocket }

function listen(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const where = options.path ?? `port ${options.port}`
      reject(error.code === 'EADDRINUSE' ? new AddressInUseError(where, { cause: error }) : error)
    }
    server.once('error', fail)
    server.listen(options, () => {
      server.off('error', fail)
      resolve()
    })
  })
}
