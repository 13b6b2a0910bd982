import { setTimeout as sleep } from 'node:timers/promises'
import type { LogEntry, LogListener, LogRetention, Notice, Place } from '../connections/event-log.js'
import { RecentKeys } from '../connections/recent-keys.js'
import { RoomHistory, sweepPeriod } from '../connections/room-history.js'
import type { LeftOut } from './left-out.js'
import type { Link } from './link.js'
import type { NatsClient } from './nats-client.js'
import { judge } from './nats-failures.js'
import { NatsLoad } from './nats-load.js'
import { readMessage } from './nats-messages.js'
import { type Mark, markOf, type Stored } from './nats-stored.js'
import type { NatsStream, View } from './nats-stream.js'

/** Hears the tail, and whether it is followed. */
export interface TailListener extends LogListener {
  follows(follows: boolean, error?: unknown): void
}

/** Milliseconds after which a node makes sure of its place, and after which it tries again what has failed. */
const LOOK = 1000
const PAUSE = 100
/** How often a stream of several servers may seem to end too soon: one that begins to lead may not know all yet. */
const DOUBTS = 20

/**
 * Where a node stands in the stream of a registry, and what it remembers of its rooms. A node reads the whole stream when
 * it starts, and then what is new; so each node knows all that the rooms remember, and answers peers by itself.
 *
 * A node trusts its place only where the stream still holds, there, what the node was given there. Where the stream ends
 * before what a node knows, or holds something else, it went back, and its epoch is ended.
 */
export class NatsTail {
  /** How far this node was given the stream. Another object whenever that changes. */
  #stand: Place = { epoch: '', position: 0 }
  /** The highest position that this node knows of in its epoch. */
  #known = 0
  /** What lies where the node stands; undefined where it was given nothing yet. */
  #last: Mark | undefined
  #pin: Mark | undefined
  /** Epochs that this node knows to be over. */
  readonly #over = new Set<string>()
  #history: RoomHistory
  #keys = new RecentKeys()
  /** Whether `#history` holds all that the rooms remember up to where the node stands. */
  #isWhole = false
  #swept = performance.now()
  #listener: TailListener | undefined
  /** Aborted where the node moves to another epoch. */
  #moved = new AbortController()
  readonly #waiting = new Set<() => void>()

  constructor(
    private readonly stream: NatsStream,
    private readonly retention: Required<LogRetention>,
    private readonly leftOut: LeftOut,
  ) {
    this.#history = new RoomHistory(retention)
  }

  get stand(): Place {
    return this.#stand
  }

  get known(): number {
    return this.#known
  }

