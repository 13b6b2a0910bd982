/** The answer to an opening handshake: a 101 on a socket, a 200 on a stream of HTTP/2. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { reset, StreamError } from '../pipeline/lane.js'
import { isKey } from './upgrade.js'

/** What `ws` reads of a handshake, and what becomes of the header lines that it is about to answer with. */
export interface Answering {
  readonly request: IncomingMessage
  readonly answer: (lines: string[]) => void
}

export function onSocket(response: ServerResponse): Answering {
  const answer = (lines: string[]) => {
    for (const [name, value] of fieldsOf(response)) for (const each of [value].flat()) lines.push(`${name}: ${each}`)
  }
  return { request: response.req, answer }
}

/**
 * `ws` answers a handshake of HTTP/1.1 only. Given one that stands for the extended CONNECT it agrees on subprotocol and
 * extensions as ever, and what it has to say of them goes out with `:status` 200 (RFC 8441 §5), in place of its first
 * write: the 101.
 */
export function onStream(response: ServerResponse, stream: ServerHttp2Stream): Answering {
  const { headers } = response.req
  const key = isKey(headers['sec-websocket-key']) ? headers['sec-websocket-key'] : undefined
  const asked = { ...headers, upgrade: 'websocket', 'sec-websocket-key': key ?? ANY_KEY }
  const answer = (lines: string[]) => {
    const agreed = lines.slice(1).map(line => line.split(/: /, 2) as [string, string])
    const isSaid = (name: string) => AGREED.test(name) || (key !== undefined && name === 'Sec-WebSocket-Accept')
    const fields: Record<string, string | string[]> = Object.fromEntries(agreed.filter(([name]) => isSaid(name)))
    for (const [name, value] of fieldsOf(response)) fields[name] = value
    stream.respond({ ':status': 200, ...fields })
    stream.write = () => {
      delete (stream as { write?: unknown }).write
      return true
    }
  }
  return { request: { method: 'GET', headers: asked } as unknown as IncomingMessage, answer }
}

/**
 * Once `ws` has said all, nothing more is heard. A peer ends its half of the stream, as it would close its side of TCP;
 * one that does not is told that it may (RFC 9113 §8.1). At once would be before it can answer a close frame.
 */
export function closeBothWays(stream: ServerHttp2Stream): void {
  stream.once('finish', () => {
    const timer = setTimeout(() => reset(stream, StreamError.none), HALF_CLOSE_PATIENCE).unref()
    stream.once('close', () => clearTimeout(timer))
  })
}

/** Milliseconds that a peer has to end its half of a stream when ours is ended. */
const HALF_CLOSE_PATIENCE = 1000

/** A key for `ws`, where HTTP/2 has none. Some peers send one all the same (undici does), and then wait for what answers it. */
export const ANY_KEY = Buffer.alloc(16).toString('base64')

/** Of the fields of a 101, those that HTTP/2 has, too. */
const AGREED = /^sec-websocket-(protocol|extensions)$/i

/** Fields that the answer has of its own, or cannot have. */
const OWN_FIELDS = /^(connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i

const NO_FIELDS: [name: string, value: string | string[]][] = []

/** What middleware and guards set on the response goes out with the answer (cookies, security headers). */
function fieldsOf(response: ServerResponse): [name: string, value: string | string[]][] {
  const names = response.getHeaderNames()
  if (names.length === 0) return NO_FIELDS
  return names
    .filter(name => !OWN_FIELDS.test(name))
    .map(name => {
      const value = response.getHeader(name)
      return [name, Array.isArray(value) ? value : String(value)]
    })
}
