/** A file as the content of a reply: whole, in part, or not at all where the peer has it. */
import { randomBytes } from 'node:crypto'
import { basename, extname } from 'node:path'
import type disposition from 'content-disposition'
import type mimeTypes from 'mime-types'
import { HttpError, notFound } from '../errors.js'
import type { Logger } from '../logger.js'
import { weaken } from '../pipeline/coding.js'
import { isOver } from '../pipeline/lane.js'
import { lazily } from '../pipeline/lazily.js'
import { addVary } from '../pipeline/negotiate.js'
import type { RequestContext } from '../pipeline/request-context.js'
import type { Fail } from '../pipeline/serving.js'
import { checkConditions, holdsRange, type Validators } from './conditions.js'
import { codingOf } from './content.js'
import type { FileBody } from './file.js'
import { FileSource, lengthOf, type Part } from './file-source.js'
import { type FoundFile, findFile } from './find-file.js'
import { dropField, fieldOf, type Head, hasContent, setField } from './head.js'
import { readRanges, type Span } from './ranges.js'
import { sendStream } from './stream-reply.js'

const contentDisposition = lazily<typeof disposition>('content-disposition')
const mime = lazily<typeof mimeTypes>('mime-types')

/** Milliseconds within which a file may change again without being seen to: as long, its tag is a weak one. */
const CLOCK_TICK = 1000

/** @throws HttpError 404, 412, 416 or 503, before anything is sent; `fail` hears what goes wrong later */
export async function sendFile(context: RequestContext, body: FileBody, head: Head, logger: Logger, fail: Fail) {
  const { request, response } = context
  if (body.options.precompressed === true) addVary(response, 'Accept-Encoding')
  const found = await findFile(body, String(request.headers['accept-encoding'] ?? ''))
  if (found === 'folder') throw notFound()
  await sendFound(context, found, body, head, logger, fail)
}

/** Sends an open file, and closes it whatever happens. */
export async function sendFound(
  context: RequestContext,
  found: FoundFile,
  body: FileBody,
  head: Head,
  logger: Logger,
  fail: Fail,
): Promise<void> {
  if (isOver(context.response)) return found.handle.close()
  let parts: Part[]
  try {
    parts = describe(context, found, body, head)
  } catch (error) {
    await found.handle.close()
    throw error
  }
  sendStream(context, new FileSource(found.handle, body.path, parts), head, logger, fail)
}

/** Completes the head, and says what follows it. */
function describe(context: RequestContext, found: FoundFile, body: FileBody, head: Head & { status: number }): Part[] {
  const { response, method, request } = context
  const whole = spanOf(found, body)
  const size = whole.end - whole.start
  addFields(context, found, body, head)
  if (!hasContent(head.status)) return []
  setField(head, 'Content-Length', size)
  if (head.status !== 200 || (method !== 'GET' && method !== 'HEAD')) return [whole]
  setField(head, 'Accept-Ranges', 'bytes')
  const { range, 'if-range': ifRange } = request.headers
  const validators = validatorsOf(found, body, fieldOf(response, head, 'ETag'))
  const asked =
    method === 'GET' && holdsRange(ifRange as string | undefined, validators) ? readRanges(range, size) : undefined
  // What is compressed on the way out are other bytes each time: its tag is weak, in a 304 as well.
  const isEncoded = asked === undefined && codingOf(context, head) !== undefined
  setField(head, 'ETag', isEncoded ? weaken(validators.etag) : validators.etag)
  setField(head, 'Last-Modified', validators.lastModified)
  const condition = checkConditions(request.headers, validators)
  if (condition === 412) throw new HttpError(412)
  if (condition === 304) {
    head.status = 304
    for (const name of Object.keys(head.headers))
      if (/^content-|^accept-ranges$/i.test(name)) dropField(response, head, name)
    return []
  }
  return asked === undefined ? [whole] : partsOf(asked, whole, context, head)
}

/** @throws RangeError where the file has no such bytes */
function spanOf({ size }: FoundFile, { path, options }: FileBody): Span {
  const { offset: start = 0, length = size - start } = options
  if (start > size || start + length > size)
    throw new RangeError(`${path} has ${size} bytes: there are none from ${start} to ${start + Math.max(length, 0)}`)
  return { start, end: start + length }
}

/**
 * The tag is strong: it is made of the size and of the time of the last change, to the nanosecond, and where the file may
 * have changed within the tick of the clock, it is a weak one. So ranges can be resumed (RFC 9110 §13.1.5, §8.8.3).
 */
function validatorsOf({ tag, modified }: FoundFile, { options }: FileBody, given: unknown): Validators {
  const { offset = 0, length = '' } = options
  const part = options.offset === undefined && options.length === undefined ? '' : `-${offset}+${length}`
  const now = Date.now()
  const etag = `"${tag}${part}"`
  const own = now - modified.getTime() < CLOCK_TICK ? weaken(etag) : etag
  return {
    etag: given === undefined ? own : String(given),
    lastModified: new Date(Math.min(modified.getTime(), now)).toUTCString(),
  }
}

/** What is said of a file unless the reply, or middleware, says otherwise. */
function addFields({ response }: RequestContext, { coding }: FoundFile, { path, options }: FileBody, head: Head): void {
  const { maxAge, immutable, download = false } = options
  const age = maxAge === undefined ? 'no-cache' : `max-age=${Math.floor(maxAge / 1000)}`
  const fields: Record<string, string> = {
    'Content-Type': mime().contentType(extname(path)) || 'application/octet-stream',
    'Cache-Control': immutable === true ? `${age}, immutable` : age,
    'X-Content-Type-Options': 'nosniff',
    ...(coding === undefined ? {} : { 'Content-Encoding': coding }),
    ...(download === false
      ? {}
      : { 'Content-Disposition': contentDisposition()(download === true ? basename(path) : download) }),
  }
  for (const [name, value] of Object.entries(fields))
    if (fieldOf(response, head, name) === undefined) setField(head, name, value)
}

/** One part as it is, several as `multipart/byteranges` (RFC 9110 §14.6). @throws HttpError 416 */
function partsOf(
  asked: readonly Span[],
  whole: Span,
  { response }: RequestContext,
  head: Head & { status: number },
): Part[] {
  const size = whole.end - whole.start
  const [first] = asked
  if (first === undefined) throw new HttpError(416, '', { headers: { 'Content-Range': `bytes */${size}` } })
  head.status = 206
  const spans = asked.map(({ start, end }) => ({ start: whole.start + start, end: whole.start + end }))
  const nameRange = ({ start, end }: Span) => `bytes ${start}-${end - 1}/${size}`
  if (asked.length === 1) {
    setField(head, 'Content-Range', nameRange(first))
    setField(head, 'Content-Length', first.end - first.start)
    return spans
  }
  const boundary = randomBytes(18).toString('hex')
  const type = fieldOf(response, head, 'Content-Type')
  const parts: Part[] = spans.flatMap((span, index) => {
    const range = nameRange(asked[index] ?? span)
    const line = `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${range}\r\n\r\n`
    return [Buffer.from(line, 'latin1'), span]
  })
  parts.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  setField(head, 'Content-Type', `multipart/byteranges; boundary=${boundary}`)
  setField(
    head,
    'Content-Length',
    parts.reduce((sum, part) => sum + lengthOf(part), 0),
  )
  return parts
}
