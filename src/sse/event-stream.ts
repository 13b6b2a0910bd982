import type { ServerResponse } from 'node:http'
import type { Socket as NetSocket } from 'node:net'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type CloseReason, endsCleanly, type StopOptions } from '../connections/close-reason.js'
import { Connection, type ConnectionPlan } from '../connections/connection.js'
import type { SseOptions } from '../declare/routes.js'
import type { Handshake } from '../pipeline/context.js'
import type { HeaderValue } from '../pipeline/reply.js'
import { then } from '../pipeline/settle.js'
import { encodeEvent, type StreamCodec, toEvent } from './encode.js'
import { chooseOutlet, hasVanished, type Outlet, occupy } from './outlet.js'

/** The last event id of a stream that must not come back: answered with 204 (WHATWG HTML §9.2.3). */
export const STOPPED_ID = 'palomino-stopped'

/** Milliseconds that a peer has to take what was sent before a clean end. */
const FLUSH_PATIENCE = 5000
/** Milliseconds over which peers are told to come back when the server drains. */
const DRAIN_SPREAD = 2000

/** One open event stream (WHATWG HTML §9.2): a response that goes on until one side ends it. */
export class EventStream<Names extends string = string> extends Connection<Names> {
  #response: ServerResponse | undefined
  readonly #outlet: Outlet
  readonly #socket: NetSocket
  #status: number
  #started = false
  #beats = { writes: -1, silent: 0, keepAlives: 0, events: -1, idle: 0 }

  /** @internal */
  constructor(handshake: Handshake, plan: ConnectionPlan, response: ServerResponse, socket: NetSocket) {
    super(handshake, plan)
    this.#response = response
    this.#socket = socket
    this.#outlet = chooseOutlet(response, socket)
    this.#status = plan.route.status ?? 200
    response.once('close', () => this.end(hasVanished(socket) ? { kind: 'lost' } : { kind: 'peer' }))
    response.on('error', () => this.end({ kind: 'lost' }))
  }

  /** @internal */
  get codec(): StreamCodec {
    return this.#outlet.codec
  }

  /** Whether the head is out: status and header fields can no longer be set. */
  get started(): boolean {
    return this.#started
  }

  /** Sets the status of the head. `EventSource` accepts none but 200. @throws Error once the head is out */
  status(status: number): this {
    this.#head('status')
    if (status < 200 || status > 599 || [204, 205, 304].includes(status))
      throw new RangeError(`${status} is no status for a stream`)
    this.#status = status
    return this
  }

  /** Sets a header field of the head. @throws Error once the head is out */
  setHeader(name: string, value: HeaderValue): this {
    this.#head('setHeader').setHeader(name, value)
    return this
  }

  #head(action: string): ServerResponse {
    if (this.#response !== undefined && !this.started) return this.#response
    throw new Error(`${action}: the head of the event stream is out`)
  }

  /** Sends the head now; else it goes out when `open` has settled. What was sent before follows it. */
  start(): void {
    if (!this.started && !this.closed) this.#open()
  }

  #open(): void {
    this.#sendHead()
    this.queue.open(this.#outlet.sink)
  }

  /** Ends before the head: the reply is somebody else's. @internal */
  decline(): void {
    this.#response = undefined
    this.end({ kind: 'stopped' })
  }

  /** Sends a comment, which peers read over. */
  comment(text: string): Promise<boolean> {
    return this.send({ comment: text })
  }

  /** The head and, in the same write, what `open` returned; then all that was queued meanwhile. */
  protected override sendFirst(send: () => unknown): unknown {
    if (this.closed) return super.sendFirst(() => undefined)
    this.#socket.cork()
    const early = this.queue.takeAll()
    this.start()
    try {
      return super.sendFirst(send)
    } finally {
      this.queue.putBack(early)
      this.#socket.uncork()
    }
  }

  #sendHead(): void {
    const response = this.#head('start')
    const { retry } = this.plan.route.options as SseOptions
    response.writeHead(this.#status, streamHead)
    response.flushHeaders()
    occupy(this.#socket)
    this.#started = true
    if (retry !== undefined) this.#outlet.sink.write(this.codec.frame(encodeEvent({ retry })))
  }

  /** @internal */
  push(value: unknown): boolean {
    const event = toEvent(value)
    return this.queue.push(this.codec.frame(encodeEvent(event)), event.event ?? event.type)
  }

  protected override checkOutput(output: StandardSchemaV1, value: unknown): unknown {
    const event = toEvent(value)
    if (!('data' in event)) return value
    return then(super.checkOutput(output, event.data), data => ({ ...event, data }))
  }

  protected override endWith(options: StopOptions): void {
    if (options.reconnect === false && !this.closed)
      this.push({ event: 'stop', id: STOPPED_ID, data: { reconnect: false } })
    super.endWith(options)
  }

  /** One of two beats in a keep-alive period: after two in silence, a comment. @internal */
  keepAlive(): void {
    const beats = this.#beats
    const { writes, keepsUp } = this.queue
    beats.silent = writes === beats.writes ? beats.silent + 1 : 0
    beats.writes = writes
    if (beats.silent < 2 || !this.started || !keepsUp) return
    this.queue.push(this.codec.keepAlive)
    beats.keepAlives++
    beats.writes = this.queue.writes
    beats.silent = 0
  }

  /** One of four beats in an idle timeout: after four without an event, the end. @internal */
  watchIdle(): void {
    const beats = this.#beats
    const events = this.queue.writes - beats.keepAlives
    beats.idle = events === beats.events ? beats.idle + 1 : 0
    beats.events = events
    if (beats.idle >= 4) this.end({ kind: 'idle' })
  }

  protected finish(reason: CloseReason): void {
    const response = this.#response
    if (response !== undefined && !this.started && endsCleanly(reason)) this.#open()
    this.#response = undefined
    if (response === undefined) return
    if (!this.started) return this.#finishUnopened(reason)
    if (reason.kind === 'peer' || reason.kind === 'lost') return void response.destroy()
    if (reason.kind === 'failed') this.queue.push(this.codec.frame(encodeEvent(failure)))
    if (reason.kind === 'drain')
      this.queue.push(this.codec.frame(encodeEvent({ retry: Math.round(Math.random() * DRAIN_SPREAD) })))
    if (endsCleanly(reason)) this.#endCleanly(response)
    else if (reason.kind === 'failed') this.#cutAfterFlush()
    else this.#socket.destroy()
  }

  /** A failure before the head was answered with an error reply. */
  #finishUnopened({ kind }: CloseReason): void {
    if (kind === 'overflow' || kind === 'linked') this.#socket.destroy()
  }

  #endCleanly(response: ServerResponse): void {
    this.queue.finish()
    response.end()
    this.#destroyAfter(FLUSH_PATIENCE)
  }

  /** The end without the final chunk: the peer knows that it did not get everything. */
  #cutAfterFlush(): void {
    this.queue.finish()
    this.#socket.destroySoon()
    this.#destroyAfter(FLUSH_PATIENCE)
  }

  #destroyAfter(patience: number): void {
    const socket = this.#socket
    if (socket.destroyed) return
    const timer = setTimeout(() => socket.destroy(), patience).unref()
    socket.once('close', () => clearTimeout(timer))
  }
}

/** The last event of a stream whose handler failed: without detail, and without an id. */
const failure = { event: 'error', data: { title: 'Internal Server Error', status: 500 } }

const streamHead = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  Connection: 'close',
}
