import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Sink } from '../connections/send-queue.js'
import { chunkedCodec, plainCodec, type StreamCodec } from './encode.js'

/** Where a stream's bytes go, and how they are framed there. */
export interface Outlet {
  readonly sink: Sink
  readonly codec: StreamCodec
}

/**
 * The socket itself, past the response, so that one buffer, chunk framing included, serves all streams; the response,
 * where something stands between it and the socket: middleware that wraps `write`, an earlier response on the same
 * connection that is not done, a protocol that frames by itself.
 */
export function chooseOutlet(response: ServerResponse, socket: Socket): Outlet {
  const direct = response.write === ServerResponse.prototype.write && response.socket === socket
  if (!direct) return { sink: response, codec: plainCodec }
  return { sink: socket, codec: response.req.httpVersion === '1.1' ? chunkedCodec : plainCodec }
}

const vanished = Symbol('vanished')

/** Notes on the socket when it fails, since the response's `close` does not say how it came about. */
export function watchSocket(socket: Socket): void {
  const marked = socket as Socket & { [vanished]?: boolean }
  if (marked[vanished] !== undefined) return
  marked[vanished] = false
  socket.once('error', () => {
    marked[vanished] = true
  })
}

/** Whether the peer was lost (a reset, a failed write), in place of having closed. */
export function hasVanished(socket: Socket): boolean {
  return (socket as Socket & { [vanished]?: boolean })[vanished] === true
}

const streaming = new WeakSet<Socket>()

/** The socket belongs to a stream from now on: what its peer asks for behind it is not answered. */
export function occupy(socket: Socket): void {
  streaming.add(socket)
}

export function isOccupied(socket: Socket): boolean {
  return streaming.has(socket)
}
