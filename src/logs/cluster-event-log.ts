import {
  EventLog,
  type LogHealth,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type Page,
  type Place,
} from '../connections/event-log.js'
import { EventLogUnavailableError } from '../errors.js'
import { type PageForm, type Question, sizeOf, type Told } from './cluster-messages.js'
import type { PrimaryLink } from './primary-link.js'

let logs = 0

/** The log of a registry in a worker of `node:cluster`: the primary holds it. Made by `clusterEventLog`. */
export class ClusterEventLog extends EventLog {
  readonly #number = logs++
  #opened = false
  #stopped = false
  #listener: LogListener | undefined

  /** @internal */
  constructor(
    private readonly registry: string,
    private readonly retention: Required<LogRetention>,
    private readonly link: PrimaryLink,
  ) {
    super()
  }

  override get health(): LogHealth {
    return this.link.health
  }

  async start(listener: LogListener): Promise<void> {
    await this.#ask<Place>({ ask: 'start' }, undefined, place => {
      if (this.#stopped) return
      this.#listener = listener
      listener.reset(place)
    })
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#listener = undefined
    if (!this.#opened) return
    await this.#ask({ ask: 'stop' }).catch(() => {})
    this.link.leave(this.#number)
  }

  append(message: LogMessage, key?: string): Promise<Place> {
    return this.#ask({ ask: 'append', message, key }, sizeOf(message))
  }

  async notify(notice: Notice): Promise<void> {
    await this.#ask({ ask: 'notify', notice }, sizeOf(notice))
  }

  async read(after: ReadonlyMap<string, number>, limit: number, bytes?: number): Promise<Page> {
    const page = await this.#ask<PageForm>({ ask: 'read', after: [...after], limit, bytes })
    return { ...page, gaps: new Map(page.gaps) }
  }

  before(room: string, count: number): Promise<number> {
    return this.#ask({ ask: 'before', room, count })
  }

  /** @param taken called with the answer at once, before anything that was said after it is heard */
  async #ask<T>(question: Question, size?: number, taken?: (answer: T) => void): Promise<T> {
    if (this.#stopped && question.ask !== 'stop') throw new EventLogUnavailableError(this.registry, 'refused')
    if (!this.#opened) {
      this.#opened = true
      this.link.enter(this.#number, told => this.#hear(told))
      const { registry, retention } = this
      this.link.tell(this.#number, { ask: 'open', registry, retention })
    }
    return this.link.ask(this.#number, this.registry, question, size, taken)
  }

  #hear(told: Told): void {
    if ('entry' in told) this.#listener?.entry(told.entry)
    else if ('notice' in told) this.#listener?.notice(told.notice)
    else if ('reset' in told) this.#listener?.reset(told.reset)
  }
}
