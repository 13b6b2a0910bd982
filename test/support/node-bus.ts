/** Nodes of one registry in this process, over a bus that fails as it is told to, in a time that passes as it is told to. */
import type { Clock } from '../../src/connections/clock.js'
import {
  ConnectionRegistry,
  EventLog,
  type LogHealth,
  type LogListener,
  type Notice,
  type Page,
  type Place,
  type Presence,
  type PresenceOptions,
} from '../../src/index.js'
import { turn } from './registry-peers.js'

interface Due {
  readonly at: number
  readonly number: number
  readonly run: () => void
}

/** A time that passes when `pass` is called, and in no other way. */
export class TestClock implements Clock {
  #now = 0
  #made = 0
  readonly #due = new Set<Due>()

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const due = { at: this.#now + ms, number: this.#made++, run }
    this.#due.add(due)
    return () => this.#due.delete(due)
  }

  /** Runs what falls due within so many milliseconds, one after another, each with all that comes of it at once. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await turn(2)
      const [next] = [...this.#due].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.number - b.number)
      if (next === undefined) break
      this.#due.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
    }
    this.#now = end
  }
}

interface Said {
  readonly at: number
  readonly notice: Notice
}

/** What all nodes hear, in one order. */
export class Bus {
  readonly said: Said[] = []
  readonly logs = new Set<BusLog>()

  constructor(readonly clock: TestClock) {}
}

/** The log of one node: it carries notices only. */
export class BusLog extends EventLog {
  /** Milliseconds until the node hears what was said. */
  latency = 10
  #cut = false
  #frozen = false
  #listener: LogListener | undefined
  #heard = 0
  readonly #late: (() => void)[] = []

  constructor(private readonly bus: Bus) {
    super()
  }

  override get health(): LogHealth {
    return { ready: !this.#cut }
  }

  /** The node's own time: it does not see that it is frozen, but its timers are late. */
  readonly clock: Clock = {
    now: () => this.bus.clock.now(),
    after: (ms, run) => {
      let isOff = false
      const due = () => {
        if (isOff) return
        if (this.#frozen) this.#late.push(due)
        else run()
      }
      const cancel = this.bus.clock.after(ms, due)
      return () => {
        isOff = true
        cancel()
      }
    },
  }

  async start(listener: LogListener): Promise<void> {
    this.#listener = listener
    this.#heard = this.bus.said.length
    this.bus.logs.add(this)
    listener.reset(this.#place)
  }

  /** It is gone at once, as if killed. */
  async stop(): Promise<void> {
    this.bus.logs.delete(this)
    this.#listener = undefined
  }

  get #place(): Place {
    return { epoch: 'bus', position: this.bus.said.length }
  }

  async notify(notice: Notice): Promise<void> {
    if (this.#cut || this.#listener === undefined) throw new Error('the bus is away')
    this.bus.said.push({ at: this.bus.clock.now(), notice: JSON.parse(JSON.stringify(notice)) })
    for (const log of this.bus.logs) this.bus.clock.after(log.latency, () => log.hear())
  }

  hear(): void {
    while (!this.#cut && !this.#frozen && this.#listener !== undefined) {
      const next = this.bus.said[this.#heard]
      if (next === undefined || next.at + this.latency > this.bus.clock.now()) return
      this.#heard++
      this.#listener.notice(next.notice)
    }
  }

  cut(): void {
    this.#cut = true
  }

  /** @param skips what was said meanwhile is lost, and the node is told so */
  mend(skips = false): void {
    if (!this.#cut) return
    this.#cut = false
    if (skips) {
      this.#heard = this.bus.said.length
      this.#listener?.reset(this.#place)
    }
    this.#hearSoon()
  }

  freeze(): void {
    this.#frozen = true
  }

  /** First its timers are run, and then it hears what came meanwhile. */
  thaw(): void {
    this.#frozen = false
    for (const run of this.#late.splice(0)) run()
    this.#hearSoon()
  }

  /** In its turn, and again when the last of it is due. */
  #hearSoon(): void {
    this.bus.clock.after(0, () => this.hear())
    this.bus.clock.after(this.latency, () => this.hear())
  }

  append(): Promise<Place> {
    return Promise.reject(new Error('the bus keeps nothing'))
  }
  read(): Promise<Page> {
    return Promise.reject(new Error('the bus keeps nothing'))
  }
  async before(): Promise<number> {
    return 0
  }
}

/** A registry that keeps what its node is told of users. */
export class BusRegistry extends ConnectionRegistry<Record<string, never>, unknown> {
  readonly told: string[] = []
  protected override userJoined({ user }: Presence, room: string): void {
    this.told.push(`${user} joined ${room}`)
  }
  protected override userLeft({ user }: Presence, room: string): void {
    this.told.push(`${user} left ${room}`)
  }
}

export interface BusNode {
  readonly registry: BusRegistry
  readonly log: BusLog
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * @param cut it cannot speak or hear from the beginning
 * @param most watchers that are told in one turn
 */
export async function startBusNode(
  bus: Bus,
  presence: PresenceOptions = {},
  cut = false,
  most?: number,
): Promise<BusNode> {
  const log = new BusLog(bus)
  if (cut) log.cut()
  const registry = new BusRegistry()
  const setup = { name: 'bus', log, history: false, logger: silent, presence, clock: log.clock }
  await registry.start(most === undefined ? setup : { ...setup, most })
  return { registry, log }
}
