import type { ServerResponse } from 'node:http'
import type { Sink } from '../connections/sink.js'
import type { Coding } from '../declare/routes.js'
import { type Encoder, openEncoder } from '../pipeline/coding.js'

/**
 * A response behind a compressor of its own. What one turn of the event loop has written is flushed at its end, so that no
 * event waits for the next. While the peer takes nothing the compressor stands still, and so its buffers are bounded.
 */
export class EncodedSink implements Sink {
  readonly #encoder: Encoder
  #waiting: (() => void)[] = []
  /** Whether the compressor, and the response behind it, have enough. */
  #full = false
  #responseFull = false
  #toFlush = false
  #failed: (error: unknown) => void = () => {}

  constructor(
    private readonly response: ServerResponse,
    coding: Coding,
  ) {
    this.#encoder = openEncoder(coding)
    const { stream } = this.#encoder
    stream.on('data', (bytes: Buffer) => {
      if (this.#goesOn(bytes)) return
      this.#responseFull = true
      stream.pause()
    })
    stream.on('error', () => response.destroy())
    stream.on('drain', () => {
      this.#full = false
      this.#drained()
    })
    response.on('drain', () => {
      this.#responseFull = false
      stream.resume()
      this.#drained()
    })
    response.once('close', () => stream.destroy())
  }

  get writableLength(): number {
    const { stream } = this.#encoder
    return stream.writableLength + stream.readableLength + this.response.writableLength
  }

  get writableNeedDrain(): boolean {
    return this.#full || this.#responseFull
  }

  get writableHighWaterMark(): number {
    const { stream } = this.#encoder
    return stream.writableHighWaterMark + stream.readableHighWaterMark + this.response.writableHighWaterMark
  }

  write(bytes: Buffer): boolean {
    const { stream } = this.#encoder
    if (stream.destroyed || stream.writableEnded) return false
    if (!stream.write(bytes)) this.#full = true
    if (!this.#toFlush) this.#flushSoon()
    return !this.writableNeedDrain
  }

  once(_event: 'drain', listener: () => void): void {
    this.#waiting.push(listener)
  }

  onFailure(failed: (error: unknown) => void): void {
    this.#failed = failed
  }

  /** Middleware in front of the response may throw while nobody waits for what is written. There is no more to be had then. */
  #goesOn(bytes: Buffer): boolean {
    try {
      return this.response.write(bytes)
    } catch (error) {
      this.#failed(error)
      this.#encoder.stream.destroy()
      this.response.destroy()
      return false
    }
  }

  /** Compresses to the end, and calls back when the response has it all. */
  end(done: () => void): void {
    const { stream } = this.#encoder
    stream.once('end', done).end()
  }

  /** Calls back when the response has all that was written so far. */
  flush(done?: () => void): void {
    this.#encoder.flush(done)
  }

  #flushSoon(): void {
    this.#toFlush = true
    setImmediate(() => {
      this.#toFlush = false
      const { stream } = this.#encoder
      if (!stream.destroyed && !stream.writableEnded) this.#encoder.flush()
    })
  }

  #drained(): void {
    if (this.writableNeedDrain) return
    for (const listener of this.#waiting.splice(0)) listener()
  }
}
