import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { parse as parseForm } from 'node:querystring'
import type { ParamDeclaration } from '../declare/metadata.js'
import type { BodyOptions } from '../declare/params.js'
import type { FileOptions, FilesOptions, UploadOptions } from '../declare/uploads.js'
import { badRequest, contentTooLarge, HttpError, unsupportedMediaType } from '../errors.js'
import type { Parameters } from '../pipeline/bind.js'
import { parseJson } from '../pipeline/json.js'
import type { OpenBody, RequestContext } from '../pipeline/request-context.js'
import { noUploads } from './upload.js'
import { limitsOf, refused, withoutUploads } from './upload-limits.js'

/** Fields of a form at the most. */
const FORM_FIELDS = 1000
const MULTIPART = 'multipart/form-data'

const awaitingContinue = new WeakSet<IncomingMessage>()

/** The peer waits for `100 Continue` (RFC 9110 §10.1.1): it gets one when its body is asked for, and not before. */
export function holdContinue(request: IncomingMessage): void {
  awaitingContinue.add(request)
}

/** Compiles how bodies are opened: when they are asked for. */
export function bodyOpener(uploads: UploadOptions = {}): Parameters['openBody'] {
  return asks => {
    const asked: Asked = {
      asks,
      body: asks.find(ask => ask.source === 'body'),
      takesUploads: asks.some(ask => ask.source !== 'body'),
      uploads,
    }
    return context => open(context, asked)
  }
}

/** What the parameters of a handler ask of its body. */
interface Asked {
  readonly asks: readonly ParamDeclaration[]
  readonly body: ParamDeclaration | undefined
  readonly takesUploads: boolean
  /** The application's limits. */
  readonly uploads: UploadOptions
}

/** A body that is one value. Who asks for a file in it is told that there is none. */
class WholeBody implements OpenBody {
  constructor(private readonly value: unknown) {}

  give({ source, name = '', options = {} }: ParamDeclaration): unknown {
    if (source === 'body') return this.value
    if (source === 'files') return (options as FilesOptions).to === 'stream' ? noUploads() : []
    if ((options as FileOptions).optional === true) return undefined
    if (this.value === undefined) throw refused(name, 'a file is required')
    throw notMultipart()
  }
}

const noBody = new WholeBody(undefined)

/** @throws HttpError 400, 413, 415 or 422 */
function open(context: RequestContext, asked: Asked): OpenBody | Promise<OpenBody> {
  const request: IncomingMessage & { readonly body?: unknown } = context.request
  if (!hasBody(request)) return noBody
  const { body, takesUploads } = asked
  if (request.readableEnded) return new WholeBody(readEarlier(request, takesUploads))
  const { limit = context.bodyLimit, as = kindOf(request.headers['content-type']) } = (body?.options ??
    {}) as BodyOptions
  refuseCodings(request)
  if (as === 'multipart') return openForm(context, asked, limit)
  if (body === undefined) throw notMultipart()
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit)
  goOn(context)
  return collect(context, limit, bytes => new WholeBody(read(bytes, as)))
}

async function openForm(
  context: RequestContext,
  { asks, takesUploads, uploads }: Asked,
  limit: number,
): Promise<OpenBody> {
  const { readForm } = await import('./form.js') // busboy is loaded when the first form comes
  const limits = limitsOf(context.route, uploads)
  const goesOn = () => goOn(context)
  return readForm(context, { asks, limits: takesUploads ? limits : withoutUploads(limits, limit), goOn: goesOn })
}

/** Lets a peer that waits for `100 Continue` send its body. */
function goOn({ request, response }: RequestContext): void {
  if (awaitingContinue.delete(request)) response.writeContinue()
}

/** @throws HttpError 415 or 501 for a body that is encoded: nothing is undone here but the chunks, and that by Node.js */
function refuseCodings({ headers }: IncomingMessage): void {
  const { 'content-encoding': content = 'identity', 'transfer-encoding': transfer = 'chunked' } = headers
  if (content.toLowerCase() !== 'identity')
    throw unsupportedMediaType('the body is encoded: send it without Content-Encoding', {
      headers: { 'Accept-Encoding': 'identity' },
    })
  if (transfer.toLowerCase() !== 'chunked')
    throw new HttpError(501, `the transfer coding ${transfer} is not undone here: send the body as it is, or chunked`)
}

function read(bytes: Buffer, as: BodyOptions['as']): unknown {
  if (as === 'raw') return bytes
  const text = decode(bytes)
  if (as === 'text') return text
  if (as === 'form') return readFields(text)
  return bytes.length === 0 ? undefined : parseJson(text)
}

