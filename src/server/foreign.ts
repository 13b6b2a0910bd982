/** What is handed over by a server that somebody else has made: of HTTP/1.1, or of HTTP/2. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from './dispatch.js'

type Next = (error?: unknown) => void
type Serve = (request: IncomingMessage, response: ServerResponse) => void

export type ForeignHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  next?: Next,
) => void

export type ForeignUpgrade = (
  request: IncomingMessage | Http2ServerRequest,
  socket: Duplex | ServerResponse | Http2ServerResponse,
  head?: Buffer,
  next?: Next,
) => void

/** @throws TypeError for what is no exchange */
export function handleForeign(dispatcher: Dispatcher, ...[request, response, next]: Parameters<ForeignHandler>): void {
  if (typeof request?.url !== 'string' || typeof response?.writeHead !== 'function')
    throw new TypeError(
      "app.handler takes a request and a response of node:http or node:http2: give it to createServer(app.handler), or to server.on('request', app.handler)",
    )
  whenOurs(request, response, (ours, reply) => dispatcher.handle(ours, reply, next))
}

/** @throws TypeError for what is no upgrade */
export function upgradeForeign(
  dispatcher: Dispatcher,
  ...[request, socket, head, next]: Parameters<ForeignUpgrade>
): void {
  const isHttp2 = request?.httpVersionMajor === 2 && 'writeHead' in socket
  if (isHttp2) return whenOurs(request, socket, (ours, reply) => dispatcher.connect(ours, reply, next))
  if (!(head instanceof Uint8Array))
    throw new TypeError(
      "app.upgrade takes what a server tells of an upgrade: server.on('upgrade', app.upgrade), and over HTTP/2 server.on('connect', app.upgrade)",
    )
  dispatcher.upgrade(request as IncomingMessage, socket as Socket, head, next)
}

let messages: typeof import('./http2-messages.js') | undefined

/** Serves an exchange at once with HTTP/1.1; with HTTP/2, when it is made what it is on our own listeners. */
function whenOurs(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  serve: Serve,
): void {
  const [asked, replied] = [request as IncomingMessage, response as ServerResponse]
  if (request.httpVersionMajor !== 2) return serve(asked, replied)
  const go = (loaded: NonNullable<typeof messages>) => {
    messages = loaded
    loaded.adopt(asked, replied)
    serve(asked, replied)
  }
  if (messages === undefined) void import('./http2-messages.js').then(go)
  else go(messages)
}

/** @throws TypeError for what is no server of Node's */
export function checkServer(server: unknown): void {
  if (server instanceof Server) return
  throw new TypeError(
    'app.attach takes a server of node:http, node:https or node:http2: inside of Express or Fastify, give them app.handler',
  )
}
