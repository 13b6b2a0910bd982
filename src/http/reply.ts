/** The only place that writes replies: what a handler answered, or why it did not. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { sourceOf } from '../connections/sources.js'
import { HttpError, NotSentError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { RequestContext } from '../pipeline/context.js'
import { Refusal } from '../pipeline/endpoint.js'
import { Reply } from '../pipeline/reply.js'
import { sendStream } from './stream-reply.js'

/** Statuses whose replies have no content (RFC 9110 §6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** Writes what a handler answered. @throws what cannot be written, as long as nothing was */
export function sendReply(context: RequestContext, answer: unknown, logger: Logger): void {
  const { response, route } = context
  if (response.destroyed || response.writableEnded) return
  if (answer instanceof HttpError || answer instanceof Refusal) return refuse(context, answer, logger)
  const given = answer instanceof Reply ? answer : undefined
  const body = given === undefined ? answer : given.body
  const status = given?.status ?? route.status ?? 200
  const headers = { ...given?.headers } as OutgoingHttpHeaders
  if (body === undefined) {
    if (given === undefined && !BODILESS.has(status)) throw new NotSentError(route.name)
    return writeWhole(response, status, headers, undefined, undefined)
  }
  if (typeof body === 'string')
    return writeWhole(response, status, headers, 'text/plain; charset=utf-8', Buffer.from(body))
  const bytes = asBytes(body)
  if (bytes !== undefined) return writeWhole(response, status, headers, 'application/octet-stream', bytes)
  const source = Array.isArray(body) ? undefined : sourceOf(body)
  if (source === undefined)
    return writeWhole(response, status, headers, 'application/json', Buffer.from(toText(body, route.name)))
  sendStream(context, source, status, headers, error => refuse(context, error, logger))
}

function asBytes(body: unknown): Buffer | undefined {
  if (body instanceof ArrayBuffer) return Buffer.from(body)
  return ArrayBuffer.isView(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : undefined
}

function toText(body: unknown, handler: string): string {
  const text: string | undefined = JSON.stringify(body)
  if (text === undefined) throw new TypeError(`${handler} returned a ${typeof body}, which has no JSON form`)
  return text
}

function writeWhole(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  type: string | undefined,
  body: Buffer | undefined,
): void {
  if (type !== undefined && !hasHeader(response, headers, 'content-type')) headers['Content-Type'] = type
  if (!BODILESS.has(status)) headers['Content-Length'] = body?.length ?? 0
  response.writeHead(status, headers)
  response.end(BODILESS.has(status) ? undefined : body)
}

export function hasHeader(response: ServerResponse, headers: OutgoingHttpHeaders, name: string): boolean {
  return response.hasHeader(name) || Object.keys(headers).some(key => key.toLowerCase() === name)
}

/**
 * Answers with an error, as a problem detail (RFC 9457). What is not an `HttpError` is a fault of ours: it is logged, and
 * the peer hears 500 and nothing else. Where the head is out already, the response is cut.
 */
export function refuse(context: RequestContext, error: unknown, logger: Logger): void {
  if (error instanceof Refusal) return sendReply(context, error.reply, logger)
  if (error instanceof Reply) return sendReply(context, error, logger)
  const { response, route } = context
  const heard = error instanceof HttpError ? error : new HttpError(500)
  if (heard.status >= 500) logger.error(`${context.method} ${route.name} failed`, error)
  if (response.destroyed || response.writableEnded) return
  if (response.headersSent) return void response.destroy()
  for (const name of response.getHeaderNames())
    if (/^(content-|etag|last-modified)/.test(name)) response.removeHeader(name)
  const body = Buffer.from(JSON.stringify(heard.problem))
  const headers = { ...heard.headers, 'Content-Type': 'application/problem+json' } as OutgoingHttpHeaders
  try {
    writeWhole(response, heard.status, headers, undefined, body)
  } catch (unwritable) {
    logger.error(`${route.name}: the header fields of an error cannot be written`, unwritable)
    writeWhole(
      response,
      500,
      { 'Content-Type': 'application/problem+json' },
      undefined,
      Buffer.from(JSON.stringify(new HttpError(500).problem)),
    )
  }
}