/** Fields tell of a body in HTTP/1.1 (RFC 9112 §6.3), the end of its stream in HTTP/2 (RFC 9113 §8.1). */
export function hasBody(request: IncomingMessage): boolean {
  if (request.httpVersionMajor === 2) return !(request as unknown as Http2ServerRequest).stream.endAfterHeaders
  return Number(request.headers['content-length'] ?? 0) > 0 || request.headers['transfer-encoding'] !== undefined
}

/** Middleware has read the body already, and left it where Express's parsers do. */
function readEarlier(request: { readonly body?: unknown }, withFiles: boolean): unknown {
  if (withFiles) throw new Error('middleware has read the body, and its files: do not read it, or take them from there')
  if ('body' in request) return request.body
  throw new Error('middleware has read the body and left no request.body: do not read it, or leave it there')
}

function notMultipart(): Error {
  return unsupportedMediaType(`files are taken here: send ${MULTIPART}`, { headers: { Accept: MULTIPART } })
}

function tooLarge(limit: number): Error {
  return contentTooLarge(`the body is larger than ${limit} bytes`, { extensions: { limit } })
}

/** @throws HttpError 415 for a type that is not read without being asked for, and for other charsets than UTF-8 */
function kindOf(contentType: string | undefined): 'json' | 'form' | 'text' | 'multipart' {
  if (contentType === 'application/json') return 'json'
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map(part => part.trim())
  const charset =
    parameters
      .find(parameter => parameter.startsWith('charset='))
      ?.slice(8)
      .replaceAll('"', '') ?? 'utf-8'
  if (!['utf-8', 'utf8', 'us-ascii'].includes(charset))
    throw unsupportedMediaType(`the charset ${charset} is not read here: send UTF-8`)
  if (type === 'application/json' || /^application\/[\w.-]+\+json$/.test(type)) return 'json'
  if (type === 'application/x-www-form-urlencoded') return 'form'
  if (type === MULTIPART) return 'multipart'
  if (type.startsWith('text/')) return 'text'
  throw unsupportedMediaType(
    type === '' ? 'the body needs a Content-Type' : `${type} is not read here: send application/json`,
    { headers: { Accept: 'application/json, application/x-www-form-urlencoded, multipart/form-data, text/plain' } },
  )
}

/** What is made of all bytes of the request. Past the limit Node.js reads over the rest, so that the reply is heard. */
function collect(context: RequestContext, limit: number, make: (bytes: Buffer) => OpenBody): Promise<OpenBody> {
  return new Promise((resolve, reject) =>
    new Incoming(limit, { context, make, resolve, reject, chunks: [] }).hear(context.request),
  )
}

/** What has come of a body, and who waits for it. */
interface Awaited {
  readonly context: RequestContext
  readonly make: (bytes: Buffer) => OpenBody
  readonly resolve: (body: OpenBody) => void
  readonly reject: (error: unknown) => void
  readonly chunks: Buffer[]
}

/**
 * A body while it comes. Its listeners stay on the request, since to take four off costs more than all they do; Node.js may
 * keep that as long as the connection, so that they know of nobody any more when it is over.
 */
class Incoming {
  #size = 0

  constructor(
    private readonly limit: number,
    private awaited: Awaited | undefined,
  ) {}

  hear(request: IncomingMessage): void {
    request.on('data', this.#take).on('end', this.#end).on('close', this.#cut).on('error', this.#cut)
    if (request.destroyed && !request.readableEnded) this.#cut()
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.awaited === undefined) return
    this.#size += chunk.length
    if (this.#size > this.limit) return this.#fail(tooLarge(this.limit))
    this.awaited.chunks.push(chunk)
    try {
      this.awaited.context.hearProgress(this.#size)
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #end = (): void => {
    if (this.awaited === undefined) return
    const { chunks, make, resolve } = this.awaited
    try {
      resolve(make(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)))
      this.awaited = undefined
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #cut = (): void => {
    // Every request is closed in the end: an error that nobody waits for is not made, since its stack costs as much as a body.
    if (this.awaited !== undefined) this.#fail(badRequest('the body was cut off'))
  }

  #fail(error: unknown): void {
    this.awaited?.reject(error)
    this.awaited = undefined
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw badRequest('the body is not valid UTF-8')
  }
}

/** Flat: a repeated name gives an array, and brackets in names mean nothing. */
function readFields(text: string): Record<string, unknown> {
  if (text.split('&', FORM_FIELDS + 1).length > FORM_FIELDS)
    throw contentTooLarge(`the form has more than ${FORM_FIELDS} fields`)
  return parseForm(text, '&', '=', { maxKeys: FORM_FIELDS })
}
