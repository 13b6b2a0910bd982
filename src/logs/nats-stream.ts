import { createHash, randomBytes } from 'node:crypto'
import type { LogRetention } from '../connections/event-log.js'
import type { NatsClient, StreamConfig, StreamState } from './nats-client.js'
import type { Stored } from './nats-stored.js'

/** How far the stream of a registry reaches back, over all of its rooms, and how many servers keep it. */
export interface StreamBounds {
  readonly count: number
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
  readonly replicas: number
  /** Messages to the same rooms that a node may fall behind, and still be given each. */
  readonly tail: number
}

/** The stream of a registry as it is now. */
export interface View extends StreamState {
  readonly epoch: string
}

/** Milliseconds for which a message that is sent again is known, at least. */
const WINDOW = 30_000
/** Milliseconds that NATS has to take a pin. */
const ANSWERING = 4000

/**
 * The stream of a registry: all that is said in it, entries and notices alike, in one order. A position is the place in
 * this stream, and the end of its name is the epoch: NATS lets one stream at most have these subjects, so there is one
 * epoch at a time, and to end it is to delete the stream of that name, which harms no other.
 *
 * A message goes to a subject that stands for its rooms. Of each subject the stream keeps more than a room remembers, so
 * what it has dropped there was forgotten by all of its rooms: a busy room never costs a quiet one its history. What it
 * drops since it holds too much is its oldest message, whatever that is. So that a node which comes later can tell the
 * one from the other there is a pin, a message that is never dropped for the first reason: behind it all else was.
 *
 * A message with a key goes to a subject of its own, under which NATS takes one message only.
 */
export class NatsStream {
  readonly #config: StreamConfig
  readonly #subjects: string
  readonly #names: string

  constructor(
    prefix: string,
    registry: string,
    retention: Required<LogRetention>,
    bounds: StreamBounds,
    patience: number,
  ) {
    const name = wordOf(registry)
    this.#subjects = `${prefix}.${name}`
    this.#names = `${prefix}-${name}-`
    const window = Math.max(WINDOW, 2 * patience)
    const { tail, ...reach } = bounds
    this.#config = {
      ...reach,
      age: Math.max(reach.age, retention.age, window),
      countPerSubject: Math.max(tail, Math.min(retention.count, Number.MAX_SAFE_INTEGER) + 1),
      window,
    }
  }

  /** Where a message to these rooms goes; a notice has none. */
  subject(rooms: readonly string[] | undefined): string {
    if (rooms === undefined) return `${this.#subjects}.notice`
    return `${this.#subjects}.to.${digest(JSON.stringify([...new Set(rooms)].sort()))}`
  }

  /** Where the one message with a key goes. */
  keySubject(key: string): string {
    return this.#keyed + digest(key)
  }

  isKeyed({ subject }: Stored): boolean {
    return subject.startsWith(this.#keyed)
  }

  get #keyed(): string {
    return `${this.#subjects}.once.`
  }

  nameOf(epoch: string): string {
    return this.#names + epoch
  }

  get #pin(): string {
    return `${this.#subjects}.pin`
  }

  isPin({ subject }: Stored): boolean {
    return subject === this.#pin
  }

  /** Puts a new pin into the stream long before the last one is dropped; of several nodes that do, one does. */
  async renewPin(client: NatsClient, { first, last }: View, pin: Pick<Stored, 'sequence' | 'time'> | undefined) {
    const { sequence = 0, time = 0 } = pin ?? {}
    const { count, age } = this.#config
    const isOld = Date.now() - time / 1e6 > age / 2
    if (sequence < first || last - sequence > count / 2 || isOld) await this.#renewPin(client, sequence)
  }

  async #renewPin(client: NatsClient, sequence: number): Promise<void> {
    await client.publish(this.#pin, 'pin', `pin ${sequence}`, ANSWERING)
  }

  /** @throws Error for the name of a stream that is none of Palomino's */
  epochOf(name: string): string {
    if (!name.startsWith(this.#names)) throw new Error(`the stream ${name} has the subjects of a registry`)
    return name.slice(this.#names.length)
  }

  /** As it is now; where there is none, it is made. @param epoch the one that it was last */
  async look(client: NatsClient, epoch: string): Promise<View> {
    const known = epoch === '' ? undefined : await client.state(this.nameOf(epoch))
    const state = known ?? (await this.#find(client)) ?? (await this.#create(client))
    await this.#widen(client, state)
    return { ...state, epoch: this.epochOf(state.name) }
  }

  /** Ends an epoch: its data is not what a node knows that it was. */
  async end(client: NatsClient, epoch: string): Promise<void> {
    await client.delete(this.nameOf(epoch))
  }

  async #find(client: NatsClient): Promise<StreamState | undefined> {
    const name = await client.find(`${this.#subjects}.>`)
    return name === undefined ? undefined : client.state(name)
  }

  /** Of several nodes that make one at a time, one does. */
  async #create(client: NatsClient): Promise<StreamState> {
    const name = this.nameOf(randomBytes(6).toString('hex'))
    let failure: unknown
    try {
      await client.create(name, `${this.#subjects}.>`, this.#config)
    } catch (error) {
      failure = error
    }
    if (failure === undefined) await this.#renewPin(client, 0)
    const state = await this.#find(client)
    if (state === undefined) throw failure ?? new Error(`the stream ${name} is gone`)
    return state
  }

  /** A node that was told to remember more has the stream reach further; none has it reach less far. */
  async #widen(client: NatsClient, { name, config }: StreamState): Promise<void> {
    const wanted = { ...config }
    for (const key of ['count', 'bytes', 'age', 'countPerSubject', 'window'] as const) {
      if (config[key] > 0 && config[key] < this.#config[key]) wanted[key] = this.#config[key]
    }
    if (JSON.stringify(wanted) !== JSON.stringify(config)) await client.change(name, wanted)
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

/** A name as one word of a subject and as part of a stream's name: what those may not hold goes as its UTF-8, in hex. */
function wordOf(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replaceAll(/[.!'()*~]/g, sign => `%${sign.charCodeAt(0).toString(16)}`)
}
