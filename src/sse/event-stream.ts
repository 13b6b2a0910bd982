import type { ServerResponse } from 'node:http'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type CloseReason, checkClose, endsCleanly, type StopOptions } from '../connections/close-reason.js'
import { Connection, type ConnectionPlan } from '../connections/connection.js'
import { corkForTurn, uncorkLater } from '../connections/sink.js'
import type { SseOptions } from '../declare/routes.js'
import type { AskedFor } from '../pipeline/context.js'
import { atEndOfTurn } from '../pipeline/end-of-turn.js'
import { cut, isShared, type Lane, laneOf } from '../pipeline/lane.js'
import { addWatcher, deleteWatcher, hasVanished, occupy, readOver } from '../pipeline/lane-watch.js'
import type { HeaderValue } from '../pipeline/reply.js'
import { then } from '../pipeline/settle.js'
import { event as asEvent, encodeEvent, type StreamCodec, toEvent } from './encode.js'
import { cutAfterFlush, drainRetry, type Exchange, endAndClose, endAndKeep, exchangeOf, failure } from './ending.js'
import { hibernate } from './hibernate.js'
import type { Outlet } from './outlet.js'
import { StreamHead } from './stream-head.js'

/** The last event id of a stream that must not come back: answered with 204 (WHATWG HTML §9.2.3). */
export const STOPPED_ID = 'palomino-stopped'

const opened = Symbol('opened')
type StreamResponse = ServerResponse & { [opened]?: EventStream }

/** In place of a response of which nothing but the lane is left, and of a head that is out. */
const LET_GO = Symbol('let go')
const OUT = Symbol('out')

/** Whose opening this turn of the event loop has brought. */
let awake: EventStream[] = []

function hibernateAll(): void {
  const all = awake
  awake = []
  for (const stream of all) stream.hibernate()
}

/** The listeners of all responses: an opening costs no closure for them (`scale-sse`). */
function onClose(this: StreamResponse): void {
  this[opened]?.left()
}

function onError(this: StreamResponse): void {
  this[opened]?.end({ kind: 'lost' })
}

/** One open event stream (WHATWG HTML §9.2): a response that goes on until one side ends it. */
export class EventStream<Names extends string = string> extends Connection<Names> {
  /** Undefined once it is over. */
  #response: ServerResponse | typeof LET_GO | undefined
  /** Whether the head says nothing against another request on the same connection. */
  #isKept = false
  readonly #outlet: Outlet
  readonly #lane: Lane
  /** Undefined where it will never be out. */
  #head: StreamHead | typeof OUT | undefined
  /** At the last beat: how many writes there were, and for how many beats of either kind that many. */
  #writes = -1
  #silent = 0
  #idle = 0

  /**
   * @param refuse answers the request with an error, where the stream fails before its head
   * @internal
   */
  constructor(asked: AskedFor, plan: ConnectionPlan, response: ServerResponse, refuse: (error: unknown) => void) {
    super(asked, plan)
    const lane = laneOf(response)
    const { status = 200, options } = plan.route
    this.#response = response
    this.#lane = lane
    this.#head = new StreamHead(response, lane, status, options as SseOptions, refuse)
    this.#outlet = this.#head.outlet
    addWatcher(lane, this)
    ;(response as StreamResponse)[opened] = this
    response.on('close', onClose).on('error', onError)
  }

