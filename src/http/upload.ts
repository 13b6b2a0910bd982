import { Readable } from 'node:stream'
import { writeWhole } from './temporary-files.js'

/**
 * Bytes that the parser, and an upload behind it, hold before they ask for a pause. A socket brings 64 KiB at a time, which
 * is more than streams hold by themselves on Node.js 20: the socket was stopped and started again for each (`upload`).
 */
export const AHEAD = 131_072

/** What the header section of an upload says, as far as it is believed (RFC 7578 §4.2, §4.4). */
export interface UploadHead {
  readonly name: string
  readonly filename: string | undefined
  readonly type: string
}

/** Where the bytes of an upload are. @internal */
export interface Content {
  /** Bytes that have come so far. */
  readonly size: number
  readonly path?: string
  /** Lets more of it come: pushes into the upload, and `null` behind the last. */
  read(upload: Upload): void
  /** It is read no further. */
  letGo(): void
  /** All of it, where that is shorter than to read it. */
  bytes?(): Promise<Buffer>
  moveTo?(path: string): Promise<void>
}

/** A file of a multipart form. It is a stream of its bytes, read at the pace of whoever reads. */
export class Upload extends Readable {
  /** The name of its field. */
  readonly name: string
  /** What the peer calls the file: the last segment of that, without control characters; undefined where it has no name. */
  readonly filename: string | undefined
  /** The media type, in lower case, as the peer says. Nobody has looked into the file. */
  readonly type: string

  /** @internal */
  constructor(
    { name, filename, type }: UploadHead,
    private readonly content: Content,
  ) {
    super({ highWaterMark: AHEAD })
    this.name = name
    this.filename = filename
    this.type = type
    // Nobody need be reading when it fails; whoever reads then or later hears of it.
    this.on('error', () => {})
  }

  /** Bytes: of the whole, or of what has come so far where it is handed over as it arrives. */
  get size(): number {
    return this.content.size
  }

  /** Where the temporary file is, or where it was moved to; undefined for an upload that is in no file. */
  get path(): string | undefined {
    return this.content.path
  }

  /** All bytes, in memory. */
  async bytes(): Promise<Buffer> {
    return this.content.bytes?.() ?? Buffer.concat(await this.toArray())
  }

  /** All of it as UTF-8. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes())
  }

  /**
   * Keeps the upload as a file at this path; one that is there is replaced. It appears whole or not at all, and only its
   * owner may read it (mode 0600). The path is yours: do not make it of `filename` alone.
   */
  moveTo(path: string): Promise<void> {
    return this.content.moveTo?.(path) ?? writeWhole(path, this)
  }

  /** @internal */
  override _read(): void {
    this.content.read(this)
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.content.letGo()
    done(error)
  }
}

/** The non-file parts of a multipart form: flat, without a prototype; a repeated name gives an array. */
export type Fields = Readonly<Record<string, string | string[]>>

/**
 * The uploads of a form, one after the other, while they arrive. Read each before you ask for the next: what is left of
 * it then is passed over.
 */
export class Uploads implements AsyncIterableIterator<Upload> {
  readonly #arrived: Upload[] = []
  #current: Upload | undefined
  #waiting: (() => void)[] = []
  #isOver = false
  #failure: Error | undefined

  /** @internal */
  constructor(
    /** What fields have come so far; all of them once the last upload was iterated. */
    readonly fields: Fields,
  ) {}

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @throws HttpError 400, 413, 415 or 422 for what is wrong with what comes */
  async next(): Promise<IteratorResult<Upload, undefined>> {
    this.#passOver()
    while (this.#arrived.length === 0 && !this.#isOver) await new Promise<void>(resolve => this.#waiting.push(resolve))
    if (this.#failure !== undefined) throw this.#failure
    this.#current = this.#arrived.shift()
    return this.#current === undefined ? { done: true, value: undefined } : { done: false, value: this.#current }
  }

  /** No more of them are wanted. */
  async return(): Promise<IteratorResult<Upload, undefined>> {
    this.#passOver()
    this.#isOver = true
    for (const upload of this.#arrived.splice(0)) upload.destroy()
    this.#wake()
    return { done: true, value: undefined }
  }

  /** @internal */
  add(upload: Upload): void {
    if (this.#isOver) return void upload.destroy()
    this.#arrived.push(upload)
    this.#wake()
  }

  /** No more come. @internal */
  end(failure?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#failure = failure
    this.#wake()
  }

  #passOver(): void {
    if (this.#current === undefined || this.#current.readableEnded) return
    this.#current.destroy(new Error(`the upload ${this.#current.name} was passed over: read it before the next`))
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** What is iterated where no form came. */
export function noUploads(): Uploads {
  const none = new Uploads(Object.create(null))
  none.end()
  return none
}
