import type { Cluster, Worker } from 'node:cluster'
import {
  EventLog,
  type LogEntry,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type Page,
  type Place,
} from '../connections/event-log.js'
import { MemoryEventLog } from '../connections/memory-event-log.js'
import { defaultLogger } from '../logger.js'
import { type Asked, envelope, openEnvelope, sizeOf, type Told } from './cluster-messages.js'
import { checkMessage, checkNotice, checkRetention } from './foreign.js'
import { IpcWire } from './ipc-wire.js'
import { LeftOut } from './left-out.js'
import type { Tail } from './limits.js'

/** The one log of a registry, in the primary; and the nodes that follow it. */
class SharedLog {
  readonly memory: MemoryEventLog
  readonly followers = new Set<LogListener>()
  place: Place = { epoch: '', position: 0 }

  constructor(retention: Required<LogRetention>) {
    this.memory = new MemoryEventLog(retention)
    this.memory.start({
      entry: entry => {
        this.place = { epoch: this.place.epoch, position: entry.position }
        for (const follower of this.followers) follower.entry(entry)
      },
      notice: notice => {
        for (const follower of this.followers) follower.notice(notice)
      },
      reset: place => {
        this.place = place
      },
    })
  }
}

/** The logs that a primary holds. They live as long as its process. */
export class PrimaryLogs {
  readonly #logs = new Map<string, SharedLog>()
  /** How often it was asked to serve, and what ends that. */
  #users = 0
  #stop = () => {}

  /** The log of a registry; the first who asks says what it remembers. */
  of(registry: string, retention: Required<LogRetention>): SharedLog {
    const known = this.#logs.get(registry)
    if (known !== undefined) return known
    const made = new SharedLog(retention)
    this.#logs.set(registry, made)
    return made
  }

  /** A node of the log in the primary itself. */
  open(registry: string, retention: Required<LogRetention>): EventLog {
    return new PrimaryEventLog(this.of(registry, retention))
  }

  /** Serves the workers of this primary, once for all who ask for it. Answers what ends that. */
  serve(cluster: Cluster, tail: Tail): () => void {
    if (this.#users++ === 0) this.#stop = this.#serve(cluster, tail)
    let isOver = false
    return () => {
      if (!isOver && --this.#users === 0) this.#stop()
      isOver = true
    }
  }

  #serve(cluster: Cluster, tail: Tail): () => void {
    const served = new Map<number, ServedWorker>()
    const hear = (worker: Worker, message: unknown) => {
      const items = openEnvelope<Asked>(message)
      if (items === undefined) return
      const known = served.get(worker.id) ?? new ServedWorker(worker, this, tail)
      served.set(worker.id, known)
      for (const item of items) known.hear(item)
    }
    const forget = ({ id }: Worker) => {
      served.get(id)?.end()
      served.delete(id)
    }
    cluster.on('message', hear).on('disconnect', forget)
    return () => {
      cluster.off('message', hear).off('disconnect', forget)
      for (const worker of served.values()) worker.end()
    }
  }
}

/** The log of a registry in the process that holds it. */
class PrimaryEventLog extends EventLog {
  #listener: LogListener | undefined

  constructor(private readonly shared: SharedLog) {
    super()
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener
    listener.reset(this.shared.place)
    this.shared.followers.add(listener)
  }

  async stop(): Promise<void> {
    if (this.#listener !== undefined) this.shared.followers.delete(this.#listener)
  }

  append(message: LogMessage, key?: string): Promise<Place> {
    return this.shared.memory.append(message, key)
  }

  notify(notice: Notice): Promise<void> {
    return this.shared.memory.notify(notice)
  }

  read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page> {
    return this.shared.memory.read(after, limit, bytes)
  }

  before(room: string, count: number): Promise<number> {
    return this.shared.memory.before(room, count)
  }
}

/** One log of one worker, as the primary knows it. */
interface Opened {
  readonly shared: SharedLog
  readonly follower: LogListener
}

/** What the primary does for one worker. */
class ServedWorker {
  readonly #opened = new Map<number, Opened>()
  readonly #wire: IpcWire<Told>
  /** Logs of the worker that do not get each message, until the channel takes more: then they are told their place. */
  readonly #lagging = new Set<number>()
  readonly #leftOut = new LeftOut('the primary', defaultLogger)

  constructor(
    private readonly worker: Worker,
    private readonly logs: PrimaryLogs,
    private readonly tail: Tail,
  ) {
    this.#wire = new IpcWire<Told>(
      (items, written) => worker.process.send(envelope(items), undefined, undefined, written),
      () => this.end(),
    )
  }

  get #name(): string {
    return `what the worker ${this.worker.id} asks of its logs`
  }

  end(): void {
    for (const { shared, follower } of this.#opened.values()) shared.followers.delete(follower)
    this.#opened.clear()
  }

  /** A worker may run another version of this program. */
  hear(asked: Asked): void {
    this.#leftOut.read(this.#name, () => this.#hear(asked))
  }

  #hear(asked: Asked): void {
    if (asked.ask === 'open') {
      checkRetention(asked.retention)
      return this.#open(asked.log, this.logs.of(asked.registry, asked.retention))
    }
    const opened = this.#opened.get(asked.log)
    if (opened === undefined) return
    const { shared, follower } = opened
    if (asked.ask === 'start') {
      this.#answer(asked, shared.place)
      shared.followers.add(follower)
    } else if (asked.ask === 'stop') {
      shared.followers.delete(follower)
      this.#opened.delete(asked.log)
      this.#answer(asked, null)
    } else {
      if (asked.ask === 'append') checkMessage(asked.message)
      if (asked.ask === 'notify') checkNotice(asked.notice)
      this.#work(asked, shared.memory).catch(error => this.#leftOut.tell(this.#name, error))
    }
  }

  async #work(asked: Asked, memory: MemoryEventLog): Promise<void> {
    if (asked.ask === 'append') this.#answer(asked, await memory.append(asked.message, asked.key))
    else if (asked.ask === 'notify') this.#answer(asked, (await memory.notify(asked.notice)) ?? null)
    else if (asked.ask === 'before') this.#answer(asked, await memory.before(asked.room, asked.count))
    else if (asked.ask === 'read') {
      const page = await memory.read(new Map(asked.after), asked.limit, asked.bytes)
      const size = page.entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
      this.#answer(asked, { ...page, gaps: [...page.gaps] }, size)
    }
  }

  #answer({ log, id }: Asked, answer: unknown, size = 64): void {
    this.#wire.push(() => ({ log, id, answer }), size)
  }

  #open(log: number, shared: SharedLog): void {
    const follower: LogListener = {
      entry: entry => this.#tell(log, entry, { log, entry }),
      notice: notice => this.#tell(log, notice, { log, notice }),
      reset: () => {},
    }
    this.#opened.set(log, { shared, follower })
  }

  #tell(log: number, message: LogEntry | Notice, told: Told): void {
    if (this.#lagging.has(log)) return
    this.#wire.push(() => told, sizeOf(message), true)
    const { count, bytes } = this.tail
    if (this.#wire.droppable > count || this.#wire.bytes > bytes) this.#lag()
  }

  /** The worker does not keep up: it reads on from the logs when it does again. */
  #lag(): void {
    this.#wire.drop()
    for (const [log, { shared, follower }] of this.#opened) {
      if (!shared.followers.has(follower) || this.#lagging.has(log)) continue
      this.#lagging.add(log)
      const place = () => {
        this.#lagging.delete(log)
        return { log, reset: shared.place }
      }
      this.#wire.push(place, 64)
    }
  }
}
