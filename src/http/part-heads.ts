import { exceeds, type UploadLimits } from './upload-limits.js'

const CR = 0x0d
const LF = 0x0a
const DASH = 0x2d
const NOTHING = Buffer.alloc(0)

/**
 * Counts the parts of a multipart body and the bytes of each part's header section, ahead of the parser: busboy allows
 * 16 KiB for one, whatever is asked for, and does not tell a large one from a broken one. (RFC 2046 §5.1.1)
 */
export class PartHeads {
  readonly #delimiter: Buffer
  /** The end of what was seen of a part's content, where a delimiter may have begun. The first may be the body's beginning. */
  #tail: Buffer = Buffer.from('\r\n')
  /** Where we are: in content, right behind a delimiter (and what came there), in a header section, or behind it all. */
  #in: 'content' | 'delimiter' | 'head' | 'epilogue' = 'content'
  #behind = 0
  #size = 0
  /** How much of the CR LF CR LF that ends a header section has come. */
  #ending = 0
  #parts = 0

  constructor(
    boundary: string,
    private readonly limits: UploadLimits,
  ) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /** How many parts have begun. */
  get parts(): number {
    return this.#parts
  }

  /** @throws HttpError 413 */
  read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && this.#in !== 'epilogue') {
      if (this.#in === 'content') at = this.#skipContent(chunk, at)
      else this.#readByte(chunk[at++] ?? 0)
    }
  }

  /** Answers where the content ends in this chunk. */
  #skipContent(chunk: Buffer, from: number): number {
    const { length } = this.#delimiter
    const beginning = chunk.subarray(from, from + length - 1)
    const seam = this.#tail.length === 0 ? beginning : Buffer.concat([this.#tail, beginning])
    const across = this.#tail.length === 0 ? -1 : seam.indexOf(this.#delimiter)
    const found = across === -1 ? chunk.indexOf(this.#delimiter, from) : across - this.#tail.length + from
    if (found === -1) {
      const end = chunk.length - from < length ? seam : chunk
      const last = end.subarray(-(length - 1))
      // A delimiter has one CR, at its beginning.
      const begun = last.lastIndexOf(CR)
      this.#tail = begun === -1 ? NOTHING : Buffer.from(last.subarray(begun))
      return chunk.length
    }
    this.#tail = NOTHING
    this.#in = 'delimiter'
    this.#behind = 0
    return found + length
  }

  #readByte(byte: number): void {
    if (this.#in === 'delimiter') return this.#readDelimiter(byte)
    if (++this.#size > this.limits.headerSize) {
      const { headerSize } = this.limits
      throw exceeds(`the header of a part is larger than ${headerSize} bytes`, headerSize, 'headerSize')
    }
    if (byte === (this.#ending % 2 === 0 ? CR : LF)) this.#ending++
    else this.#ending = byte === CR ? 1 : 0
    if (this.#ending === 4) this.#in = 'content'
  }

  /** Two dashes end the body, CR LF begins the next part's header section; all else was no delimiter. */
  #readDelimiter(byte: number): void {
    if (this.#behind === CR && byte === LF) {
      this.#in = 'head'
      this.#size = 0
      this.#ending = 0
      const { parts } = this.limits
      if (++this.#parts > parts) throw exceeds(`the body has more than ${parts} parts`, parts, 'parts')
    } else if (this.#behind === 0 && (byte === CR || byte === DASH)) this.#behind = byte
    else if (this.#behind === DASH && byte === DASH) this.#in = 'epilogue'
    else {
      this.#in = 'content'
      if (byte === CR) this.#tail = Buffer.from([CR])
    }
  }
}
