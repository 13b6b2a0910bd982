/** What goes out behind a head: as it is, or compressed. */
import type { ServerResponse } from 'node:http'
import type { Coding } from '../declare/routes.js'
import { chooseCoding, type Encoder, offeredFor, openEncoder, weaken } from '../pipeline/coding.js'
import { isOver } from '../pipeline/lane.js'
import type { RequestContext } from '../pipeline/request-context.js'
import { dropField, fieldOf, type Head, setField, writeHead } from './head.js'

/**
 * The coding that the content behind a head is to be sent in; undefined for as it is.
 * @param size bytes of the content. @default what `Content-Length` says, where it does
 */
export function codingOf({ response, route }: RequestContext, head: Head, size?: number): Coding | undefined {
  const field = (name: string) => fieldOf(response, head, name)
  const length = () => size ?? (field('Content-Length') === undefined ? undefined : Number(field('Content-Length')))
  return chooseCoding({ response, status: head.status, field, length, options: route.options.compression })
}

/** Chooses the coding, and makes the head speak of it. */
export function encodeHead(context: RequestContext, head: Head, size?: number): Coding | undefined {
  const { response, route } = context
  if (offeredFor(response, route.options.compression) === false) return undefined
  const coding = codingOf(context, head, size)
  if (coding === undefined) return undefined
  setField(head, 'Content-Encoding', coding)
  const tag = fieldOf(response, head, 'ETag')
  if (tag !== undefined) setField(head, 'ETag', weaken(String(tag)))
  for (const name of ['Content-Length', 'Accept-Ranges']) dropField(response, head, name)
  return coding
}

/** Writes the head of what is sent item by item. How that is framed, Node.js knows, and no field (RFC 9112 §6.2). */
export function writeStreamHead(response: ServerResponse, head: Head): void {
  const { method, httpVersion } = response.req
  const isWhole = method === 'HEAD' || httpVersion === '1.0' || fieldOf(response, head, 'Content-Length') !== undefined
  dropField(response, head, 'Transfer-Encoding')
  if (isWhole) dropField(response, head, 'Trailer')
  writeHead(response, head)
}

/** The content of a response, item by item. Its head goes out with the first. */
export class Content {
  readonly #response: ServerResponse
  #encoder: Encoder | undefined
  /** Whether the response takes what the encoder gives. */
  #goesOn = true
  /** Bytes that `Content-Length` promises, and that have not come; undefined where it is not given. */
  #left: number | undefined

  constructor(
    private readonly context: RequestContext,
    private readonly head: Head,
    /** Hears of what fails while nobody waits for what was written. */
    private readonly failed: (error: unknown) => void,
  ) {
    this.#response = context.response
  }

  /** Answers a promise where there is something to wait for: until the peer has taken enough, or has left. */
  write(chunk: string | Uint8Array): Promise<void> | undefined {
    const response = this.#response
    if (!response.headersSent) this.#begin(chunk)
    else this.#count(chunk)
    const encoder = this.#encoder
    if (encoder !== undefined)
      return this.#settled(encoder, done => {
        encoder.stream.write(chunk)
        encoder.flush(done)
      })
    const goesOn = response.write(chunk)
    flush(response)
    return goesOn ? undefined : drainOrClose(response)
  }

  async end(): Promise<void> {
    if (!this.#response.headersSent) this.#promise()
    if (this.#left !== undefined && this.#left > 0) throw mismatch()
    const encoder = this.#encoder
    if (encoder !== undefined)
      await this.#settled(encoder, done => {
        encoder.stream.once('end', done)
        encoder.stream.end()
      })
    if (!this.#response.headersSent) writeStreamHead(this.#response, this.head)
    this.#response.end()
  }

  /** Nothing more is to be sent: no compressor is left behind. */
  destroy(): void {
    this.#encoder?.stream.destroy()
  }

  #promise(): void {
    const length = fieldOf(this.#response, this.head, 'Content-Length')
    if (length !== undefined) this.#left = Number(length)
  }

  /** What is longer or shorter than was said is an error: it would be taken for a part of another reply (RFC 9112 §6.3, RFC 9113 §8.1.1). */
  #count(chunk: string | Uint8Array): void {
    if (this.#left === undefined) return
    this.#left -= Buffer.byteLength(chunk)
    if (this.#left < 0) throw mismatch()
  }

  #begin(first: string | Uint8Array): void {
    const coding = encodeHead(this.context, this.head)
    this.#promise()
    this.#count(first)
    writeStreamHead(this.#response, this.head)
    if (coding === undefined) return
    const response = this.#response
    response.on('drain', () => {
      this.#goesOn = true
    })
    this.#encoder = openEncoder(coding)
    const { stream } = this.#encoder
    stream.on('error', this.failed).on('data', (bytes: Buffer) => {
      try {
        this.#goesOn = response.write(bytes)
        flush(response)
      } catch (error) {
        stream.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  /** Waits for what `run` has begun, then for the response, and no longer than the compressor lives. */
  #settled({ stream }: Encoder, run: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (stream.destroyed) return stream.errored === null ? resolve() : reject(stream.errored)
      const settle = (then: () => void) => {
        stream.off('close', resolve).off('error', fail)
        then()
      }
      const fail = (error: Error) => settle(() => reject(error))
      stream.once('close', resolve).once('error', fail)
      run(() => settle(() => resolve(this.#goesOn ? undefined : drainOrClose(this.#response))))
    })
  }
}

function mismatch(): Error {
  return new RangeError('its content is not as long as its Content-Length says')
}

/** Middleware that compresses holds items back until it is told not to (the convention of `compression`). */
function flush(response: ServerResponse & { readonly flush?: unknown }): void {
  if (typeof response.flush === 'function') response.flush()
}

/** `drain` never comes on a closed response, so both are awaited. */
function drainOrClose(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    if (isOver(response)) return resolve()
    response.on('drain', settle).on('close', settle)
  })
}
