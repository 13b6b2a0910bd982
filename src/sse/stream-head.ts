import type { ServerResponse } from 'node:http'
import type { Sink } from '../connections/send-queue.js'
import type { Coding, SseOptions } from '../declare/routes.js'
import { chooseStreamCoding } from '../pipeline/coding.js'
import type { Lane } from '../pipeline/lane.js'
import type { HeaderValue } from '../pipeline/reply.js'
import { chooseOutlet, type Outlet } from './outlet.js'

/** The head of every stream. */
export const streamHead = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  Connection: 'close',
}

/** The head of one stream, as long as it is not out: what it is going to say, and where the stream goes behind it. */
export class StreamHead {
  readonly sink: Sink
  readonly outlet: Outlet
  readonly #coding: Coding | undefined
  readonly #fields = new Set<string>()

  /** @param refuse answers the request with an error in its place */
  constructor(
    private readonly response: ServerResponse,
    lane: Lane,
    public status: number,
    { compression = false }: SseOptions,
    readonly refuse: (error: unknown) => void,
  ) {
    this.#coding = compression ? chooseStreamCoding(response) : undefined
    ;[this.sink, this.outlet] = chooseOutlet(response, lane, this.#coding)
  }

  setHeader(name: string, value: HeaderValue): void {
    this.response.setHeader(name, value)
    if (name.toLowerCase() !== 'connection') this.#fields.add(name.toLowerCase())
  }

  write(): void {
    const { response } = this
    for (const [name, value] of Object.entries(streamHead))
      if (!this.#fields.has(name.toLowerCase())) response.setHeader(name, value)
    if (this.#coding !== undefined) response.setHeader('Content-Encoding', this.#coding)
    response.writeHead(this.status)
    response.flushHeaders()
  }
}
