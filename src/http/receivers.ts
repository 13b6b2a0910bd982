/** Where the bytes of an upload go, one class for each value of `to`. */
import { createReadStream, type ReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { TemporaryFile } from './temporary-files.js'
import { type Content, Upload, type UploadHead } from './upload.js'

/** Takes the bytes of one upload. */
export interface Receiver {
  readonly upload: Upload
  /** Answers whether more may come at once; if not, `resume` is called when it may. */
  take(chunk: Buffer): boolean
  /** Settles when the upload is whole, where it is to be. */
  end(): Promise<void>
  fail(error: Error): void
}

type Resume = () => void

/** In memory. */
export class MemoryReceiver implements Receiver {
  readonly upload: Upload
  readonly #chunks: Buffer[] = []
  readonly #content = {
    size: 0,
    read: (upload: Upload) => this.#hand(upload),
    letGo() {},
    bytes: async () => this.#all(),
  }

  constructor(head: UploadHead) {
    this.upload = new Upload(head, this.#content)
  }

  take(chunk: Buffer): boolean {
    this.#content.size += chunk.length
    this.#chunks.push(chunk)
    return true
  }

  async end(): Promise<void> {}

  fail(): void {
    this.#chunks.length = 0
  }

  /** One buffer, made once: the chunks may be small parts of large ones. */
  #all(): Buffer {
    const [first] = this.#chunks
    if (this.#chunks.length === 1 && first?.length === first?.buffer.byteLength) return first as Buffer
    const all = Buffer.concat(this.#chunks)
    this.#chunks.splice(0, this.#chunks.length, all)
    return all
  }

  #hand(upload: Upload): void {
    upload.push(this.#all())
    upload.push(null)
  }
}

/** In a temporary file. */
export class FileReceiver implements Receiver {
  readonly upload: Upload
  readonly file: TemporaryFile
  readonly #content: FileContent
  #failed: Error | undefined

  /** @param failed hears that the file cannot be written */
  constructor(head: UploadHead, directory: string, resume: Resume, failed: (error: Error) => void) {
    this.file = new TemporaryFile(directory)
    this.file.stream.on('drain', resume).on('error', error => {
      this.#failed = error
      failed(error)
    })
    this.#content = new FileContent(this.file)
    this.upload = new Upload(head, this.#content)
  }

  take(chunk: Buffer): boolean {
    this.#content.size += chunk.length
    return this.file.stream.write(chunk)
  }

  end(): Promise<void> {
    const { stream } = this.file
    return new Promise((resolve, reject) => {
      const settle = () => (this.#failed === undefined ? resolve() : reject(this.#failed))
      if (stream.closed) return settle()
      stream.once('close', settle).end()
    })
  }

  fail(): void {
    this.file.remove()
  }
}

class FileContent implements Content {
  size = 0
  #stream: ReadStream | undefined

  constructor(private readonly file: TemporaryFile) {}

  get path(): string {
    return this.file.path
  }

  read(upload: Upload): void {
    if (this.#stream !== undefined) return void this.#stream.resume()
    const stream = createReadStream(this.path)
    this.#stream = stream
    stream
      .on('data', chunk => upload.push(chunk) || stream.pause())
      .on('end', () => upload.push(null))
      .on('error', error => upload.destroy(error))
  }

  letGo(): void {
    this.#stream?.destroy()
  }

  bytes(): Promise<Buffer> {
    return readFile(this.path)
  }

  moveTo(path: string): Promise<void> {
    return this.file.moveTo(path)
  }
}

/** Straight to the handler, at its pace. What it does not want is read over. */
export class StreamReceiver implements Receiver {
  readonly upload: Upload
  readonly #content: { size: number; read: Resume; letGo: Resume }

  constructor(head: UploadHead, resume: Resume) {
    this.#content = { size: 0, read: resume, letGo: resume }
    this.upload = new Upload(head, this.#content)
  }

  take(chunk: Buffer): boolean {
    this.#content.size += chunk.length
    return this.upload.destroyed || this.upload.push(chunk)
  }

  async end(): Promise<void> {
    this.upload.push(null)
  }

  fail(error: Error): void {
    this.upload.destroy(error)
  }
}
