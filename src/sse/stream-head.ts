import type { ServerResponse } from 'node:http'
import type { Sink } from '../connections/sink.js'
import type { Coding, SseOptions } from '../declare/routes.js'
import { chooseStreamCoding } from '../pipeline/coding.js'
import { isShared, type Lane } from '../pipeline/lane.js'
import type { HeaderValue } from '../pipeline/reply.js'
import { chooseOutlet, type Outlet } from './outlet.js'

/** The head of every stream. */
export const streamHead = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  Connection: 'close',
}

const fields = Object.entries(streamHead).map(([name, value]) => ({ name, value, key: name.toLowerCase() }))

/** The same as Node.js writes it at once, where nobody has set a field: with the end of the connection, and without. */
const closing = fields.flatMap(({ name, value }) => [name, value])
const kept = fields.flatMap(({ name, value }) => (name === 'Connection' ? [] : [name, value]))

/** The head of one stream, as long as it is not out: what it is going to say, and where the stream goes behind it. */
export class StreamHead {
  readonly sink: Sink
  readonly outlet: Outlet
  readonly #coding: Coding | undefined
  /** Names of fields that are not to be what they are for every stream, in lower case. */
  #own: Set<string> | undefined
  #isKept = false

  /** @param refuse answers the request with an error in its place */
  constructor(
    private readonly response: ServerResponse,
    private readonly lane: Lane,
    public status: number,
    { compression = false }: SseOptions,
    readonly refuse: (error: unknown) => void,
  ) {
    this.#coding = compression ? chooseStreamCoding(response) : undefined
    ;[this.sink, this.outlet] = chooseOutlet(response, lane, this.#coding)
  }

  setHeader(name: string, value: HeaderValue): void {
    this.response.setHeader(name, value)
    const key = name.toLowerCase()
    if (key === 'connection') return
    this.#own ??= new Set()
    this.#own.add(key)
  }

  /**
   * Does not say that the connection ends with the stream, where it need not: the end of a chunked stream is told by its
   * last chunk. Answers whether that is so.
   */
  keepConnection(): boolean {
    const { response, lane } = this
    this.#isKept = !isShared(lane) && response.socket === lane && response.useChunkedEncodingByDefault
    return this.#isKept
  }

  write(): void {
    const { response } = this
    if (this.#coding === undefined && response.getHeaderNames().length === 0) {
      response.writeHead(this.status, this.#isKept ? kept : closing)
      return response.flushHeaders()
    }
    for (const { name, key, value } of fields)
      if (this.#own?.has(key) !== true && (key !== 'connection' || !this.#isKept)) response.setHeader(name, value)
    if (this.#coding !== undefined) response.setHeader('Content-Encoding', this.#coding)
    response.writeHead(this.status)
    response.flushHeaders()
  }
}
