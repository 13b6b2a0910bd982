/** Requests and replies of HTTP/2, made those that the rest, and middleware, know from HTTP/1.1. Loads `node:http2`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { ReadableOptions } from 'node:stream'
import { reset, StreamError } from '../pipeline/lane.js'

/** A request as the rest expects it. */
export class Http2Request extends Http2ServerRequest {
  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    options: ReadableOptions,
    raw: readonly string[],
  ) {
    super(stream, headers, options, raw)
    completeRequest(this)
  }
}

function completeRequest(request: Http2ServerRequest): void {
  const { headers, stream } = request
  // RFC 9113 §8.3.1: what HTTP/1.1 says by Host.
  if (headers[':authority'] !== undefined) headers.host ??= headers[':authority']
  // RFC 9112 §6.3: what it says by this field, and HTTP/2 by the stream, of a body without a length. Body parsers look for it.
  if (!stream.endAfterHeaders && request.method !== 'CONNECT' && headers['content-length'] === undefined)
    headers['transfer-encoding'] = 'chunked'
  // A body that was cut off must not pass for a short one: Node's own would end the request here.
  stream.prependListener('close', () => {
    if (stream.rstCode !== StreamError.none || stream.aborted) request.destroy()
  })
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
export class Http2Response extends Http2ServerResponse {
  constructor(stream: ServerHttp2Stream) {
    super(stream)
    completeResponse(this)
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

function completeResponse(response: Http2ServerResponse): void {
  // Node's own says nothing of a reply to HEAD that its peer gives up.
  response.stream.once('close', () => {
    if (response.req.method === 'HEAD' && !response.writableEnded) response.emit('close')
  })
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

/** Makes ours of the request and the reply that another server has made, and are Node's own. */
export function adopt(request: IncomingMessage, response: ServerResponse): void {
  const [asked, replied] = [request as unknown as Http2ServerRequest, response as unknown as Http2ServerResponse]
  if (Object.getPrototypeOf(asked) === Http2ServerRequest.prototype) {
    Object.setPrototypeOf(asked, Http2Request.prototype)
    completeRequest(asked)
  }
  if (Object.getPrototypeOf(replied) !== Http2ServerResponse.prototype) return
  Object.setPrototypeOf(replied, Http2Response.prototype)
  completeResponse(replied)
}
