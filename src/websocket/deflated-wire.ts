import { deflatedCodec, deflateFrame, isToDeflate } from './deflate.js'
import { DirectWire } from './direct-wire.js'
import type { SocketCodec } from './frame.js'

/**
 * Frames that are compressed are written past `ws`, too, whose sender never compresses. What comes behind a large one waits
 * here while another thread is at it, and so the order of messages is kept.
 */
export class DeflatedWire extends DirectWire {
  readonly #behind: (Buffer | (() => void))[] = []
  /** Bytes that wait, before they are compressed. */
  #waiting = 0
  #isBusy = false
  #listeners: (() => void)[] = []

  readonly #codec: SocketCodec

  constructor(private readonly window: number) {
    super()
    this.#codec = deflatedCodec(window)
  }

  override get codec(): SocketCodec {
    return this.#codec
  }

  override get writableLength(): number {
    return super.writableLength + this.#waiting
  }

  override get writableNeedDrain(): boolean {
    return super.writableNeedDrain || this.#waiting >= this.writableHighWaterMark
  }

  override write(bytes: Buffer): boolean {
    return this.#mayPass(bytes) ? super.write(bytes) : !this.writableNeedDrain
  }

  override writeLast(bytes: Buffer): boolean {
    return this.#mayPass(bytes) ? super.writeLast(bytes) : !this.writableNeedDrain
  }

  override close(code: number, text: string): void {
    if (this.#isBusy) this.#behind.push(() => super.close(code, text))
    else super.close(code, text)
  }

  override once(event: 'drain', listener: () => void): void {
    if (this.#waiting > 0) this.#listeners.push(listener)
    else super.once(event, listener)
  }

  /** Whether bytes need not wait; else they do from here on. */
  #mayPass(bytes: Buffer): boolean {
    if (!this.#isBusy && !isToDeflate(bytes, this.window)) return true
    if (!this.open) return false
    this.#behind.push(bytes)
    this.#waiting += bytes.length
    if (!this.#isBusy) this.#goOn()
    return false
  }

  #goOn(): void {
    for (let next = this.#behind.shift(); next !== undefined; next = this.#behind.shift()) {
      if (typeof next === 'function') next()
      else if (isToDeflate(next, this.window)) return this.#deflate(next)
      else this.#pass(next.length, next)
    }
    this.#isBusy = false
    for (const listener of this.#listeners.splice(0)) {
      if (super.writableNeedDrain) super.once('drain', listener)
      else listener()
    }
  }

  #deflate(bytes: Buffer): void {
    this.#isBusy = true
    deflateFrame(bytes, this.window, frame => {
      this.#pass(bytes.length, frame)
      this.#goOn()
    })
  }

  #pass(waited: number, frame: Buffer): void {
    this.#waiting -= waited
    super.write(frame)
  }
}
