import type { IncomingMessage } from 'node:http'
import type { RequestContext } from '../pipeline/request-context.js'

/** Bytes that are read over at the most, where a body is not wanted: more would cost more than another connection. */
const READ_OVER = 8_388_608

/**
 * Deals with what is left of a body when the reply is out. A peer may send it all before it listens, so closing at once
 * could cost it the reply (RFC 9112 §9.6): what is left is read over, and the connection goes on; past a budget, it ends.
 * Answers a function that names what is to stop first.
 */
export function readOverAtEnd({ request, response }: RequestContext): (stop: () => void) => void {
  let stopReading = () => {}
  request.read(0) // Node would read over what nobody has begun to read, without end
  response.once('finish', () => {
    stopReading()
    readOver(request)
  })
  return stop => {
    stopReading = stop
  }
}

function readOver(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return
  let left = READ_OVER
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) request.destroy()
  })
  request.resume()
}
