import type { FileHandle } from 'node:fs/promises'
import type { Source } from '../connections/sources.js'
import type { Span } from './ranges.js'

const CHUNK = 65_536

/** Bytes of the file, or bytes between them. */
export type Part = Span | Uint8Array

export function lengthOf(part: Part): number {
  return part instanceof Uint8Array ? part.length : part.end - part.start
}

/** Reads what was promised: neither more nor, without failing, less. The file is closed at its end. */
export class FileSource implements Source {
  readonly #parts: Part[]
  /** Bytes of the first part that were read. */
  #read = 0

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    parts: readonly Part[],
  ) {
    this.#parts = parts.filter(part => lengthOf(part) > 0)
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const [part] = this.#parts
    if (part === undefined) {
      await this.handle.close()
      return { done: true, value: undefined }
    }
    const value = part instanceof Uint8Array ? part : await this.#readFrom(part)
    if (value === undefined) return { done: true, value }
    this.#read += value.length
    if (this.#read === lengthOf(part)) {
      this.#parts.shift()
      this.#read = 0
    }
    return { done: false, value }
  }

  /** Undefined where the file was let go meanwhile. */
  async #readFrom({ start, end }: Span): Promise<Uint8Array | undefined> {
    const position = start + this.#read
    try {
      const chunk = Buffer.allocUnsafe(Math.min(end - position, CHUNK))
      const { bytesRead } = await this.handle.read(chunk, { position })
      if (bytesRead > 0) return chunk.subarray(0, bytesRead)
      throw new Error(`${this.path} became shorter while it was sent`)
    } catch (error) {
      if (this.#parts.length === 0) return undefined
      await this.handle.close()
      throw error
    }
  }

  return(): Promise<void> {
    this.#parts.length = 0
    return this.handle.close()
  }
}
