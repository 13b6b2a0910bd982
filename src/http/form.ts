import type { Readable } from 'node:stream'
import type { ParamDeclaration } from '../declare/metadata.js'
import type { BodyOptions } from '../declare/params.js'
import type { FileOptions, FilesOptions } from '../declare/uploads.js'
import { unsupportedMediaType } from '../errors.js'
import type { OpenBody, RequestContext } from '../pipeline/request-context.js'
import { PartReader, type PartTaker } from './multipart.js'
import { FileReceiver, MemoryReceiver, type Receiver, StreamReceiver } from './receivers.js'
import { readOverAtEnd } from './unread.js'
import { type Fields, type Upload, type UploadHead, Uploads } from './upload.js'
import { checkTotal, exceeds, refused, type UploadLimits } from './upload-limits.js'

interface FormOptions {
  /** The parameters that ask for parts of it. */
  readonly asks: readonly ParamDeclaration[]
  readonly limits: UploadLimits
  /** Lets a peer that waits for `100 Continue` send it. */
  readonly goOn: () => void
}

/**
 * Reads a multipart form for the parameters that ask for parts of it: to its end, or, where uploads go to the handler as
 * they come, until the first of them begins. Its temporary files are removed when the exchange is over.
 * @throws HttpError 400, 413, 415 or 422
 */
export async function readForm(context: RequestContext, { asks, limits, goOn }: FormOptions): Promise<OpenBody> {
  const { request } = context
  const whenReplied = readOverAtEnd(context)
  checkTotal(Number(request.headers['content-length'] ?? 0), limits)
  const form = new Form(asks, limits, context.bodyLimit)
  const reader = new PartReader(request, limits, form, received => context.hearProgress(received))
  form.fail = error => reader.fail(error)
  whenReplied(() => reader.fail(new Error('the exchange is over')))
  context.atEnd(() => form.removeFiles())
  goOn()
  const read = reader.done.then(
    () => form.end(),
    (error: Error) => form.abort(error),
  )
  await Promise.race([read, form.begun])
  read.catch(() => {}) // told to who iterates or reads the uploads
  form.freeze()
  return form
}

interface Received {
  readonly ask: ParamDeclaration
  readonly receiver: Receiver
}

/** The parts of one body, by who asks for them. */
class Form implements PartTaker, OpenBody {
  /** Settles when the handler can be called although more comes. */
  readonly begun: Promise<void>
  fail: (error: Error) => void = () => {}
  readonly #fields: Record<string, string | string[]> = Object.create(null)
  readonly #uploads = new Uploads(this.#fields)
  readonly #received: Received[] = []
  readonly #fieldLimit: number
  #fieldBytes = 0
  #before: Fields = this.#fields
  #begin: () => void = () => {}

  constructor(
    private readonly asks: readonly ParamDeclaration[],
    private readonly limits: UploadLimits,
    bodyLimit: number,
  ) {
    const body = asks.find(ask => ask.source === 'body')?.options as BodyOptions | undefined
    this.#fieldLimit = body?.limit ?? bodyLimit
    this.begun = new Promise(resolve => {
      this.#begin = resolve
    })
  }

  field(name: string, value: string): void {
    this.#fieldBytes += Buffer.byteLength(name) + Buffer.byteLength(value)
    const limit = this.#fieldLimit
    if (this.#fieldBytes > limit)
      throw exceeds(`the fields of the form are larger than ${limit} bytes`, limit, 'bodyLimit')
    const there = this.#fields[name]
    if (there === undefined) this.#fields[name] = value
    else if (typeof there === 'string') this.#fields[name] = [there, value]
    else there.push(value)
  }

  file(head: UploadHead, content: Readable): void {
    const ask = this.#askFor(head)
    const { to = 'file' } = optionsOf(ask)
    const receiver = this.#receiverFor(to, head, () => content.resume())
    this.#received.push({ ask, receiver })
    this.#receive(content, receiver, optionsOf(ask).maxSize)
    if (to !== 'stream') return
    this.#uploads.add(receiver.upload)
    this.#begin()
  }

  #receive(content: Readable, receiver: Receiver, maxSize = this.limits.fileSize): void {
    const { name } = receiver.upload
    content
      .on('data', (chunk: Buffer) => {
        const goesOn = receiver.take(chunk)
        if (receiver.upload.size > maxSize)
          this.fail(exceeds(`the upload ${name} is larger than ${maxSize} bytes`, maxSize, 'fileSize'))
        else if (!goesOn) content.pause()
      })
      .on('end', () => receiver.end().catch(() => {}))
  }

  #receiverFor(to: string, head: UploadHead, resume: () => void): Receiver {
    if (to === 'stream') return new StreamReceiver(head, resume)
    if (to === 'memory') return new MemoryReceiver(head)
    return new FileReceiver(head, this.limits.directory, resume, error => this.fail(error))
  }

  /** Who takes an upload. @throws HttpError 413, 415 or 422 before any of it is read */
  #askFor({ name, type }: UploadHead): ParamDeclaration {
    const ask =
      this.asks.find(each => isFile(each) && each.name === name) ??
      this.asks.find(each => each.source === 'files' && each.name === undefined)
    if (ask === undefined) throw refused(name, 'no file is taken under this name')
    const { types, maxCount } = optionsOf(ask)
    const count = this.#received.filter(each => each.ask === ask).length
    if (ask.source === 'file' && count > 0) throw refused(name, 'one file is taken, not several')
    if (maxCount !== undefined && count >= maxCount)
      throw exceeds(`the form has more than ${maxCount} files for ${ask.name ?? 'one parameter'}`, maxCount, 'maxCount')
    if (types !== undefined && !types.some(taken => fits(type, taken)))
      throw unsupportedMediaType(`the file ${name} is ${type}, which is not taken here: send ${types.join(' or ')}`)
    return ask
  }

  /** All parts have come. */
  async end(): Promise<void> {
    await Promise.all(this.#received.map(({ receiver }) => receiver.end()))
    this.#uploads.end()
  }

  /** No more comes. @throws the error */
  abort(error: Error): never {
    for (const { receiver } of this.#received) if (!receiver.upload.readableEnded) receiver.fail(error)
    this.#uploads.end(error)
    throw error
  }

  /** What the handler is given of the fields is what has come by now. */
  freeze(): void {
    this.#before = Object.assign(Object.create(null), this.#fields)
  }

  /** What a parameter is given. @throws ValidationError where its file is missing */
  give(ask: ParamDeclaration): unknown {
    if (ask.source === 'body') return this.#before
    const options = optionsOf(ask)
    if (ask.source === 'files' && options.to === 'stream') return this.#uploads
    const uploads: Upload[] = this.#received.filter(each => each.ask === ask).map(each => each.receiver.upload)
    if (ask.source === 'files') return uploads
    if (uploads.length === 0 && options.optional !== true) throw refused(ask.name ?? '', 'a file is required')
    return uploads[0]
  }

  removeFiles(): void {
    for (const { receiver } of this.#received) if (receiver instanceof FileReceiver) receiver.file.remove()
  }
}

function isFile({ source }: ParamDeclaration): boolean {
  return source === 'file' || source === 'files'
}

function optionsOf(ask: ParamDeclaration): FileOptions & FilesOptions {
  return ask.options ?? {}
}

/** Whether a media type is one of a range (RFC 9110 §12.5.1). */
function fits(type: string, range: string): boolean {
  const taken = range.toLowerCase()
  return taken === type || taken === '*/*' || (taken.endsWith('/*') && type.startsWith(taken.slice(0, -1)))
}
