/** Takes a multipart body apart (RFC 7578), by busboy, and holds it to its limits. */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { MIMEType } from 'node:util'
import busboy, { type Busboy } from 'busboy'
import { badRequest, unsupportedMediaType } from '../errors.js'
import { PartHeads } from './part-heads.js'
import { AHEAD, type UploadHead } from './upload.js'
import { checkTotal, exceeds, type UploadLimits } from './upload-limits.js'

/** Takes the parts, as they come. What it throws ends the reading. */
export interface PartTaker {
  field(name: string, value: string): void
  /** Whoever takes an upload reads its content to the end. */
  file(head: UploadHead, content: Readable): void
}

/** One body that is read. Whatever goes wrong, `done` is rejected, once, and the taker hears of nothing more. */
export class PartReader {
  /** Settles when all parts have been taken, and read. @throws HttpError 400, 413 or 415, and what the taker throws */
  readonly done: Promise<void>
  readonly #parser: Busboy
  readonly #heads: PartHeads
  #received = 0
  /** Parts that the parser has handed over. */
  #taken = 0
  /** The content of the last of them, where that is a file. */
  #content: Readable | undefined
  /** Decides about a file that may be none. */
  #decide = () => {}
  #isOver = false
  #settle: (error?: Error) => void = () => {}

