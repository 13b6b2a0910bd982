import { EventEmitter } from 'node:events'
import type { Sink } from '../connections/sink.js'
import type { Coding } from '../declare/routes.js'
import { ServerResponse } from '../node-http.js'
import { giveToLane, isShared, type Lane } from '../pipeline/lane.js'
import { chunkedCodec, plainCodec, type StreamCodec } from './encode.js'
import { EncodedSink } from './encoded-sink.js'

/** How a stream's bytes are framed, and what stands between them and the lane. */
export interface Outlet {
  readonly codec: StreamCodec
  /** Calls back when what was written has come as far as the lane. */
  letOut(done: () => void): void
  /** Whether it writes past the response, which then has nothing more to do. */
  readonly isDirect?: boolean
  /** The compressor, where there is one: it has to be heard out before the response ends. */
  readonly encoded?: EncodedSink
}

/**
 * Nothing tells when middleware has let out what it holds back. So somebody looks, each so many milliseconds: it has when
 * something came, and then so many looks found nothing more; or, where nothing comes at all, after the most of them.
 */
const LOOK = { every: 20, silent: 10, most: 50 }

/**
 * The lane itself, past the response, so that one buffer, chunk framing included, serves all streams; the response,
 * where something stands between it and the lane: middleware that wraps `write`, or an earlier response on the same
 * socket that is not done. HTTP/2 frames by itself.
 */
export function chooseOutlet(response: ServerResponse, lane: Lane, coding: Coding | undefined): [Sink, Outlet] {
  const chunked = response.req.httpVersion === '1.1'
  // RFC 9112 §6.1: no Transfer-Encoding to HTTP/1.0, not even to one that says it would take it.
  if (!chunked && !isShared(lane)) response.useChunkedEncodingByDefault = false
  if (coding !== undefined) return compressed(response, coding)
  if (isShared(lane)) return Object.hasOwn(response, 'write') ? through(response) : [lane, plainly]
  const direct = response.write === ServerResponse.prototype.write && response.socket === lane
  if (direct) return [lane, chunked ? inChunks : plainly]
  return through(response)
}

function compressed(response: ServerResponse, coding: Coding): [Sink, Outlet] {
  const encoded = new EncodedSink(response, coding)
  const letOut = (done: () => void) =>
    encoded.flush(() => {
      giveToLane(response)
      done()
    })
  return [encoded, { codec: plainCodec, encoded, letOut }]
}

/** Nothing stands there: one for all streams that write to their lanes themselves. */
const inChunks: Outlet = { codec: chunkedCodec, isDirect: true, letOut: done => done() }
const plainly: Outlet = { codec: plainCodec, isDirect: true, letOut: done => done() }

function through(response: ServerResponse): [Sink, Outlet] {
  const sink = new ResponseSink(response)
  return [sink, { codec: plainCodec, letOut: done => sink.letOut(done) }]
}

/** A response as a sink, whatever middleware has put in front of its `write`, its `drain` and its `flush`. */
class ResponseSink implements Sink {
  #full = false
  #waiting: (() => void)[] = []
  /** Undefined where there is none, or none any more: one that has thrown is not called again. */
  #flush: (() => void) | undefined
  #toFlush = false
  /** Bytes that had left before what is to be flushed was written. */
  #before = 0
  #failed: (error: unknown) => void = () => {}

  constructor(private readonly response: ServerResponse) {
    const drained = () => {
      this.#full = false
      for (const listener of this.#waiting.splice(0)) listener()
    }
    // What wraps `write` may wrap `on`, too, and tell of its own buffer: both are heard, its and the response's.
    response.on('drain', drained)
    EventEmitter.prototype.on.call(response, 'drain', drained)
    // `compression` gives responses a method that lets out what it holds back: called once for what a turn has written.
    const { flush } = response as { flush?: () => void }
    this.#flush = Object.hasOwn(response, 'flush') ? flush?.bind(response) : undefined
  }

  get writableLength(): number {
    return this.response.writableLength
  }

  get writableNeedDrain(): boolean {
    return this.#full || this.response.writableNeedDrain
  }

  get writableHighWaterMark(): number {
    return this.response.writableHighWaterMark
  }

  write(bytes: Buffer): boolean {
    if (!this.#toFlush) this.#flushSoon()
    this.#full = this.response.write(bytes) === false
    return !this.#full
  }

  once(_event: 'drain', listener: () => void): void {
    this.#waiting.push(listener)
  }

  letOut(done: () => void): void {
    if (this.#flush === undefined) {
      giveToLane(this.response)
      return done()
    }
    const { socket } = this.response.req
    const before = this.#toFlush ? this.#before : socket.bytesWritten
    this.#flush()
    let last = before
    let silent = 0
    let looks = 0
    const look = () => {
      silent = socket.bytesWritten === last ? silent + 1 : 0
      last = socket.bytesWritten
      if (++looks < LOOK.most && (last === before || silent < LOOK.silent)) return
      clearInterval(timer)
      done()
    }
    const timer = setInterval(look, LOOK.every).unref()
  }

  onFailure(failed: (error: unknown) => void): void {
    this.#failed = failed
  }

  #flushSoon(): void {
    if (this.#flush === undefined) return
    this.#toFlush = true
    this.#before = this.response.req.socket.bytesWritten
    setImmediate(() => {
      this.#toFlush = false
      try {
        this.#flush?.()
      } catch (error) {
        this.#flush = undefined
        this.#failed(error)
      }
    })
  }
}
