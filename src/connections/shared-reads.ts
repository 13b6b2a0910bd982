import { EventLogUnavailableError } from '../errors.js'
import type { EventLog, Page, Place } from './event-log.js'

/** Reads that one log is asked for at a time; more wait for their turn. */
const AT_ONCE = 16
/** Answers that are remembered, and milliseconds for which they are at the most. */
const REMEMBERED = { count: 32, time: 1000 }

/**
 * Bytes of one page: each peer that reads holds one until it has taken it, a thousand slow ones a thousand, and what is
 * remembered holds as many as there are answers.
 */
const PAGE_BYTES = 131_072

interface Reading<T> {
  readonly state: State
  readonly answer: Promise<T>
}

interface State {
  /** How far the node had been given the log when the log was asked; undefined until it is. */
  from: Place | undefined
  answered: boolean
}

interface Waiting {
  readonly go: () => void
  readonly fail: (error: unknown) => void
}

/**
 * What the peers of one registry ask its log on one node. A thousand peers that come back at once ask for the same: who
 * asks for what is on its way, or was answered a moment ago, shares that answer. It is exact: an answer is shared only
 * while the node has been given nothing since the log was asked, so it holds all that a read of one's own must; else the
 * log is asked again, once for all who wait.
 */
export class SharedReads {
  readonly #readings = new Map<string, Reading<unknown>>()
  #remembered = 0
  #forgetting: NodeJS.Timeout | undefined
  #running = 0
  readonly #waiting: Waiting[] = []

  /** @param place how far the node was given the log: another object whenever that changes */
  constructor(
    private readonly log: Pick<EventLog, 'read' | 'before'>,
    private readonly place: () => Place,
  ) {}

  read(after: ReadonlyMap<string, number>, limit: number): Promise<Page> {
    return this.#share(JSON.stringify(['read', limit, ...after]), () => this.log.read(after, limit, PAGE_BYTES))
  }

  before(room: string, count: number): Promise<number> {
    return this.#share(JSON.stringify(['before', count, room]), () => this.log.before(room, count))
  }

  #share<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const last = this.#readings.get(what) as Reading<T> | undefined
    const from = last?.state.from
    if (last !== undefined && (from === undefined || from === this.place())) return last.answer
    if (last?.state.answered) this.#remembered--
    const state: State = { from: undefined, answered: false }
    const answer = this.#run(what, state, last?.answer, ask)
    this.#readings.set(what, { state, answer })
    return answer
  }

  /** @param last what is on its way, and may be too old: where it fails, so does this, which waited as long */
  async #run<T>(what: string, state: State, last: Promise<T> | undefined, ask: () => Promise<T>): Promise<T> {
    try {
      await last
      const answer = await this.#inTurn(() => {
        state.from = this.place()
        return ask()
      })
      this.#remember(what, state)
      return answer
    } catch (error) {
      if (this.#readings.get(what)?.state === state) this.#readings.delete(what)
      throw error
    }
  }

  /** A log that is away is so for all: who waits for a turn does not wait for it anew. */
  async #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#running < AT_ONCE) this.#running++
    else await new Promise<void>((go, fail) => this.#waiting.push({ go, fail }))
    try {
      return await ask()
    } catch (error) {
      if (error instanceof EventLogUnavailableError) for (const { fail } of this.#waiting.splice(0)) fail(error)
      throw error
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next.go()
    }
  }

  #remember(what: string, state: State): void {
    state.answered = true
    if (this.#readings.get(what)?.state !== state) return
    if (state.from !== this.place()) {
      this.#readings.delete(what)
      return
    }
    if (++this.#remembered > REMEMBERED.count) this.#forget()
    this.#forgetting ??= setTimeout(() => this.#forget(), REMEMBERED.time).unref()
  }

  #forget(): void {
    clearTimeout(this.#forgetting)
    this.#forgetting = undefined
    this.#remembered = 0
    for (const [what, { state }] of this.#readings) if (state.answered) this.#readings.delete(what)
  }
}
