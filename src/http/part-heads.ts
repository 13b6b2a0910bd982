import { badRequest } from '../errors.js'
import { exceeds, type UploadLimits } from './upload-limits.js'

const CR = 0x0d
const LF = 0x0a
const DASH = 0x2d

/**
 * Counts the parts of a multipart body and the bytes of each part's header section, ahead of the parser: busboy allows
 * 16 KiB for one, whatever is asked for, and does not tell a large one from a broken one. (RFC 2046 §5.1.1)
 */
export class PartHeads {
  readonly #delimiter: Buffer
  /** How much of a delimiter the content has come to so far. What is before the first may be no more than the rest of it. */
  #begun = 2
  /** Where we are: in content, right behind a delimiter (and what came there), in a header section, or behind it all. */
  #in: 'content' | 'delimiter' | 'head' | 'epilogue' = 'content'
  #behind = 0
  #size = 0
  /** How much of the CR LF CR LF that ends a header section has come. */
  #ending = 0
  #parts = 0
  #end = 0
  /** Whether content is that of a part, as it is from the end of a header section to the next delimiter. */
  #isOfPart = false

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

  /** How many bytes of what was read last are not of the epilogue. */
  get end(): number {
    return this.#end
  }

  /**
   * Answers how many bytes, from the first on, go on with the content of a part that had begun before: not those of a
   * delimiter, nor what may become one.
   * @throws HttpError 400 or 413
   */
  read(chunk: Buffer): number {
    const goesOn = this.#isOfPart && this.#in === 'content' && this.#begun === 0
    let at = goesOn ? this.#skipContent(chunk, 0) : 0
    const more = goesOn ? at - (this.#in === 'content' ? this.#begun : this.#delimiter.length) : 0
    while (at < chunk.length && this.#in !== 'epilogue') {
      if (this.#in === 'content') at = this.#skipContent(chunk, at)
      else this.#readByte(chunk[at++] ?? 0)
    }
    this.#end = at
    return more
  }

  /** Answers the place behind the delimiter that ends the content; the end of this chunk, where none has come. */
  #skipContent(chunk: Buffer, from: number): number {
    const delimiter = this.#delimiter
    if (this.#begun > 0) {
      const next = chunk.subarray(from, from + delimiter.length - this.#begun)
      if (next.equals(delimiter.subarray(this.#begun, this.#begun + next.length))) {
        this.#begun += next.length
        if (this.#begun === delimiter.length) this.#delimit()
        return from + next.length
      }
    }
    const found = chunk.indexOf(delimiter, from)
    if (found === -1) {
      this.#begun = this.#beginningIn(chunk.subarray(Math.max(from, chunk.length - delimiter.length + 1)))
      return chunk.length
    }
    this.#delimit()
    return found + delimiter.length
  }

  /** How much of a delimiter some content ends with. A delimiter has one CR, at its beginning. */
  #beginningIn(content: Buffer): number {
    const at = content.lastIndexOf(CR)
    const last = at === -1 ? 0 : content.length - at
    return last > 0 && content.subarray(at).equals(this.#delimiter.subarray(0, last)) ? last : 0
  }

  #delimit(): void {
    this.#begun = 0
    this.#isOfPart = false
    this.#in = 'delimiter'
    this.#behind = 0
  }

  #readByte(byte: number): void {
    if (this.#in === 'delimiter') this.#readDelimiter(byte)
    else if (this.#ending < 4) this.#readHead(byte)
    else this.#readBehindHead(byte)
  }

  #readHead(byte: number): void {
    this.#lookForDelimiter(byte)
    if (++this.#size > this.limits.headerSize) {
      const { headerSize } = this.limits
      throw exceeds(`the header of a part is larger than ${headerSize} bytes`, headerSize, 'headerSize')
    }
    if (byte === (this.#ending % 2 === 0 ? CR : LF)) this.#ending++
    else this.#ending = byte === CR ? 1 : 0
  }

  /** The CR LF that ends a header section may be that of a delimiter: it is content when it has not become one. */
  #readBehindHead(byte: number): void {
    this.#lookForDelimiter(byte)
    if (this.#begun > 2) return
    this.#in = 'content'
    this.#isOfPart = true
  }

  /**
   * busboy takes a delimiter out of a header section, and reads on: what is behind it would be content, and where the body
   * ends there, a file would never end.
   * @throws HttpError 400
   */
  #lookForDelimiter(byte: number): void {
    this.#begun = byte === this.#delimiter[this.#begun] ? this.#begun + 1 : byte === CR ? 1 : 0
    if (this.#begun === this.#delimiter.length)
      throw badRequest('a delimiter is in the header section of a part, or right behind it (RFC 2046 §5.1.1)')
  }

  /** Two dashes end the body, CR LF begins the next part's header section; all else was no delimiter. */
  #readDelimiter(byte: number): void {
    if (this.#behind === CR && byte === LF) {
      this.#in = 'head'
      this.#begun = 2
      this.#size = 0
      this.#ending = 0
      const { parts } = this.limits
      if (++this.#parts > parts) throw exceeds(`the body has more than ${parts} parts`, parts, 'parts')
    } else if (this.#behind === 0 && (byte === CR || byte === DASH)) this.#behind = byte
    else if (this.#behind === DASH && byte === DASH) this.#in = 'epilogue'
    else {
      this.#in = 'content'
      this.#begun = byte === CR ? 1 : 0
    }
  }
}
