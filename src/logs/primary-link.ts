import type { LogHealth } from '../connections/event-log.js'
import { EventLogUnavailableError } from '../errors.js'
import { type Asked, envelope, openEnvelope, type Question, type Told } from './cluster-messages.js'
import { IpcWire } from './ipc-wire.js'

/** The process's own end of the channel to the primary. */
export type Channel = Pick<NodeJS.Process, 'on' | 'off' | 'send' | 'connected'>

/** How long a worker waits for its primary, and with how much. */
export interface LinkLimits {
  /** Milliseconds. */
  readonly patience: number
  readonly waiting: number
}

interface Waiting {
  readonly taken: (answer: unknown) => void
  readonly failed: (outcome: 'refused' | 'unknown', cause: unknown) => void
  readonly question: () => Asked
  readonly timer: NodeJS.Timeout
}

/** Bytes of questions that wait for the channel to take them; more fail at once. */
const MOST = 33_554_432
/** The size of a question without a message. */
const SMALL = 256

/** A worker's end of the channel to its primary: questions go out, and answers and what the logs are told come in. */
export class PrimaryLink {
  readonly #logs = new Map<number, (told: Told) => void>()
  readonly #waiting = new Map<number, Waiting>()
  #questions = 0
  /** Why the primary does not answer. */
  #error: unknown
  #heard = false
  readonly #wire: IpcWire<Asked>
  readonly #onMessage = (message: unknown) => this.#hear(message)
  readonly #onDisconnect = () => this.#lose(new Error('the primary is gone'))

  constructor(
    private readonly channel: Channel,
    private readonly limits: LinkLimits,
  ) {
    this.#wire = new IpcWire<Asked>(
      (items, written) => channel.send?.(envelope(items), undefined, undefined, written),
      error => this.#lose(error),
    )
  }

  get health(): LogHealth {
    if (!this.channel.connected) return { ready: false, error: new Error('the primary is gone') }
    return this.#error === undefined ? { ready: true } : { ready: false, error: this.#error }
  }

  /** Hears what one log is told. */
  enter(log: number, hear: (told: Told) => void): void {
    if (this.#logs.size === 0) this.channel.on('message', this.#onMessage).on('disconnect', this.#onDisconnect)
    this.#logs.set(log, hear)
  }

  leave(log: number): void {
    this.#logs.delete(log)
    if (this.#logs.size === 0) this.channel.off('message', this.#onMessage).off('disconnect', this.#onDisconnect)
  }

  /** Says what needs no answer. */
  tell(log: number, question: Question): void {
    const asked = { ...question, log, id: this.#questions++ }
    this.#wire.push(() => asked, SMALL)
  }

  /** @throws EventLogUnavailableError where there is no answer in time */
  ask<T>(log: number, registry: string, question: Question, size = SMALL, taken?: (answer: T) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const failed = (outcome: 'refused' | 'unknown', cause: unknown) =>
        reject(new EventLogUnavailableError(registry, outcome, { cause }))
      if (!this.channel.connected) return failed('refused', new Error('the primary is gone'))
      if (this.#waiting.size >= this.limits.waiting || this.#wire.bytes > MOST)
        return failed('refused', new Error('too much waits for the primary'))
      const asked = { ...question, log, id: this.#questions++ }
      const take = (answer: unknown) => {
        taken?.(answer as T)
        resolve(answer as T)
      }
      const timer = setTimeout(() => this.#giveUpSoon(asked.id), this.limits.patience)
      const waiting = { taken: take, failed, question: () => asked, timer }
      this.#waiting.set(asked.id, waiting)
      this.#wire.push(waiting.question, size)
    })
  }

  /** A process that was stopped for a while has answers in its channel, which it reads first. */
  #giveUpSoon(id: number): void {
    setImmediate(() => setImmediate(() => this.#giveUp(id)))
  }

  #giveUp(id: number): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    const why = this.#heard ? '' : ': does it call serveClusterLogs()?'
    this.#error = new Error(`the primary does not answer${why}`)
    this.#fail(id, waiting, this.#error)
  }

  #fail(id: number, { failed, question, timer }: Waiting, cause: unknown): void {
    clearTimeout(timer)
    this.#waiting.delete(id)
    failed(this.#wire.takeBack(question) ? 'refused' : 'unknown', cause)
  }

  #lose(error: unknown): void {
    for (const [id, waiting] of this.#waiting) this.#fail(id, waiting, error)
  }

  #hear(message: unknown): void {
    const items = openEnvelope<Told>(message)
    if (items === undefined) return
    this.#heard = true
    this.#error = undefined
    for (const told of items) {
      if (typeof told !== 'object' || told === null) continue
      if ('id' in told) this.#answer(told.id, told.answer)
      else this.#logs.get(told.log)?.(told)
    }
  }

  #answer(id: number, answer: unknown): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    clearTimeout(waiting.timer)
    this.#waiting.delete(id)
    waiting.taken(answer)
  }
}