  /** The peer is gone. @internal */
  left(): void {
    this.end({ kind: hasVanished(this.#lane) ? 'lost' : 'peer' })
  }

  /** @internal */
  get codec(): StreamCodec {
    return this.#outlet.codec
  }

  /** Whether the head is out: status and header fields can no longer be set. */
  get started(): boolean {
    return this.#head === OUT
  }

  /** Sets the status of the head. `EventSource` accepts none but 200. @throws Error once the head is out */
  status(status: number): this {
    const head = this.unsent('status')
    if (status < 200 || status > 599 || [204, 205, 304].includes(status))
      throw new RangeError(`${status} is no status for a stream`)
    head.status = status
    return this
  }

  /**
   * Sets a header field of the head, also one that streams have by themselves; but `Connection` is `close`, whatever is
   * set, where nothing is answered behind a stream (RFC 9112 §9.6). @throws Error once the head is out
   */
  setHeader(name: string, value: HeaderValue): this {
    this.unsent('setHeader').setHeader(name, value)
    return this
  }

  private get unsentHead(): StreamHead | undefined {
    return this.#head === OUT ? undefined : this.#head
  }

  private unsent(action: string): StreamHead {
    const head = this.unsentHead
    if (head !== undefined) return head
    throw new Error(
      `${action}: the head of the event stream is out${this.started ? '' : ', or will never be: it ended'}`,
    )
  }

  /** Sends the head now; else it goes out when `open` has settled. What was sent before follows it. */
  start(): void {
    if (!this.started && !this.closed) this.sendHead()
  }

  /** It is fed by a source, which has an end: behind that, its connection is there for the next request. @internal */
  keepConnection(): void {
    this.#isKept = this.unsentHead?.keepConnection() === true
  }

  /** Ends before the head, with nothing sent: the reply is somebody else's. @internal */
  decline(): void {
    this.#response = undefined
    this.#head = undefined
    this.end({ kind: 'stopped' })
  }

  override send(value: unknown): Promise<boolean> {
    if (!this.started && !this.closed && !this.gate.passed) this.gate.waits(this.plan, waitsForHead)
    return super.send(value)
  }

  /** Sends a comment, which peers read over. */
  comment(text: string): Promise<boolean> {
    return this.send({ comment: text })
  }

  /** The head and, in the same write, what `open` returned; then all that was queued meanwhile. */
  protected override sendFirst(send: () => unknown): unknown {
    if (this.started) this.hibernateSoon()
    if (this.closed || this.started) return super.sendFirst(send)
    this.#lane.cork()
    try {
      this.queue.setAside()
      this.start()
      return super.sendFirst(send)
    } finally {
      this.hibernateSoon()
      this.queue.takeBack()
      this.uncorkSoon()
    }
  }

  /** What a source has at once, and the place in a room that was joined, leave with the head. */
  private uncorkSoon(): void {
    if (this.#isKept) return uncorkLater(this.#lane)
    // Streams of HTTP/2 leave together as it is, in what their session writes.
    if (!isShared(this.#lane)) corkForTurn(this.#lane)
    this.#lane.uncork()
  }

  /** The head, and what was queued until now. */
  private sendHead(): void {
    const head = this.unsent('start')
    const { retry } = this.plan.route.options as SseOptions
    head.write()
    occupy(this.#lane)
    this.#head = OUT
    if (retry !== undefined) head.sink.write(this.codec.frame(encodeEvent({ retry })))
    head.sink.onFailure?.(error => this.failed(error))
    this.queue.open(head.sink)
  }

  /** @internal */
  push(value: unknown, waits?: boolean): boolean {
    const event = toEvent(value)
    return this.queue.push(this.codec.frame(encodeEvent(event)), event.event ?? event.type, waits)
  }

  protected override checkOutput(output: StandardSchemaV1, value: unknown): unknown {
    const event = toEvent(value)
    if (!('data' in event)) return value
    return then(super.checkOutput(output, event.data), data => asEvent({ ...event, data }))
  }

  override close(options: StopOptions = {}): void {
    checkClose(options)
    if (options.reconnect === false && !this.closed)
      this.push({ event: 'stop', id: STOPPED_ID, data: { reconnect: false } })
    super.close(options)
  }

  /** One of two beats in a keep-alive period: after two in silence, a comment. @internal */
  keepAlive(): void {
    this.look()
    if (++this.#silent < 2 || !this.started || this.closed || !this.queue.keepsUp) return
    this.queue.push(this.codec.keepAlive)
    this.queue.writes-- // it is no event
    this.#silent = 0
  }

  /** Whatever was written since the last beat begins both counts anew. */
  private look(): void {
    const { writes } = this.queue
    if (writes === this.#writes) return
    this.#writes = writes
    this.#silent = -1
    this.#idle = -1
  }

  /** One of four beats in an idle timeout: after four without an event, the end. @internal */
  watchIdle(): void {
    if (!this.started) return
    this.look()
    if (++this.#idle >= 4) this.end({ kind: 'idle' })
  }

  /** Whose connection is kept needs all that Node.js keeps of it. */
  private hibernateSoon(): void {
    if (!this.#isKept && awake.push(this) === 1) atEndOfTurn(hibernateAll)
  }

  /** Lets go of request and response, where the lane does without them. @internal */
  hibernate(): void {
    const response = this.#response
    if (this.closed || typeof response !== 'object' || !this.started || this.#outlet.isDirect !== true) return
    if (!hibernate(response, this.#lane)) return
    readOver(this.#lane)
    this.#response = LET_GO
  }

  /** What ends the exchange; undefined where it is over. */
  private get exchange(): Exchange | undefined {
    const response = this.#response
    if (response === LET_GO) return exchangeOf(this.#lane, this.codec)
    return response?.writableEnded === true ? undefined : response
  }

  protected finish(reason: CloseReason): void {
    deleteWatcher(this.#lane, this)
    const exchange = this.exchange
    if (exchange === undefined) return
    try {
      if (reason.kind === 'peer' || reason.kind === 'lost') exchange.destroy()
      else if (this.started) this.sayGoodbye(exchange, reason)
      else this.endBeforeHead(exchange, reason)
    } catch (error) {
      // What stands in front of the response failed, or has written a head of its own: there is no end but a cut.
      this.plan.logger.error(`${this.plan.route.name}: its end could not be told`, error)
      exchange.destroy()
    }
    this.#response = undefined
    if (!this.started) this.#head = undefined
  }

  /** A failure is told by a status. A clean end has its head, so that `EventSource` takes it for one, and what was sent. */
  private endBeforeHead(exchange: Exchange, reason: CloseReason): void {
    if (reason.kind === 'failed') return this.unsentHead?.refuse(reason.error)
    if (endsCleanly(reason)) this.sendHead()
    this.sayGoodbye(exchange, reason)
  }

  private sayGoodbye(exchange: Exchange, reason: CloseReason): void {
    if (reason.kind === 'failed') this.queue.push(this.codec.frame(encodeEvent(failure(reason.error))))
    if (reason.kind === 'drain') this.queue.push(this.codec.frame(encodeEvent({ retry: drainRetry() })))
    if (endsCleanly(reason)) this.endCleanly(exchange)
    else if (reason.kind === 'failed') {
      this.queue.finish()
      cutAfterFlush(this.#outlet, this.#lane)
    } else cut(this.#lane)
  }

  private endCleanly(exchange: Exchange): void {
    const { leaving } = this.plan.live.all
    this.queue.finish()
    const response = this.#response
    if (this.#isKept && typeof response === 'object') endAndKeep(response, this.#outlet, this.#lane, leaving)
    else endAndClose(exchange, this.#outlet, this.#lane)
  }
}

/** Who sends in a loop before the head goes out would wait for nothing, and not know why. */
const waitsForHead = (member: string) =>
  `sends, and nothing goes out before ${member} has settled: call stream.start() first, yield from a generator, or return and send by stream.every`
