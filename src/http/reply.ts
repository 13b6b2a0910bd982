/** The only place that writes replies: what a handler answered, or why it did not. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type Source, sourceOf } from '../connections/sources.js'
import { HttpError, NotSentError } from '../errors.js'
import { type Logger, nameExchange } from '../logger.js'
import { compressWhole, offeredFor } from '../pipeline/coding.js'
import { Refusal } from '../pipeline/endpoint.js'
import { type Lacks, writeJson } from '../pipeline/json.js'
import { cutBehind, giveToLane, isOver, laneOf } from '../pipeline/lane.js'
import { Reply } from '../pipeline/reply.js'
import type { RequestContext } from '../pipeline/request-context.js'
import type { Fail } from '../pipeline/serving.js'
import { encodeHead, writeStreamHead } from './content.js'
import { FileBody } from './file.js'
import { sendFile } from './file-reply.js'
import { fieldOf, type Head, hasContent, isUnsaid, setField } from './head.js'
import { letGo, sendStream } from './stream-reply.js'
import { readWeb } from './web-body.js'
import { type Content, writePlain, writeWhole } from './whole.js'

/**
 * Writes what a handler answered. `fail` hears what goes wrong later, in a source that is sent item by item.
 * @throws what cannot be written, as long as nothing was
 */
export function sendReply(context: RequestContext, answer: unknown, logger: Logger, fail: Fail): void {
  if (answer instanceof Error) throw answer
  const { response, route } = context
  const given = answer instanceof Reply ? answer : undefined
  const { body, status = route.status, headers } = readWeb(given === undefined ? answer : given.body, given, route.name)
  const source = Array.isArray(body) ? undefined : sourceOf(body)
  const head = { status: status ?? 200, headers: { ...headers } as OutgoingHttpHeaders }
  if (isOver(response)) return source && letGo(source, route, logger)
  if (given !== undefined) setCookies(context, given, source, logger)
  if (source !== undefined) return sendStream(context, source, head, logger, fail)
  if (body instanceof FileBody) return void sendFile(context, body, head, logger, fail).catch(fail)
  if (answer === undefined && hasContent(head.status)) throw new NotSentError(route.name)
  const [content, type] = encode(body, route.name)
  if (typeof content === 'string' && type !== undefined && isPlain(context, head))
    return writePlain(response, head.status, type, content)
  if (type !== undefined && fieldOf(response, head, 'Content-Type') === undefined) setField(head, 'Content-Type', type)
  writeEncoded(context, head, content, fail)
}

/** @throws TypeError for a cookie that cannot be sent; what was to be sent with it is let go */
function setCookies(context: RequestContext, { cookies }: Reply, source: Source | undefined, logger: Logger): void {
  try {
    for (const { name, value, ...cookie } of cookies) context.setCookie(name, value, cookie)
  } catch (error) {
    if (source !== undefined) letGo(source, context.route, logger)
    throw error
  }
}

/** A whole body, and the media type that it has unless the reply says its own. */
function encode(body: unknown, handler: string): [Content | undefined, string | undefined] {
  if (body === undefined) return [undefined, undefined]
  if (typeof body === 'string') return [body, 'text/plain; charset=utf-8']
  const bytes = asBytes(body)
  return bytes === undefined
    ? [writeJson(body, notReturned, handler), 'application/json']
    : [bytes, 'application/octet-stream']
}

/** Whether text goes out as it is, behind a head that says how long it is and of what type, and no more. */
function isPlain({ response, route }: RequestContext, head: Head): boolean {
  return (
    hasContent(head.status) && isUnsaid(response, head) && offeredFor(response, route.options.compression) === false
  )
}

function asBytes(body: unknown): Buffer | undefined {
  if (body instanceof ArrayBuffer) return Buffer.from(body)
  return ArrayBuffer.isView(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : undefined
}

const notReturned: Lacks = (body, handler, why, cure) =>
  why === undefined
    ? `${handler} returned a ${typeof body}, which has no JSON form`
    : `${handler} returned what has no JSON form (${why}): return ${cure}`

/** Compressed where that was agreed on; the head says so for HEAD, too, but for the length (RFC 9110 §9.3.2). */
function writeEncoded(context: RequestContext, head: Head, body: Content | undefined, fail: Fail): void {
  const { response, method } = context
  if (body === undefined || !hasContent(head.status)) return writeWhole(response, head, body)
  const coding = encodeHead(context, head, Buffer.byteLength(body))
  if (coding === undefined) return writeWhole(response, head, body)
  if (method === 'HEAD') {
    writeStreamHead(response, head)
    return void response.end()
  }
  compressWhole(Buffer.from(body as string), coding)
    .then(compressed => {
      if (!isOver(response)) writeWhole(response, head, compressed)
    })
    .catch(fail)
}

/**
 * Answers with an error, as a problem detail (RFC 9457). What an `HttpError` says is for the peer; what it has as its
 * cause, and every other error, is for the log, and the peer hears 500 and nothing else. Where the head is out already,
 * the response is cut. Never throws.
 */
export function refuse(context: RequestContext, error: unknown, logger: Logger): void {
  const { response, method } = context
  const name = () => nameExchange(context.route, context)
  const answer = error instanceof Refusal ? error.reply : error
  const isMeant = answer instanceof Reply || answer instanceof HttpError
  if (!isMeant) logger.error(`${method} ${name()} failed`, error)
  else if (answer instanceof HttpError && answer.cause !== undefined)
    logger[answer.status < 500 ? 'warn' : 'error'](`${method} ${name()} answered ${answer.status}`, answer)
  if (response.headersSent && !response.writableEnded) return cut(response)
  const tell = (refusal: HttpError | Reply) => {
    if (refusal instanceof Reply) return sendReply(context, refusal, logger, late => refuse(context, late, logger))
    if (!isOver(response)) writeProblem(context, refusal)
  }
  try {
    tell(isMeant ? answer : new HttpError(500))
  } catch (unwritable) {
    logger.error(`${method} ${name()}: its refusal cannot be written`, unwritable)
    tell(new HttpError(500))
  }
}

/** Ends the exchange behind what was sent, without the end of the reply: the peer knows that it has not got it whole. */
function cut(response: ServerResponse): void {
  if (response.socket === null) return void response.destroy()
  giveToLane(response)
  cutBehind(laneOf(response))
}

const PROBLEM = 'application/problem+json'

/** Fields that speak of a body that is not sent now. */
const OF_THE_BODY =
  /^(content-(type|length|encoding|language|location|range|disposition)|etag|last-modified|accept-ranges)$/

function writeProblem(context: RequestContext, { status, headers, problem }: HttpError): void {
  const { response } = context
  const head = { status, headers: { ...headers } as OutgoingHttpHeaders }
  const text = JSON.stringify(problem)
  // A head that could not be written leaves its reason phrase behind, and so does who meant another status.
  response.statusMessage = ''
  if (isUnsaid(response, head)) return writePlain(response, status, PROBLEM, text)
  for (const name of response.getHeaderNames()) if (OF_THE_BODY.test(name)) response.removeHeader(name)
  setField(head, 'Content-Type', PROBLEM)
  writeWhole(response, head, text)
}
