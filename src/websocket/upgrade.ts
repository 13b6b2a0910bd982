import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { badRequest, forbidden, HttpError } from '../errors.js'
import type { Front } from '../pipeline/front.js'
import type { RequestContext } from '../pipeline/request-context.js'

/** RFC 6455 §4.1, item 9. */
const VERSION = '13'

/**
 * 426: here a WebSocket is spoken (RFC 9110 §15.5.22, RFC 6455 §4.2.2). It closes: `Connection` cannot also ask to be
 * kept. HTTP/2 has no `Upgrade`; there another method opens it (RFC 8441 §4).
 */
export function upgradeRequired(request: IncomingMessage): HttpError {
  if (request.httpVersionMajor === 2)
    return new HttpError(405, 'this is a WebSocket: open it with an extended CONNECT', {
      headers: { Allow: 'CONNECT' },
    })
  return new HttpError(426, 'this is a WebSocket: open it with a WebSocket handshake', {
    headers: { Upgrade: 'websocket', Connection: 'close, Upgrade', 'Sec-WebSocket-Version': VERSION },
  })
}

/** Whether a request asks for a WebSocket at all (RFC 6455 §4.2.1, items 1 and 3; RFC 8441 §4). */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && (headers[':protocol'] ?? headers.upgrade?.toLowerCase()) === 'websocket'
}

/**
 * A CONNECT of HTTP/2. One that is extended to the protocol `websocket` is what a GET with `Upgrade` is in HTTP/1.1
 * (RFC 8441 §5), and goes on as such, for middleware and guards to see one kind of handshake.
 * @throws HttpError 501 for a tunnel (RFC 9113 §8.5), and for other protocols (RFC 9220 §3)
 */
export function readConnect(request: IncomingMessage): void {
  const protocol = request.headers[':protocol']
  if (protocol === undefined) throw new HttpError(501, 'this is no proxy: it opens no tunnels')
  if (protocol !== 'websocket') throw new HttpError(501, `the protocol ${protocol} is not spoken here`)
  request.method = 'GET'
}

/**
 * An upgrade to anything else is declined by passing over it (RFC 9110 §7.8): Java's HttpClient and `curl --http2` offer
 * h2c along with ordinary requests, bodies included. Node.js before 22.21 has stopped reading behind the head by then, so
 * the server is given the connection again, from the start of the request, which no longer has the offer.
 */
export function declineUpgrade(
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  socket: Socket,
  head: Buffer,
) {
  const { server } = socket as Socket & { readonly server?: Server }
  if (server === undefined || rawHeaders.length >= 2 * (server.maxHeadersCount || MAX_HEADERS))
    return refuseUpgrade(socket, '400 Bad Request')
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
}

/**
 * Answers an upgrade request without reading it. Node.js has let go of its socket: nobody else hears that the peer has
 * left, which would end the process, or closes it behind the answer.
 */
export function refuseUpgrade(socket: Socket, status: string): void {
  socket.on('error', () => {})
  socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  socket.resume().destroySoon()
}

/** What Node.js drops fields behind, where the server does not say: among them may be those that frame the body. */
const MAX_HEADERS = 2000

/** What every handshake has, as RFC 6455 §4.2.1 and RFC 8441 §5 list it. @throws HttpError 400 or 426 */
export function checkHandshake(request: IncomingMessage): void {
  if (request.httpVersionMajor === 2) return checkConnect(request)
  const { headers } = request
  if (request.httpVersion !== '1.1') throw badRequest('the handshake needs HTTP/1.1')
  if (headers['sec-websocket-version'] !== VERSION) throw upgradeRequired(request)
  if (!isKey(headers['sec-websocket-key'])) throw badRequest('Sec-WebSocket-Key must be 16 bytes in base64')
}

/** RFC 6455 §4.1, item 7. */
export function isKey(value: string | undefined): value is string {
  return value !== undefined && /^[+/0-9A-Za-z]{22}==$/.test(value)
}

/** An extended CONNECT has no key; its scheme is that of the connection (a proxy may stand in front of one without TLS). */
function checkConnect({ headers, socket }: IncomingMessage): void {
  const scheme = headers[':scheme']
  if (scheme !== 'https' && ('encrypted' in socket || scheme !== 'http'))
    throw badRequest(`the scheme ${scheme} is not that of this connection`)
  if (headers['sec-websocket-version'] !== VERSION)
    throw badRequest(`Sec-WebSocket-Version must be ${VERSION}`, { headers: { 'Sec-WebSocket-Version': VERSION } })
}

/**
 * Browsers send cookies with a handshake from any page, and say which page in `Origin` (RFC 6455 §10.2). It must be the
 * host's own, to the port, or a listed one; over TLS, its scheme must be https, too. (Without TLS https is fine: a proxy
 * may stand in front. A trusted one says what its peer asked for, and how: then that is the own origin.) Who is no browser sends no `Origin`, and is not stopped here.
 * @throws HttpError 403
 */
export function checkOrigin({ request, front }: RequestContext, allowed: readonly string[] | '*'): void {
  const { origin } = request.headers
  if (origin === undefined || allowed === '*' || allowed.includes(origin) || isOwn(origin, front)) return
  throw forbidden(`the origin ${origin} may not open this WebSocket`)
}

function isOwn(origin: string, { host, protocol, isProtocolTold }: Front): boolean {
  const schemes = isProtocolTold || protocol === 'https' ? [protocol] : ['http', 'https']
  return schemes.some(scheme => {
    const own = `${scheme}://${host}`
    return URL.canParse(own) && new URL(own).origin === origin
  })
}
