/** Registries driven without a transport: connections that keep what reached the wire, and logs that misbehave on request. */
import { type CloseReason, endsCleanly } from '../../src/connections/close-reason.js'
import type { Codec, RegistryEvent } from '../../src/connections/codec.js'
import { Connection, type ConnectionPlan } from '../../src/connections/connection.js'
import { LiveConnections } from '../../src/connections/live.js'
import type { Sink } from '../../src/connections/sink.js'
import type { LogRetention, Notice, Page, Place } from '../../src/index.js'
import {
  ConnectionRegistry,
  EventLog,
  type LogEntry,
  type LogListener,
  type LogMessage,
  MemoryEventLog,
} from '../../src/index.js'

export interface Frame {
  readonly event?: string
  readonly data?: unknown
  readonly id?: string
}

/** One line of JSON per event; counts what it encodes. */
export class LineCodec implements Codec {
  encoded = 0

  encode({ event, data, id }: RegistryEvent): Buffer {
    this.encoded++
    const members = [
      ...(event === undefined ? [] : [`"event":${JSON.stringify(event)}`]),
      ...(data === undefined ? [] : [`"data":${data}`]),
      ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
    ]
    return Buffer.from(`{${members.join()}}\n`)
  }
}

/** A wire that keeps what is written; paused, it is a peer that does not read. */
export class Wire implements Sink {
  readonly frames: Frame[] = []
  writes = 0
  writableLength = 0
  #paused = false
  #held: Buffer[] = []
  #listeners: (() => void)[] = []

  constructor(readonly writableHighWaterMark = 1) {}

  get writableNeedDrain(): boolean {
    return this.writableLength >= this.writableHighWaterMark
  }

  write(bytes: Buffer): boolean {
    this.writes++
    if (this.#paused) {
      this.#held.push(bytes)
      this.writableLength += bytes.length
    } else this.#take(bytes)
    return !this.writableNeedDrain
  }

