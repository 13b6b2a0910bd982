import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { AddressInUseError } from '../errors.js'
import { holdContinue } from '../http/body.js'
import { asksForWebSocket, refuseUpgrade } from '../websocket/upgrade.js'
import { removeStaleSocket } from './unix-socket.js'

/** How a listener treats those who connect. */
export interface ListenerLimits {
  /** Milliseconds for the header section of a request, and for the first byte of a connection. @default 10_000, or `requestTimeout` where that is less */
  readonly headersTimeout?: number
  /** Milliseconds for a whole request; streams and sockets have no such limit. @default 60_000 */
  readonly requestTimeout?: number
  /** Milliseconds for which an idle connection is kept for its next request. @default 5_000 */
  readonly keepAliveTimeout?: number
  /** Header fields of a request; more are 431. @default 100 */
  readonly maxHeaders?: number
  /** Bytes of a request's header section; more is 431. @default 16_384 (16 KiB) */
  readonly maxHeaderSize?: number
  /** Connections of a listener; more are closed at once. @default no limit */
  readonly maxConnections?: number
  /** Connections of one remote address; more are closed at once. Behind a proxy all have one; those of a Unix socket have none, and are not counted. @default no limit */
  readonly maxConnectionsPerAddress?: number
  /** Connections that wait to be accepted. @default 511 */
  readonly backlog?: number
}

export interface Handlers {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  readonly upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void
}

/** Where a listener says what went wrong while nobody waits for it, such as a connection that could not be accepted. */
type Failed = (error: Error) => void

/** Where a listener listens: a port and a host, or the path of a Unix socket. */
export interface ListenAddress {
  readonly port?: number
  readonly host?: string
  readonly path?: string
}

/** One HTTP server of the application, and the connections it has. */
export class Listener {
  readonly #sockets = new Set<Socket>()

  private constructor(readonly server: Server) {}

  /** @throws AddressInUseError */
  static async open(
    address: ListenAddress,
    limits: ListenerLimits,
    handlers: Handlers,
    failed: Failed,
  ): Promise<Listener> {
    const { requestTimeout = 60_000, keepAliveTimeout = 5000, maxHeaderSize = 16_384 } = limits
    const { headersTimeout = Math.min(10_000, requestTimeout || 10_000) } = limits
    const timeouts = { headersTimeout, requestTimeout, keepAliveTimeout, connectionsCheckingInterval: 1000 }
    const server = createServer({ ...timeouts, ...declining, maxHeaderSize })
    const { maxHeaders = 100 } = limits
    server.maxHeadersCount = maxHeaders
    if (limits.maxConnections !== undefined) server.maxConnections = limits.maxConnections
    const listener = new Listener(server)
    listener.#watch(limits.maxConnectionsPerAddress ?? Number.POSITIVE_INFINITY)
    attachHandlers(server, bounded(handlers, maxHeaders))
    if (address.path !== undefined) await removeStaleSocket(address.path)
    await listen(server, { ...address, backlog: limits.backlog ?? 511 })
    server.on('error', failed)
    return listener
  }

  get address(): AddressInfo | string {
    return this.server.address() ?? ''
  }

  /** Stops accepting; settles when the last connection is gone. Connections without a request are closed at once. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    const sweep = setInterval(() => this.#closeIdle(), 50)
    this.#closeIdle()
    await closed
    clearInterval(sweep)
  }

  /** Node counts a connection that has said nothing yet as a busy one. */
  #closeIdle(): void {
    this.server.closeIdleConnections()
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  /** Ends every connection now. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #watch(perAddress: number): void {
    const addresses = new Map<string, number>()
    this.server.on('connection', (socket: Socket) => {
      if (this.#sockets.has(socket)) return
      const address = socket.remoteAddress ?? ''
      const count = (addresses.get(address) ?? 0) + 1
      if (count > perAddress && address !== '') return void socket.destroy()
      addresses.set(address, count)
      this.#sockets.add(socket)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        const left = (addresses.get(address) ?? 1) - 1
        if (left === 0) addresses.delete(address)
        else addresses.set(address, left)
      })
    })
  }
}

/** Node.js 20 drops the fields past its limit; since then it answers 431 (RFC 6585 §5), and so do we. */
function bounded({ handle, upgrade }: Handlers, maxHeaders: number): Handlers {
  const hasTooMany = ({ rawHeaders }: IncomingMessage) => rawHeaders.length > 2 * maxHeaders
  return {
    handle(request, response) {
      if (hasTooMany(request)) response.writeHead(431, { Connection: 'close' }).end()
      else handle(request, response)
    },
    upgrade(request, socket, head) {
      if (hasTooMany(request)) refuseUpgrade(socket, '431 Request Header Fields Too Large')
      else upgrade(request, socket, head)
    },
  }
}

/** Since Node.js 22.21: requests that offer to upgrade to anything but a WebSocket are requests like any other. */
const declining = { shouldUpgradeCallback: asksForWebSocket }

/** Hands the requests of any HTTP server to the application. */
export function attachHandlers(server: Server, handlers: Handlers): void {
  server.on('request', handlers.handle)
  server.on('upgrade', handlers.upgrade as (request: IncomingMessage, socket: unknown, head: Buffer) => void)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    holdContinue(request)
    handlers.handle(request, response)
  })
}

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
