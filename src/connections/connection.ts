import type { StandardSchemaV1 } from '@standard-schema/spec'
import { HttpError } from '../errors.js'
import { nameExchange } from '../logger.js'
import type { AskedFor, ContextKey, Handshake, Params, QueryValues, State } from '../pipeline/context.js'
import { runIn, type Scope } from '../pipeline/current.js'
import { readOutput } from '../pipeline/validate.js'
import { onAbort } from './abort.js'
import { type CloseReason, checkClose, isEcho, type StopOptions, withCode } from './close-reason.js'
import type { Codec } from './codec.js'
import { idsOf, lastEventIdOf, type Placed } from './cursor.js'
import { allOf, type Few, withOne, withoutOne } from './few.js'
import { Mailbox, type Task } from './mailbox.js'
import { OnDemand } from './on-demand.js'
import { OpeningGate, passed } from './opening-gate.js'
import type { Plan } from './plan.js'
import { type Ending, sendReturned } from './returned.js'
import { SendQueue } from './send-queue.js'
import { unsent } from './sending.js'
import { later, repeat } from './timers.js'

/** What an event source or a socket class may do when its connection hears something. */
export interface ConnectionHandlers {
  info?(message: never, connection: never): unknown
  close?(reason: CloseReason, connection: never): unknown
}

/** How the connections of a route are run. */
export type ConnectionPlan = Plan<Connection>

/**
 * One open event stream or socket: an actor. Its handlers run one at a time, what belongs to it dies with it, and
 * `close` runs once. Its type may name the values of the path: `Socket<'deck'>` has `params.deck`.
 */
export abstract class Connection<Names extends string = string> extends Mailbox {
  /** @internal */
  readonly queue: SendQueue
  /** @internal */
  remoteAddress: string | undefined
  /** @internal */
  state: State | undefined
  /** Where `currentContext` finds this connection. @internal */
  scope: Scope | undefined
  /** @internal */
  handlers: ConnectionHandlers | undefined
  /** @internal */
  gate: OpeningGate
  #endings: Few<Ending>
  #reason: CloseReason | undefined
  /** In each registry that it was given an id by, the first one first. */
  #places: Few<Placed>
  #onDemand: OnDemand | undefined

  /** @internal */
  constructor(
    /** @internal */
    readonly asked: AskedFor,
    /** @internal */
    readonly plan: ConnectionPlan,
  ) {
    super()
    this.queue = new SendQueue(this)
    this.gate = new OpeningGate(this.queue)
  }

  /** What stays of the request that it was opened with. */
  get handshake(): Handshake {
    return this.onDemand().handshake(this.asked, this.remoteAddress)
  }

  /** Names this connection on every node. */
  get id(): string {
    return this.onDemand().id(this)
  }

  /** Whether one of the ids is its own: nobody knows that of one that was never asked for it, and it is made none. @internal */
  isNamedIn(ids: readonly string[]): boolean {
    return this.#onDemand?.isNamedIn(ids) === true
  }

  private onDemand(): OnDemand {
    this.#onDemand ??= new OnDemand()
    return this.#onDemand
  }

  /** The values of the path, percent escapes undone. */
  get params(): Params<Names> {
    return this.asked.params as Params<Names>
  }

  /** The query that it was opened with; a repeated name gives an array. */
  get query(): QueryValues {
    return this.asked.query
  }

  /** The id of the last event that this peer received before: its `Last-Event-ID`, or `lastEventId` in the query. */
  get lastEventId(): string | undefined {
    return lastEventIdOf(this.asked)
  }

  /** What the guards of the opening left under a key. */
  get<T>(key: ContextKey<T>): T | undefined {
    return this.state?.get(key) as T | undefined
  }

  /** Whether it has ended: what is sent now goes nowhere. */
  get closed(): boolean {
    return this.#reason !== undefined
  }

  /** Why it ended; undefined while it is open. */
  get closeReason(): CloseReason | undefined {
    return this.#reason
  }

