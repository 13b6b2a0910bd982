import { randomBytes } from 'node:crypto'
import {
  EVERYWHERE,
  EventLog,
  type LogHealth,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type Page,
  type Place,
} from '../connections/event-log.js'
import { answerWithin } from './answer-within.js'
import type { HealthNotes } from './health-notes.js'
import type { LeftOut } from './left-out.js'
import type { Link } from './link.js'
import type { NatsClient } from './nats-client.js'
import { judge } from './nats-failures.js'
import { writeMessage, writeNotice } from './nats-messages.js'
import type { NatsStream } from './nats-stream.js'
import { NatsTail } from './nats-tail.js'
import { LEAST, type Patience } from './patience.js'

/** How a log is run: given to it by `natsEventLog`. @internal */
export interface NatsLogSetup {
  readonly retention: Required<LogRetention>
  readonly stream: NatsStream
  readonly patience: Patience
  /** Milliseconds. */
  readonly startingWithin: number
  readonly notes: HealthNotes
  readonly leftOut: LeftOut
  /** Shared by all registries. */
  readonly link: Link<NatsClient>
  /** Counts the logs that use `link`. */
  readonly enter: () => void
  readonly leave: () => Promise<void>
}

/** Milliseconds after which an answer is taken for lost: where a server is killed, what others passed on to it is. */
const ANSWERING = 3000

/** The log of a registry in NATS JetStream, which all nodes share. Made by `natsEventLog`. */
export class NatsEventLog extends EventLog {
  readonly #tail: NatsTail
  readonly #stopping = new AbortController()
  #following: Promise<void> | undefined
  #follows = false
  #entered = false
  /** The connection on which this node has seen how the stream is, and when it has. */
  #seen: { readonly client: NatsClient; readonly look: Promise<unknown> } | undefined
  readonly #noteHealth = () => this.setup.notes.note(this.health)

  /** @internal */
  constructor(private readonly setup: NatsLogSetup) {
    super()
    this.#tail = new NatsTail(setup.stream, setup.retention, setup.leftOut)
  }

  override get health(): LogHealth {
    const { up, error } = this.setup.link
    if (this.#follows && up) return { ready: true }
    return error === undefined ? { ready: false } : { ready: false, error }
  }

  async start(listener: LogListener): Promise<void> {
    const { link, notes, patience, startingWithin } = this.setup
    await this.#ask(async () => {})
    link.onChange.add(this.#noteHealth)
    const followed = new Promise<void>(resolve => {
      const follows = (follows: boolean, error?: unknown) => {
        this.#follows = follows
        if (follows) resolve()
        notes.note(this.health, error)
      }
      const heard = {
        entry: listener.entry.bind(listener),
        notice: listener.notice.bind(listener),
        reset: listener.reset.bind(listener),
      }
      this.#following = this.#tail.follow(link, { ...heard, follows }, this.#stopping.signal)
    })
    await answerWithin(followed, Math.max(startingWithin, LEAST), 'NATS').catch(cause => {
      throw patience.unavailable('refused', cause)
    })
  }

  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.setup.patience.stop()
    this.setup.link.onChange.delete(this.#noteHealth)
    this.#stopping.abort()
    this.#follows = false
    await this.#following
    if (this.#entered) await this.setup.leave()
  }

  async append(message: LogMessage, key?: string): Promise<Place> {
    const { stream } = this.setup
    if (key === undefined) return this.#publish(stream.subject(message.rooms ?? [EVERYWHERE]), writeMessage(message))
    const subject = stream.keySubject(key)
    return this.#tail.keyed(subject) ?? this.#publish(subject, writeMessage(message), true)
  }

  async notify(notice: Notice): Promise<void> {
    await this.#publish(this.setup.stream.subject(undefined), writeNotice(notice))
  }

  async read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page> {
    await this.#reach(Math.max(0, ...after.values()))
    return this.#tail.history.read(after, limit, this.#tail.stand.position, bytes)
  }

  async before(room: string, count: number): Promise<number> {
    await this.#reach(0)
    return this.#tail.history.before(room, count, this.#tail.stand.position)
  }

  /** Waits until this node was given what it knows of, and what a peer says that there is, if it is there. */
  async #reach(asked: number): Promise<void> {
    if (this.#following === undefined) throw this.setup.patience.unavailable('refused', new Error('not started'))
    const wanted = Math.max(asked, this.#tail.known)
    if (this.#tail.has(wanted)) return
    await this.#ask(async (client, ms) => {
      const { known } = this.#tail
      const there = wanted <= known ? wanted : Math.min(wanted, (await this.#tail.look(client)).last)
      if (!(await this.#tail.reach(there, ms))) throw new Behind()
    })
  }

  async #publish(subject: string, payload: string, onlyOne = false): Promise<Place> {
    const { stream } = this.setup
    const token = randomBytes(9).toString('base64url')
    return this.#ask(async (client, ms) => {
      const before = { epoch: this.#tail.stand.epoch, position: this.#tail.known }
      const only = onlyOne ? stream.nameOf(before.epoch) : undefined
      const {
        stream: name,
        seq,
        duplicate,
      } = await client.publish(subject, payload, token, Math.min(ms, ANSWERING), only)
      const at = { epoch: stream.epochOf(name), position: seq }
      if (await this.#tail.confirm(client, at, before, duplicate)) return at
      throw new Undone()
    })
  }

  /** Asks NATS within the patience of this log, and no connection before this node has seen how the stream is. */
  async #ask<T>(run: (client: NatsClient, ms: number) => Promise<T>): Promise<T> {
    const { link, patience } = this.setup
    if (!this.#entered && !this.#stopping.signal.aborted) {
      this.#entered = true
      this.setup.enter()
    }
    const ask = async (client: NatsClient, ms: number) => {
      try {
        await this.#see(client)
        return await run(client, ms)
      } catch (error) {
        const failure = verdict(error)
        if (failure === 'unanswered') link.drop(client, error)
        if (failure === 'busy') this.#seen = undefined
        throw error
      }
    }
    return patience.ask(link, ask, verdict)
  }

  #see(client: NatsClient): Promise<unknown> {
    if (this.#seen?.client === client) return this.#seen.look
    const seen = { client, look: this.#tail.look(client) }
    this.#seen = seen
    seen.look.catch(() => {
      if (this.#seen === seen) this.#seen = undefined
    })
    return seen.look
  }
}

/** This node was not given in time what NATS has. */
class Behind extends Error {
  override readonly message = 'this node is behind'
}

/** What was sent lay in a stream that went back, and is no more. */
class Undone extends Error {}

function verdict(error: unknown) {
  if (error instanceof Behind) return 'refused'
  return error instanceof Undone ? 'unsent' : judge(error)
}