  once(_event: 'drain', listener: () => void): void {
    this.#listeners.push(listener)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.writableLength = 0
    for (const bytes of this.#held.splice(0)) this.#take(bytes)
    for (const listener of this.#listeners.splice(0)) listener()
  }

  #take(bytes: Buffer): void {
    for (const line of bytes.toString().split('\n')) if (line !== '') this.frames.push(JSON.parse(line))
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

export const lineCodec = new LineCodec()

function planOf(queue: Partial<ConnectionPlan['queue']>, logged: unknown[]): ConnectionPlan {
  return {
    route: { name: 'Peer', options: {} } as ConnectionPlan['route'],
    logger: { ...silent, error: (_message, details) => void logged.push(details) },
    queue: { limit: 1_048_576, overflow: 'disconnect', ...queue },
    live: new LiveConnections<Connection>().ofRoute([]),
  }
}

export interface PeerOptions extends Partial<ConnectionPlan['queue']> {
  readonly lastEventId?: string | undefined
  readonly codec?: Codec
  readonly highWaterMark?: number
  /** What `info` was told ends up here. */
  readonly told?: unknown[]
  /** Whether `open` is still running. */
  readonly opening?: boolean
}

/** A connection whose wire is kept in memory. */
export class TestConnection extends Connection {
  readonly wire: Wire
  readonly codec: Codec
  readonly started = true
  readonly logged: unknown[]

  constructor({ lastEventId, codec = lineCodec, highWaterMark, told, opening, ...queue }: PeerOptions = {}) {
    const logged: unknown[] = []
    const query = lastEventId === undefined ? {} : { lastEventId }
    super(
      {
        method: 'GET',
        path: '/',
        params: {},
        query,
        headers: {},
        protocol: 'http',
        host: undefined,
      },
      planOf(queue, logged),
    )
    this.logged = logged
    this.codec = codec
    this.wire = new Wire(highWaterMark)
    this.queue.open(this.wire)
    this.begin({ info: (message: unknown) => void told?.push(message) })
    if (!opening) this.opened()
  }

  opened(returned?: unknown): void {
    this.settleOpening(returned)
  }

  push(value: unknown): boolean {
    return this.queue.push(Buffer.from(`${JSON.stringify({ data: value })}\n`))
  }

  protected finish(reason: CloseReason): void {
    if (endsCleanly(reason)) this.queue.finish()
  }

  get frames(): Frame[] {
    return this.wire.frames
  }

  /** The data of what came, those of gaps left out. */
  get data(): unknown[] {
    return this.frames.filter(frame => 'data' in frame && frame.event !== 'gap').map(frame => frame.data)
  }

  get gaps(): Frame[] {
    return this.frames.filter(frame => frame.event === 'gap')
  }

  /** What the peer would come back with. */
  get lastId(): string | undefined {
    return lastIdOf(this.frames)
  }
}

export function lastIdOf(frames: readonly Frame[]): string | undefined {
  return frames.findLast(frame => frame.id !== undefined)?.id
}

export class TestRegistry extends ConnectionRegistry<{ said: unknown; blank: null }> {
  readonly hooks: string[] = []
  protected override joined(_connection: Connection, room: string): void | Promise<unknown> {
    this.hooks.push(`joined ${room}`)
  }
  protected override left(_connection: Connection, room: string): void | Promise<unknown> {
    this.hooks.push(`left ${room}`)
  }
}

export const plenty: Required<LogRetention> = { count: 100_000, bytes: 100_000_000, age: 3_600_000 }

export async function startRegistry<R extends TestRegistry = TestRegistry>(
  options: {
    readonly log?: EventLog
    readonly name?: string
    readonly history?: boolean
    readonly logged?: unknown[]
    readonly registry?: R
    /** Members that are given something in one turn of the event loop. */
    readonly most?: number | undefined
  } = {},
): Promise<R> {
  const { log = new MemoryEventLog(plenty), name = 'test', history = true, logged = [], most } = options
  const registry = options.registry ?? (new TestRegistry() as R)
  const logger = { ...silent, error: (_message: string, details: unknown) => void logged.push(details) }
  await registry.start({ name, log, history, logger, ...(most === undefined ? {} : { most }) })
  return registry
}

/** Lets all that is due in this turn of the event loop happen: promises, and what is written at its end. */
export async function turn(times = 1): Promise<void> {
  for (let left = times; left > 0; left--) await new Promise(resolve => setImmediate(resolve))
}

/**
 * A log as a server elsewhere would be: a node hears of entries later than they are kept, reading takes a while and may
 * see what the node has not heard yet, the data may be lost, and the node may lose its place.
 */
export class RemoteLog extends EventLog {
  #inner: EventLog
  #listener: LogListener | undefined
  readonly #unheard: (LogEntry | Notice)[] = []
  #head: Place = { epoch: '', position: 0 }
  #lagging = false
  #delay = 0
  #down = false

  /** @param open makes the log that it stands in front of: another one where all data is gone */
  constructor(
    retention: Required<LogRetention> = plenty,
    private readonly open: () => EventLog = () => new MemoryEventLog(retention),
  ) {
    super()
    this.#inner = open()
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener
    await this.#startInner()
  }

  async #startInner(): Promise<void> {
    await this.#inner.start({
      entry: entry => {
        this.#head = { ...this.#head, position: entry.position }
        this.#unheard.push(entry)
        if (!this.#lagging) this.hear()
      },
      notice: notice => {
        this.#unheard.push(notice)
        if (!this.#lagging) this.hear()
      },
      reset: place => {
        this.#head = place
        this.#unheard.length = 0
        this.#listener?.reset(place)
      },
    })
  }

  stop(): Promise<void> {
    return this.#inner.stop()
  }

  /** From here on entries wait for `hear`, or no longer. */
  lag(lagging = true): void {
    this.#lagging = lagging
  }

  /** From here on reading takes some turns of the event loop. */
  slow(turns: number): void {
    this.#delay = turns
  }

  /** From here on nothing can be appended or read, or it can again. */
  fail(down = true): void {
    this.#down = down
  }

  /** The node is told what waits for it, or the first few of it. */
  hear(count = Number.POSITIVE_INFINITY): void {
    for (const message of this.#unheard.splice(0, count)) {
      if ('position' in message) this.#listener?.entry(message)
      else this.#listener?.notice(message)
    }
  }

  /** The node was away: what it has not heard it will not hear. */
  skip(): void {
    this.#unheard.length = 0
    this.#listener?.reset(this.#head)
  }

  /** All data is gone. */
  async lose(): Promise<void> {
    await this.#inner.stop()
    this.#inner = this.open()
    await this.#startInner()
  }

  async append(message: LogMessage, key?: string): Promise<Place> {
    if (this.#down) throw new Error('the log is away')
    return this.#inner.append(message, key)
  }

  notify(notice: Notice): Promise<void> {
    return this.#inner.notify(notice)
  }

  async read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page> {
    const inner = this.#inner
    await turn(this.#delay)
    if (this.#down) throw new Error('the log is away')
    const page = await inner.read(after, limit, bytes)
    await turn(this.#delay)
    return page
  }

  before(room: string, count: number): Promise<number> {
    if (this.#down) return Promise.reject(new Error('the log is away'))
    return this.#inner.before(room, count)
  }
}
