/** What a server of Node's hands over, whatever protocol it speaks. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { holdContinue } from '../http/body.js'
import { refuseUpgrade } from '../websocket/upgrade.js'

export interface Handlers {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  readonly upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void
  /** A CONNECT of HTTP/2. */
  readonly connect: (request: IncomingMessage, response: ServerResponse) => void
}

/** Hands the requests of any HTTP server to the application; of one of HTTP/2 the CONNECTs, too. */
export function attachHandlers(server: Server, { handle, upgrade, connect }: Handlers): void {
  server.on('request', handle)
  server.on('upgrade', upgrade as (request: IncomingMessage, socket: unknown, head: Buffer) => void)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    holdContinue(request)
    handle(request, response)
  })
  if ('updateSettings' in server)
    server.on('connect', (request: IncomingMessage, response: unknown) => {
      if (request.httpVersionMajor === 2) connect(request, response as ServerResponse)
      // With HTTP/1.1 it is the socket, of which Node.js would have made an end, too, if nobody heard of it.
      else if (server.listenerCount('connect') === 1) (response as Socket).destroy()
    })
}

/** How large a header section may be. */
export interface HeaderLimits {
  readonly maxHeaders: number
  readonly maxHeaderSize: number
}

/**
 * Header sections that are too large are 431 (RFC 6585 §5), where Node.js lets them through: version 20 drops the fields
 * past its limit, and over HTTP/2 the limits that it is given are only those above which it resets the stream.
 */
export function bounded({ handle, upgrade, connect }: Handlers, { maxHeaders, maxHeaderSize }: HeaderLimits): Handlers {
  const hasTooMany = ({ rawHeaders, httpVersionMajor }: IncomingMessage) =>
    rawHeaders.length - 2 * pseudoFields(rawHeaders) > 2 * maxHeaders ||
    (httpVersionMajor === 2 && sizeOf(rawHeaders) > maxHeaderSize)
  const refuse = (response: ServerResponse) => response.writeHead(431, { Connection: 'close' }).end()
  return {
    handle(request, response) {
      if (hasTooMany(request)) refuse(response)
      else handle(request, response)
    },
    upgrade(request, socket, head) {
      if (hasTooMany(request)) refuseUpgrade(socket, '431 Request Header Fields Too Large')
      else upgrade(request, socket, head)
    },
    connect(request, response) {
      if (hasTooMany(request)) refuse(response)
      else connect(request, response)
    },
  }
}

/** How many fields stand for the request line, before all others (RFC 9113 §8.3). */
function pseudoFields(rawHeaders: readonly string[]): number {
  let count = 0
  while (rawHeaders[2 * count]?.startsWith(':')) count++
  return count
}

/** The size of a header section, as HTTP/2 counts it (RFC 9113 §10.5.1). */
function sizeOf(rawHeaders: readonly string[]): number {
  let size = 16 * rawHeaders.length
  for (const each of rawHeaders) size += each.length
  return size
}
