import { EventEmitter } from 'node:events'
import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Sink } from '../connections/send-queue.js'
import type { Coding } from '../declare/routes.js'
import { chunkedCodec, plainCodec, type StreamCodec } from './encode.js'
import { EncodedSink } from './encoded-sink.js'

/** Where a stream's bytes go, and how they are framed there. */
export interface Outlet {
  readonly sink: Sink
  readonly codec: StreamCodec
  /** The compressor, where there is one: it has to be heard out before the response ends. */
  readonly encoded?: EncodedSink
}

/**
 * The socket itself, past the response, so that one buffer, chunk framing included, serves all streams; the response,
 * where something stands between it and the socket: middleware that wraps `write`, an earlier response on the same
 * connection that is not done, a protocol that frames by itself.
 */
export function chooseOutlet(response: ServerResponse, socket: Socket, coding: Coding | undefined): Outlet {
  const chunked = response.req.httpVersion === '1.1'
  // RFC 9112 §6.1: no Transfer-Encoding to HTTP/1.0, not even to one that says it would take it.
  if (!chunked) response.useChunkedEncodingByDefault = false
  const direct = response.write === ServerResponse.prototype.write && response.socket === socket
  if (coding !== undefined) {
    const encoded = new EncodedSink(response, coding)
    return { sink: encoded, codec: plainCodec, encoded }
  }
  if (!direct) return { sink: new ResponseSink(response), codec: plainCodec }
  return { sink: socket, codec: chunked ? chunkedCodec : plainCodec }
}

/** A response as a sink, whatever middleware has put in front of its `write`, its `drain` and its `flush`. */
class ResponseSink implements Sink {
  #full = false
  #waiting: (() => void)[] = []
  readonly #flush: (() => void) | undefined
  #toFlush = false

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
    this.#full = this.response.write(bytes) === false
    if (!this.#toFlush) this.#flushSoon()
    return !this.#full
  }

  once(_event: 'drain', listener: () => void): void {
    this.#waiting.push(listener)
  }

  #flushSoon(): void {
    if (this.#flush === undefined) return
    this.#toFlush = true
    setImmediate(() => {
      this.#toFlush = false
      this.#flush?.()
    })
  }
}

/** What happens to a socket, told to the streams it carries: its listeners are the same, however many those are. */
class SocketWatch {
  /** Whether the peer was lost (a reset, a failed write), in place of having closed. */
  vanished = false
  /** Whether a stream's head is out, so that all else on this socket is over. */
  occupied = false
  /** Requests that came behind the stream. */
  ignored = 0
  readonly #listeners = new Set<() => void>()

  constructor(socket: Socket) {
    const left = () => {
      for (const listener of [...this.#listeners]) listener()
    }
    socket.once('error', () => {
      this.vanished = true
    })
    socket.once('end', left).once('close', left)
  }

  /** Calls back when the peer has left: after its FIN, or the close. Answers a function that takes that back. */
  onLeft(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

const watches = new WeakMap<Socket, SocketWatch>()

/** The watch of a socket; it begins with the first call. */
export function watchSocket(socket: Socket): SocketWatch {
  const known = watches.get(socket)
  if (known !== undefined) return known
  const watch = new SocketWatch(socket)
  watches.set(socket, watch)
  return watch
}

/** The socket belongs to a stream from now on: no timer for idle sockets cuts it, and nothing behind it is answered. */
export function occupy(socket: Socket): void {
  watchSocket(socket).occupied = true
  socket.setTimeout(0)
}

/** Requests behind a stream that are read over. Node keeps each until the socket closes, so there is an end to it. */
const IGNORED = 16

/** Whether the socket belongs to a stream, so that what was asked for behind it is not answered (RFC 9112 §9.6). */
export function isOccupied(socket: Socket): boolean {
  const watch = watches.get(socket)
  if (watch?.occupied !== true) return false
  if (++watch.ignored > IGNORED) socket.destroy()
  return true
}
