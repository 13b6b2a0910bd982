/** Event logs of `palomino/cluster` in workers of the test's own process, which is their primary. */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  EventLog,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type Page,
  type Place,
} from '../../src/index.js'

export interface Call {
  readonly call: number
  readonly log: number
  readonly method: 'open' | 'start' | 'stop' | 'append' | 'notify' | 'read' | 'before'
  readonly args: readonly unknown[]
}

export interface Returned {
  readonly call: number
  readonly value?: unknown
  readonly error?: string
}

export interface Heard {
  readonly log: number
  readonly kind: keyof LogListener
  readonly what: never
}

let numbers = 0

/** One worker process. */
export class LogWorker {
  readonly #returns = new Map<number, (returned: Returned) => void>()
  readonly #listeners = new Map<number, LogListener>()

  private constructor(readonly worker: Worker) {
    worker.on('message', (message: Returned | Heard) => {
      if ('call' in message) this.#returns.get(message.call)?.(message)
      else if ('kind' in message) this.#listeners.get(message.log)?.[message.kind](message.what)
    })
  }

  static async start(): Promise<LogWorker> {
    cluster.setupPrimary({ exec: join(import.meta.dirname, 'log-worker.js'), args: [], execArgv: [] })
    const worker = cluster.fork()
    await once(worker, 'message')
    return new LogWorker(worker)
  }

  async open(registry: string, retention: Required<LogRetention>): Promise<EventLog> {
    const log = numbers++
    await this.call(log, 'open', [registry, retention])
    return new WorkerLog(log, this)
  }

  call<T>(log: number, method: Call['method'], args: readonly unknown[], listener?: LogListener): Promise<T> {
    if (listener !== undefined) this.#listeners.set(log, listener)
    const call = numbers++
    return new Promise((resolve, reject) => {
      this.#returns.set(call, ({ value, error }) => {
        this.#returns.delete(call)
        if (error === undefined) resolve(value as T)
        else reject(new Error(error))
      })
      this.worker.send({ call, log, method, args })
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.worker.process.kill(signal)
  }

  async end(): Promise<void> {
    if (this.worker.isDead()) return
    const ended = once(this.worker, 'exit')
    this.signal('SIGKILL')
    await ended
  }
}

/** A log in a worker, as if it were here. */
class WorkerLog extends EventLog {
  constructor(
    private readonly log: number,
    private readonly worker: LogWorker,
  ) {
    super()
  }

  start(listener: LogListener): Promise<void> {
    return this.worker.call(this.log, 'start', [], listener)
  }
  stop(): Promise<void> {
    return this.worker.call(this.log, 'stop', [])
  }
  append(message: LogMessage, key?: string): Promise<Place> {
    return this.worker.call(this.log, 'append', key === undefined ? [message] : [message, key])
  }
  notify(notice: Notice): Promise<void> {
    return this.worker.call(this.log, 'notify', [notice])
  }
  async read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page> {
    const page = await this.worker.call<Page>(this.log, 'read', [[...after], limit, bytes])
    return { ...page, gaps: new Map(page.gaps) }
  }
  before(room: string, count: number): Promise<number> {
    return this.worker.call(this.log, 'before', [room, count])
  }
}
