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
import { readEntry } from './foreign.js'
import type { HealthNotes } from './health-notes.js'
import type { LeftOut } from './left-out.js'
import type { Tail } from './limits.js'
import { LEAST, type Patience } from './patience.js'
import { Insistence, judge, type RedisClient, type RedisLink } from './redis-link.js'
import { mergePages, type RoomPage } from './redis-page.js'
import { runScript, type ScriptName } from './redis-scripts.js'
import { type Asked, Standing } from './redis-standing.js'
import { follow, headOf, type TailItem } from './redis-tail.js'

/** How a log is run: given to it by `redisEventLog`. @internal */
export interface RedisLogSetup {
  readonly registry: string
  readonly retention: Required<LogRetention>
  readonly prefix: string
  readonly tail: Tail
  readonly patience: Patience
  /** Milliseconds. */
  readonly startingWithin: number
  readonly notes: HealthNotes
  readonly leftOut: LeftOut
  /** Shared by all registries. */
  readonly link: RedisLink
  /** Of this one alone, since it reads and waits. */
  readonly reader: RedisLink
  /** Counts the logs that use `link`. */
  readonly enter: () => void
  readonly leave: () => Promise<void>
}

/** The log of a registry in Redis, which all nodes share. Made by `redisEventLog`. */
export class RedisEventLog extends EventLog {
  readonly #standing = new Standing()
  readonly #insistence = new Insistence()
  #listener: LogListener | undefined
  #following: Promise<void> | undefined
  #follows = false
  #followed = () => {}
  readonly #noteChange = () => this.#noteHealth()
  #entered = false
  #stopped = false
  /** Entries of a room that are read at a time: fewer where an answer did not arrive, since it may have been too large. */
  #page = Number.POSITIVE_INFINITY

  /** @internal */
  constructor(private readonly setup: RedisLogSetup) {
    super()
  }