  /** The place of the message under the subject of a key, where this node knows it. */
  keyed(subject: string): Place | undefined {
    const position = this.#keys.position(subject)
    return position === undefined ? undefined : { epoch: this.#stand.epoch, position }
  }

  get history(): RoomHistory {
    return this.#history
  }

  /** Whether the node was given all up to a position. */
  has(position: number): boolean {
    return this.#isWhole && this.#stand.position >= position
  }

  /** Waits until the node was given all up to a position, in this epoch or the next: `false` where that took too long. */
  async reach(position: number, ms: number): Promise<boolean> {
    const { epoch } = this.#stand
    const deadline = performance.now() + ms
    while (!this.has(position) && (!this.#isWhole || this.#stand.epoch === epoch)) {
      const left = deadline - performance.now()
      if (left <= 0) return false
      await new Promise<void>(resolve => {
        const done = () => {
          clearTimeout(timer)
          this.#waiting.delete(done)
          resolve()
        }
        const timer = setTimeout(done, left).unref()
        this.#waiting.add(done)
      })
    }
    return true
  }

  /** Sees how the stream is now, and moves the node where it is another one, or not what the node knows that it was. */
  async look(client: NatsClient): Promise<View> {
    for (let doubts = 0; ; ) {
      const { epoch } = this.#stand
      const known = this.#known
      const view = await this.stream.look(client, epoch)
      if (this.#stand.epoch !== epoch) continue
      const wentBack = view.epoch === epoch && view.last < known
      if (wentBack && view.config.replicas > 1 && doubts++ < DOUBTS) {
        await sleep(PAUSE)
        continue
      }
      if (wentBack || this.#over.has(view.epoch)) {
        await this.stream.end(client, view.epoch)
        continue
      }
      if (view.epoch !== epoch) this.#adopt(view)
      this.#known = Math.max(this.#known, view.last)
      return view
    }
  }

  /**
   * Whether something that was stored stays. Where it has a place that something else had before, the stream went back,
   * and is ended with it.
   * @param before what the node knew when it was sent
   */
  async confirm(client: NatsClient, at: Place, before: Place, isDuplicate: boolean): Promise<boolean> {
    if (at.epoch === before.epoch && at.position <= before.position && !isDuplicate) {
      await this.#end(client, at.epoch)
      return false
    }
    if (at.epoch !== this.#stand.epoch) await this.look(client)
    if (at.epoch === this.#stand.epoch) this.#known = Math.max(this.#known, at.position)
    return true
  }

  /** Tells a listener where the node stands, and what comes after it, until `signal` aborts. */
  async follow(link: Link<NatsClient>, listener: TailListener, signal: AbortSignal): Promise<void> {
    this.#listener = listener
    this.#isWhole = false
    while (!signal.aborted) {
      const client = await link.ready(PAUSE).catch(() => undefined)
      if (client === undefined) {
        await sleep(PAUSE, undefined, { signal }).catch(() => {})
        continue
      }
      try {
        await this.#run(client, signal)
      } catch (error) {
        if (signal.aborted || this.#moved.signal.aborted) continue
        if (judge(error) === 'unanswered') link.drop(client, error)
        listener.follows(false, error)
        await sleep(PAUSE, undefined, { signal }).catch(() => {})
      }
    }
    this.#listener = undefined
    this.#wake()
  }

  /** Follows the stream until the node has moved, or has to load anew. */
  async #run(client: NatsClient, signal: AbortSignal): Promise<void> {
    this.#moved = new AbortController()
    const view = await this.look(client)
    const ending = AbortSignal.any([signal, this.#moved.signal])
    if (!this.#isWhole) await this.#load(client, view, ending)
    if (!this.#isWhole || ending.aborted) return
    this.#listener?.follows(true)
    const looking = new AbortController()
    try {
      const looks = this.#lookAgain(client, looking.signal)
      await Promise.race([this.#tail(client, view.name, AbortSignal.any([ending, looking.signal])), looks])
    } finally {
      looking.abort()
    }
  }

  async #lookAgain(client: NatsClient, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(LOOK, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      const view = await this.look(client)
      await this.stream.renewPin(client, view, this.#pin)
      if (performance.now() - this.#swept < sweepPeriod(this.retention.age)) continue
      this.#swept = performance.now()
      this.#history.sweep(view.first - 1)
    }
  }

  /** Hears what comes after the place of the node, once what lies in that place was found to be what it was. */
  async #tail(client: NatsClient, name: string, signal: AbortSignal): Promise<void> {
    let unsure = this.#last
    let delivered = 0
    let wentBack = false
    const from = unsure?.sequence ?? this.#stand.position + 1
    await client.read(name, from, signal, stored => {
      if (stored.delivered !== ++delivered) return false
      if (unsure !== undefined && stored.sequence === unsure.sequence) {
        wentBack = stored.token !== unsure.token || stored.time !== unsure.time
        unsure = undefined
        return !wentBack
      }
      this.#isWhole = unsure === undefined && stored.sequence === this.#stand.position + 1
      if (this.#isWhole) this.#hear(stored)
      return this.#isWhole
    })
    if (wentBack) await this.#end(client, this.stream.epochOf(name))
  }

  #hear(stored: Stored): void {
    this.#stand = { epoch: this.#stand.epoch, position: stored.sequence }
    this.#known = Math.max(this.#known, stored.sequence)
    this.#last = markOf(stored)
    this.#noteSubject(stored)
    const message = this.#read(stored)
    if (message !== undefined && 'position' in message) {
      this.#history.keep(message)
      this.#listener?.entry(message)
    } else if (message !== undefined) this.#listener?.notice(message)
    this.#wake()
  }

  /** Undefined for a pin, and for what somebody else wrote wrongly. */
  #read(stored: Stored): LogEntry | Notice | undefined {
    if (this.stream.isPin(stored)) return undefined
    const { payload, sequence, subject } = stored
    const name = `${sequence} of ${this.stream.nameOf(this.#stand.epoch)} (${subject})`
    return this.leftOut.read(name, () => readMessage(payload, sequence))
  }

  /** Reads what the stream holds, and has the node stand at its end. */
  async #load(client: NatsClient, view: View, signal: AbortSignal): Promise<void> {
    const load = new NatsLoad(this.retention, view, this.#last, stored => this.#read(stored))
    const take = (stored: Stored) => {
      this.#noteSubject(stored)
      return load.take(stored)
    }
    if (view.messages > 0) await client.read(view.name, 1, signal, take)
    if (load.wentBack) return this.#end(client, view.epoch)
    const { epoch, first } = await this.look(client)
    if (epoch !== view.epoch) return
    const position = Math.max(load.last.sequence, view.last)
    this.#history = load.finish(first)
    this.#last = load.last.sequence === position && position > 0 ? load.last : undefined
    this.#settle({ epoch, position })
  }

  #noteSubject(stored: Stored): void {
    if (this.stream.isPin(stored)) this.#pin = markOf(stored)
    else if (this.stream.isKeyed(stored)) this.#keys.note(stored.subject, stored.sequence)
  }

  #adopt({ epoch, first, last }: View): void {
    const isFirst = this.#stand.epoch === ''
    if (!isFirst) this.#over.add(this.#stand.epoch)
    this.#known = last
    this.#last = undefined
    this.#pin = undefined
    this.#keys = new RecentKeys()
    this.#history = new RoomHistory(this.retention, first - 1)
    this.#stand = { epoch, position: first - 1 }
    if (isFirst) return
    this.#moved.abort()
    this.#settle(this.#stand)
  }

  #settle(stand: Place): void {
    this.#stand = stand
    this.#isWhole = true
    this.#listener?.reset(stand)
    this.#wake()
  }

  /** Ends an epoch, and takes up the next. */
  async #end(client: NatsClient, epoch: string): Promise<void> {
    this.#over.add(epoch)
    await this.look(client)
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