  /** Aborts when the connection ends, with its `CloseReason` as the reason. */
  get signal(): AbortSignal {
    return this.onDemand().signal(this.#reason)
  }

  /**
   * Sends one value. Resolves when its bytes were accepted and the peer keeps up: `true`, or `false` when the
   * connection has ended. What cannot be encoded rejects this call, and nothing else; it is logged where nobody waits.
   */
  send(value: unknown): Promise<boolean> {
    if (this.closed) return Promise.resolve(false)
    try {
      const keepsUp = this.push(value)
      return this.closed || keepsUp || !this.started ? Promise.resolve(!this.closed) : this.queue.drained()
    } catch (error) {
      return unsent(error, this)
    }
  }

  /** Ends the connection after what was sent before. A second call does nothing. */
  close(options: StopOptions = {}): void {
    checkClose(options)
    this.end(withCode('stopped', options))
  }

  /** Delivers a message to the `info` handler, behind what waits there. `false` when the connection has ended. */
  tell(message: unknown): boolean {
    const inbox = this.onDemand()
    if (inbox.isFull) this.end({ kind: 'overflow' })
    if (this.closed) return false
    inbox.told++
    this.post(() => {
      inbox.told--
      return this.inform(message)
    })
    return true
  }

  /**
   * Delivers a message to `info` every `ms` milliseconds, for as long as the connection lives. A tick that finds the
   * last one still waiting is left out. Answers a function that stops it.
   */
  every(ms: number, message: unknown): () => void {
    return repeat(ms, () => this.inform(message), this)
  }

  /** Delivers a message to `info` after `ms` milliseconds, if the connection lives. Answers a function that prevents it. */
  after(ms: number, message: unknown): () => void {
    return later(ms, () => this.tell(message), this)
  }

  private inform(message: unknown): unknown {
    return this.closed ? undefined : this.handlers?.info?.(message as never, this as never)
  }

  /** Ends the connection when `signal` aborts. For the other direction there is `connection.signal`. */
  link(signal: AbortSignal): void {
    const abort = () => this.end({ kind: 'linked', cause: signal.reason })
    return signal.aborted ? abort() : this.onEnd({ ended: onAbort(signal, abort) })
  }

  /** @internal */
  onEnd(ending: Ending): void {
    if (this.closed) ending.ended()
    else this.#endings = withOne(this.#endings, ending)
  }

  /** @internal */
  offEnd(ending: Ending): void {
    this.#endings = withoutOne(this.#endings, ending)
  }

  /** Notes how far the peer has come in a registry; answers the id that its next event carries. @internal */
  noteId(place: Placed, id: string): string {
    place.lastId = id
    this.#places = withOne(this.#places, place)
    return this.#places === place ? id : idsOf(this.#places)
  }

  /**
   * From here on the connection has an owner: its `close` will run, once, and nothing else runs until `open` settles.
   * @internal
   */
  begin(handlers: ConnectionHandlers): void {
    this.handlers = handlers
    this.plan.live.add(this)
    this.gate.hold(this)
  }

  /** Whether `begin` has run, so that a failure now belongs to the connection. @internal */
  get begun(): boolean {
    return this.handlers !== undefined
  }

  /** `open` returned: that is sent, before anything else. @internal */
  settleOpening(returned: unknown): void {
    this.gate.settle(() => this.sendFirst(() => sendReturned(this, returned)))
    this.gate = passed
  }

  /** `open` threw or rejected. @internal */
  failOpening(error: unknown): void {
    this.failed(error)
    this.gate.settle(() => undefined)
  }

  protected sendFirst(send: () => unknown): unknown {
    return send()
  }

  /** Calls back when `close` has run. @internal */
  onSettled(listener: () => void): void {
    this.onDemand().settled.push(listener)
  }

  /** Runs a task behind what waits; what it returns is sent. @internal */
  post(task: Task): void {
    this.queueTask(() => runIn(this.scope, () => sendReturned(this, task())))
  }

  /** The send queue is full. @internal */
  overflowed(): void {
    this.end({ kind: 'overflow' })
  }

  /** @internal */
  drained(): Promise<unknown> {
    return this.queue.drained()
  }

  /** @internal */
  get check(): ((value: unknown) => unknown) | undefined {
    const output = this.plan.route.options.output as StandardSchemaV1 | undefined
    return output && (value => this.checkOutput(output, value))
  }

  protected checkOutput(output: StandardSchemaV1, value: unknown): unknown {
    return readOutput(output, value, this.plan.route.name)
  }

  /** A handler threw or rejected: the connection ends, the process lives. @internal */
  failed(error: unknown): void {
    const { route, logger } = this.plan
    if (!this.isExpected(error)) logger.error(`${nameExchange(route, this.handshake)} failed`, error)
    this.end({ kind: 'failed', error })
  }

  /** What needs no log: the echo of `signal`, a refusal by `open`, and what the reply in place of a head has told. */
  private isExpected(error: unknown): boolean {
    if (this.#reason !== undefined) return isEcho(error, this.#reason)
    return !this.gate.passed && (!this.started || (error instanceof HttpError && error.status < 500))
  }

  /**
   * Ends the connection, once: whoever comes first gives the reason. A peer that says goodbye is heard out: the messages
   * it sent before are handled, then `close` runs. @internal
   */
  end(reason: CloseReason): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    runIn(this.scope, () => this.endFor(reason))
  }

  private endFor(reason: CloseReason): void {
    for (const ending of allOf(this.#endings)) ending.ended()
    this.#endings = undefined
    this.finish(reason)
    this.queue.drop()
    this.gate.pass()
    this.#onDemand?.abort(reason)
    const last = () => this.handlers?.close?.(reason, this as never)
    this.closeTasks(last, reason.kind === 'peer' ? 'run' : 'drop', () => {
      this.plan.live.delete(this)
      for (const settled of this.#onDemand?.settled ?? []) settled()
    })
  }

  /** Whether what is sent reaches the wire yet. @internal */
  abstract readonly started: boolean
  /** @internal */
  abstract readonly codec: Codec
  /** Encodes and queues one value, of a producer that `waits` when it is told to. @internal */
  abstract push(value: unknown, waits?: boolean): boolean
  /** Says goodbye on the wire as the reason asks, and lets go of it. */
  protected abstract finish(reason: CloseReason): void
}