  override get health(): LogHealth {
    const { link, reader } = this.setup
    if (this.#follows && link.up) return { ready: true }
    const error = link.up ? reader.error : link.error
    return error === undefined ? { ready: false } : { ready: false, error }
  }

  async start(listener: LogListener): Promise<void> {
    await this.#refresh()
    this.#standing.begin()
    this.#listener = listener
    listener.reset(this.stand)
    this.setup.link.onChange.add(this.#noteChange)
    this.setup.reader.open()
    const followed = new Promise<void>(resolve => {
      this.#followed = resolve
    })
    this.#following = follow(this.setup.reader, this.#key('tail'), this)
    const { patience, startingWithin } = this.setup
    await answerWithin(followed, Math.max(startingWithin, LEAST), 'Redis').catch(cause => {
      throw patience.unavailable('refused', cause)
    })
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.setup.patience.stop()
    this.#listener = undefined
    this.setup.link.onChange.delete(this.#noteChange)
    await this.setup.reader.destroy()
    await this.#following
    if (this.#entered) await this.setup.leave()
  }

  async append(message: LogMessage, key = ''): Promise<Place> {
    const rooms = [...new Set(message.rooms ?? [EVERYWHERE])]
    const size = Buffer.byteLength(message.data) + Buffer.byteLength(message.event)
    return this.#publish(headOf(message), message.data, size, rooms, key)
  }

  async notify(notice: Notice): Promise<void> {
    const data = JSON.stringify(notice)
    await this.#publish('', data, Buffer.byteLength(data), [], '')
  }

  async read(after: ReadonlyMap<string, number>, limit: number, bytes = Number.MAX_SAFE_INTEGER): Promise<Page> {
    const rooms = [...after].flatMap(([room, position]) => [room, `${position}`])
    let asked = limit
    const ask = () =>
      this.#ask('read', this.#keys([...after.keys()]), isRepeated => {
        if (isRepeated) this.#page = Math.min(this.#page, Math.ceil(asked / 4))
        asked = Math.min(limit, this.#page)
        return [`${asked}`, `${bytes}`, ...rooms]
      })
    const reply = await this.#askInEpoch(ask)
    this.#page++
    const [, position, gaps, pages] = reply as [string, string, (string | null)[], RoomPage[]]
    const entry = (at: string, head: unknown, data: unknown) =>
      this.leftOut.read(`${at}-0 of ${this.#key('tail')}`, () => readEntry(Number(at), head, data))
    return mergePages(after, { limit: asked, bytes }, Number(position), gaps, pages, entry)
  }

  async before(room: string, count: number): Promise<number> {
    const keys = this.#keys([...new Set([room, EVERYWHERE])])
    const reply = await this.#askInEpoch(() => this.#ask('before', keys, () => [`${Math.max(1, count)}`]))
    const [, position, positions] = reply as [string, string, string[]]
    const newest = positions.map(Number).sort((a, b) => b - a)
    const oldest = newest.slice(0, Math.max(0, count)).at(-1)
    return oldest === undefined ? Number(position) : oldest - 1
  }

  /** @internal */
  get stand(): Place {
    return this.#standing.place
  }

  /** @internal */
  get leftOut(): LeftOut {
    return this.setup.leftOut
  }

  /** @internal */
  get doubtful(): boolean {
    return this.#standing.doubtful
  }

  /** @internal */
  hear(item: TailItem): void {
    const { message } = item
    this.#standing.hear(item)
    this.#insistence.answered()
    if (message === undefined) return
    if ('position' in message) this.#listener?.entry(message)
    else this.#listener?.notice(message)
  }

  /** @internal */
  miss({ epoch, position, previous }: TailItem): void {
    if (this.#standing.found(this.#standing.asked, { epoch, position }, previous)) this.#listener?.reset(this.stand)
  }

  /** @internal */
  follows(follows: boolean, error?: unknown): void {
    this.#follows = follows
    if (follows) this.#followed()
    this.#noteHealth(error)
  }

  #noteHealth(error?: unknown): void {
    if (this.#listener !== undefined) this.setup.notes.note(this.health, error)
  }

  /** @internal */
  async look(client: RedisClient): Promise<void> {
    const asked = this.#standing.asked
    const look = (insists: boolean) =>
      runScript(client, 'look', this.#keys(), [...this.#standing.args(insists), `${asked.place.position}`])
    this.#place(asked, await this.#insistence.ask(this.setup.reader, client, look))
  }

  /** As `look`, where the node itself has reason to doubt its place. */
  async #refresh(): Promise<void> {
    const asked = this.#standing.asked
    this.#place(asked, await this.#ask('look', this.#keys(), () => [`${asked.place.position}`]))
  }

  /** Moves the node where the log's data is not what it was, or where it cannot be given what it has not heard. */
  #place(asked: Asked, reply: unknown[]): void {
    const [epoch, position, from] = [String(reply[0]), Number(reply[1]), Number(reply[2])]
    if (this.#standing.found(asked, { epoch, position }, from)) this.#listener?.reset(this.stand)
  }

  /** Asks until the answer is of the epoch that the listener knows. Peers are given what it says: so the node knows it, too. */
  async #askInEpoch(ask: () => Promise<unknown[]>): Promise<unknown[]> {
    for (;;) {
      const reply = await ask()
      if (reply[0] === this.stand.epoch) {
        this.#standing.reaches(Number(reply[1]))
        return reply
      }
      await this.#refresh()
    }
  }

  async #publish(head: string, data: string, size: number, rooms: readonly string[], key: string): Promise<Place> {
    if (this.stand.epoch === '') await this.#refresh()
    const { retention, tail } = this.setup
    const token = randomBytes(9).toString('base64url')
    const first = { epoch: this.stand.epoch, position: this.#standing.known }
    const bytes = Math.min(retention.bytes, Number.MAX_SAFE_INTEGER)
    const kept = [retention.count, bytes, Math.ceil(retention.age), tail.count, tail.bytes].map(String)
    const reply = await this.#ask('publish', this.#keys(rooms), isRepeated => [
      ...[token, isRepeated ? first.epoch : '', `${first.position}`, head, data, `${size}`],
      ...kept,
      key,
      ...rooms,
    ])
    const [verdict, epoch, position] = [reply[0], String(reply[1]), Number(reply[2])]
    if (verdict === 'unknown') throw this.setup.patience.unavailable('unknown')
    this.#standing.took({ epoch, position }, this.#listener !== undefined)
    return { epoch, position }
  }

  /** Runs a script as soon as Redis can be had, within the patience of this log; again where its answer was lost. */
  async #ask(name: ScriptName, keys: string[], args: (isRepeated: boolean) => string[]): Promise<unknown[]> {
    const { link, patience } = this.setup
    if (!this.#entered && !this.#stopped) {
      this.#entered = true
      this.setup.enter()
    }
    const run = (client: RedisClient, ms: number, isRepeated: boolean) => {
      const ask = (insists: boolean) =>
        runScript(client, name, keys, [...this.#standing.args(insists), ...args(isRepeated)])
      return link.ask(client, () => this.#insistence.ask(link, client, ask), ms)
    }
    return patience.ask(link, run, judge)
  }

  #keys(rooms: readonly string[] = []): string[] {
    const own = ['meta', 'tail', 'rooms', 'tokens', 'keys'].map(name => this.#key(name))
    return [...own, ...rooms.map(room => this.#key(`room:${room}`))]
  }

  /** The registry's name is the hash tag, so that in a cluster all of its keys are on one server. */
  #key(name: string): string {
    const { prefix, registry } = this.setup
    return `${prefix}:{${encodeURIComponent(registry.toWellFormed())}}:${name}`
  }
}