  /**
   * @param heard is told how many bytes have come
   * @throws HttpError 400
   */
  constructor(
    private readonly request: IncomingMessage,
    private readonly limits: UploadLimits,
    private readonly taker: PartTaker,
    private readonly heard: (received: number) => void,
  ) {
    const boundary = boundaryOf(request.headers['content-type'] ?? '')
    this.#heads = new PartHeads(boundary, limits)
    this.#parser = this.#makeParser(boundary)
    this.done = new Promise((resolve, reject) => {
      this.#settle = error => (error === undefined ? resolve() : reject(error))
    })
    request.on('data', this.#feed).on('end', this.#end).on('close', this.#cut).on('error', this.#cut)
    if (request.destroyed) this.#cut()
  }

  /** Ends the reading. What has not come stays unread. */
  fail(error: unknown): void {
    this.#finish(error instanceof Error ? error : new Error(`the upload failed with ${String(error)}`))
  }

  #makeParser(boundary: string): Busboy {
    const { fieldSize, fields, files } = this.limits
    const parser = busboy({
      headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
      defParamCharset: 'utf8',
      highWaterMark: AHEAD,
      // What reaches these limits is not past them yet: busboy does not tell the two apart.
      limits: { fieldSize: fieldSize + 1, fields, files },
    })
    return parser
      .on('field', (name, value, { valueTruncated }) => this.#try(() => this.#field(name, value, valueTruncated)))
      .on('file', (name, content, { filename, mimeType }) => this.#file(name, content, filename, mimeType))
      .on('filesLimit', () => this.fail(exceeds(`the form has more than ${files} files`, files, 'files')))
      .on('fieldsLimit', () => this.fail(exceeds(`the form has more than ${fields} fields`, fields, 'fields')))
      .on('error', error => this.fail(badRequest(`the multipart body cannot be read: ${(error as Error).message}`)))
      .on('finish', () => this.#finish(this.#passedOver()))
      .on('drain', () => this.#goOn())
  }

  readonly #feed = (chunk: Buffer): void => {
    this.#received += chunk.length
    this.#try(() => {
      checkTotal(this.#received, this.limits)
      const isPast = this.#isPastParser()
      const more = this.#heads.read(chunk)
      this.heard(this.#received)
      if (this.#isOver) return
      const past = isPast ? more : 0
      if (past > 0) this.#content?.push(chunk.subarray(0, past))
      if (!this.#isOver) this.#parse(chunk.subarray(past, this.#heads.end))
    })
  }

  /** busboy is given nothing of the epilogue, in which it would take for parts what comes in one chunk with the end. */
  #parse(chunk: Buffer): void {
    if (chunk.length > 0 && !this.#parser.write(chunk)) this.request.pause()
  }

  /**
   * Whether content that goes on is pushed past the parser, into the stream that it has opened for it: busboy looks for the
   * delimiter byte by byte, in JavaScript, which was two thirds of what an upload cost (`upload`), and `PartHeads` has looked
   * already. Heads, fields, and how a file begins and ends, the parser reads.
   */
  #isPastParser(): boolean {
    return this.#taken === this.#heads.parts && this.#parser.writableLength === 0
  }

  /** Lets more come, unless somebody waits for what there is to be read. */
  #goOn(): void {
    if (!this.#isOver && !this.#parser.writableNeedDrain && this.#content?.isPaused() !== true) this.request.resume()
  }

  readonly #end = (): void => void this.#parser.end()

  readonly #cut = (): void => {
    if (!this.request.readableEnded) this.fail(badRequest('the body was cut off'))
  }

  #field(name: string | undefined, value: string | undefined, isTruncated: boolean): void {
    const { fieldSize } = this.limits
    this.#taken++
    const named = this.#checkName(name)
    if (isTruncated) throw exceeds(`the field ${named} is larger than ${fieldSize} bytes`, fieldSize, 'fieldSize')
    if (value === undefined)
      throw unsupportedMediaType(`the charset of the field ${named} is not read here: send UTF-8`)
    this.taker.field(named, value)
  }

  #file(name: string | undefined, content: Readable, filename: string | undefined, type: string): void {
    this.#decide()
    this.#taken++
    this.#content = content
    content
      .on('error', () => {}) // it fails along with the parser, which tells
      .on('pause', () => this.#isOver || this.request.pause())
      .on('resume', () => this.#goOn())
    const take = () =>
      this.#try(() => this.taker.file({ name: this.#checkName(name), filename: cleaned(filename), type }, content))
    if (this.#isOver) content.resume()
    else if (filename !== undefined) take()
    else this.#decide = unlessEmpty(content, take)
  }

  #checkName(name: string | undefined): string {
    const { fieldNameSize } = this.limits
    if (name === undefined) throw badRequest('a part of the form has no name (RFC 7578 §4.2)')
    if (Buffer.byteLength(name) <= fieldNameSize) return name
    throw exceeds(`a name in the form is larger than ${fieldNameSize} bytes`, fieldNameSize, 'fieldNameSize')
  }

  /** busboy passes over parts whose `Content-Disposition` is not there, is another, or cannot be read. */
  #passedOver(): Error | undefined {
    if (this.#taken === this.#heads.parts) return undefined
    return badRequest('a part of the form has no Content-Disposition of form-data (RFC 7578 §4.2)')
  }

  #try(run: () => void): void {
    if (this.#isOver) return
    try {
      run()
    } catch (error) {
      this.fail(error)
    }
  }

  #finish(error?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    const { request } = this
    request.off('data', this.#feed).off('end', this.#end).off('close', this.#cut).off('error', this.#cut)
    if (error !== undefined) {
      request.pause()
      // Not at once: we may have been called from its midst, and it would go on with what it no longer has.
      process.nextTick(() => this.#parser.destroy(error))
    }
    this.#settle(error)
  }
}

/** The delimiter of the parts: what RFC 2046 §5.1.1 allows, and a little more. @throws HttpError 400 */
function boundaryOf(contentType: string): string {
  const boundary = readType(contentType)?.params.get('boundary')
  if (boundary != null && /^(?!.* $)[ !#-[\]-~]{1,70}$/.test(boundary)) return boundary
  throw badRequest('Content-Type names no boundary of 1 to 70 characters (RFC 2046 §5.1.1)')
}

function readType(contentType: string): MIMEType | undefined {
  try {
    return new MIMEType(contentType)
  } catch {
    return undefined
  }
}

/**
 * A form sends an empty file without a name where none was chosen: that is no upload. Answers what decides at once, for
 * when the next one comes, before which it is to be taken.
 */
function unlessEmpty(content: Readable, take: () => void): () => void {
  let isDecided = false
  const decide = () => {
    if (isDecided) return
    isDecided = true
    content.off('readable', decide)
    if (content.readableLength > 0) take()
    content.resume()
  }
  content.on('readable', decide)
  return decide
}

/** busboy leaves the last segment. Control characters have no place in a name, and may come percent-encoded (RFC 8187). */
function cleaned(filename: string | undefined): string | undefined {
  const name = filename?.replace(/\p{Cc}/gu, '')
  return name === '' || name === '.' || name === '..' ? undefined : name
}
