import type { Timers } from './clock.js'
import { makeId } from './id.js'
import type { Change, NodeMessage, StayForm } from './node-message.js'
import { NodeOutbox } from './node-outbox.js'
import { NodeSet } from './node-set.js'
import type { Roster, Stay } from './presence.js'
import { Totals } from './totals.js'

/** What the nodes of a registry need to speak to each other. */
export interface NodesSetup {
  readonly roster: Roster
  readonly timers: Timers
  /** Milliseconds between two heartbeats. */
  readonly heartbeat: number
  /** Says something to all nodes, this one included. */
  readonly notify: (from: string, message: NodeMessage) => Promise<void>
  /** Whether what others say can be heard right now. */
  readonly isReady: () => boolean
  /** How many connections this node has in a room, or in any. */
  readonly count: (room: string | undefined) => number
}

/** Milliseconds that the log has to take a goodbye. */
const BYE = 1000

/** Another node, as this one knows it. */
interface Other {
  readonly id: string
  readonly set: NodeSet
  heardAt: number
  /** Milliseconds between its heartbeats. */
  period: number
  /** It was asked for its set since its last heartbeat. */
  asked: boolean
  /** What came of its whole set, part by part. */
  coming: { readonly version: number; readonly stays: StayForm[]; parts: number } | undefined
  /** It has gone in good order. */
  hasLeft: boolean
}

/**
 * The nodes of a registry. Each tells the others of the changes of its own set, and by heartbeats that it lives and which
 * version its set has; who misses something asks for the whole. A node that was not heard for two of its heartbeats is
 * gone, with all whom it had, until it is heard again.
 *
 * Silence is judged by the log's one order: when this node hears its own heartbeat, it has heard all that was said
 * before. So it takes nobody for dead because it was itself frozen, or cut from the log.
 */
export class Nodes {
  readonly id = makeId()
  readonly #own: NodeSet
  readonly #others = new Map<string, Other>()
  readonly #outbox: NodeOutbox
  readonly #totals: Totals
  /** It has heard itself ask the others. */
  #hasGreeted = false
  /** Another node was heard, at some time. */
  #isOneOfMany = false
  /** When it last said that it lives. */
  #beatAt = Number.NEGATIVE_INFINITY
  /** Since when it has waited to hear itself. */
  #askedAt: number | undefined
  /** Milliseconds for which it waited the last time. */
  #waited = 0
  #cancelTick: (() => void) | undefined

  constructor(private readonly setup: NodesSetup) {
    const notify = (message: NodeMessage) => setup.notify(this.id, message)
    this.#own = new NodeSet(setup.roster)
    this.#outbox = new NodeOutbox(this.#own, notify)
    this.#totals = new Totals(notify, (ms, run) => setup.timers.after(ms, run))
  }

  /** Makes itself known, and asks the others whom they have: at the start, and where something may have been missed. */
  greet(): void {
    this.#hasGreeted = false
    this.#askedAt = undefined
    this.#countAnew()
    this.#beat()
    this.#tickOn()
  }

  /** Changes this node's own set. */
  change(change: Change): Stay | undefined {
    if (this.#isOneOfMany) this.#outbox.change(change)
    const stay = this.#own.apply(change)
    this.#tickOn()
    return stay
  }

  /** How many connections all nodes have in a room, or in any. */
  total(room: string | undefined, patience: number): Promise<number> {
    const others = [...this.#others.values()].filter(other => !other.hasLeft).map(other => other.id)
    return this.#totals.ask(others, room, this.setup.count(room), patience)
  }

  /** Goes away in good order: the others keep whom it had for so long. */
  async leave(linger: number): Promise<void> {
    this.#totals.stop()
    if (!this.#isOneOfMany || !this.setup.isReady()) return
    this.#outbox.say({ say: 'bye', linger })
    const given = new Promise<void>(resolve => this.setup.timers.after(BYE, resolve))
    await Promise.race([this.#outbox.said(), given])
  }

  hear(from: string, message: NodeMessage): void {
    if (from === this.id) return this.#hearMyself(message)
    if (message.say === 'bye') return this.#partWith(this.#others.get(from), message.linger)
    const other = this.#others.get(from) ?? this.#meet(from)
    if (other.hasLeft) return
    other.heardAt = this.setup.timers.now()
    switch (message.say) {
      case 'here':
        other.period = message.period
        other.asked = false
        if (message.version > other.set.version) this.#ask(other)
        return
      case 'changes':
        return this.#follow(other, message.version, message.changes)
      case 'set':
        return this.#takeOver(other, message)
      case 'ask':
        if (message.of === undefined || message.of === this.id) this.#answer()
        return
      case 'count': {
        const { question, room } = message
        return this.#outbox.say({ say: 'counted', question, count: this.setup.count(room) }, `counted ${question}`)
      }
      case 'counted':
        return this.#totals.answered(from, message.question, message.count)
    }
  }

  #meet(id: string): Other {
    const period = this.setup.heartbeat
    const set = new NodeSet(this.setup.roster)
    const other = { id, set, heardAt: this.setup.timers.now(), period, asked: false, coming: undefined, hasLeft: false }
    this.#others.set(id, other)
    this.#isOneOfMany = true
    this.#tickOn()
    return other
  }

  #answer(): void {
    if (this.#own.version > 0) this.#outbox.set()
    this.#outbox.here(this.setup.heartbeat)
  }

  #ask(other: Other): void {
    if (other.asked) return
    other.asked = true
    this.#outbox.say({ say: 'ask', of: other.id }, `ask ${other.id}`)
  }

  #follow(other: Other, version: number, changes: readonly Change[]): void {
    const { set } = other
    const missing = version - set.version
    if (missing > changes.length) return this.#ask(other)
    if (missing > 0) for (const change of changes.slice(-missing)) set.apply(change)
  }

  #takeOver(other: Other, { version, part, last, stays }: Extract<NodeMessage, { say: 'set' }>): void {
    if (version <= other.set.version) return
    if (part === 0) other.coming = { version, stays: [], parts: 0 }
    const { coming } = other
    if (coming?.version !== version || coming.parts !== part) return
    coming.stays.push(...stays)
    coming.parts++
    if (!last) return
    other.coming = undefined
    other.set.replace(version, coming.stays)
  }

  #partWith(other: Other | undefined, linger: number): void {
    if (other === undefined || other.hasLeft) return
    other.hasLeft = true
    other.set.linger()
    this.#totals.gone(other.id)
    this.setup.timers.after(linger, () => this.#forget(other))
  }

  #forget(other: Other): void {
    this.#others.delete(other.id)
    other.set.clear()
    this.#totals.gone(other.id)
  }

  /** What was said by others before this node's own heartbeat has been heard: who was silent until then is gone. */
  #hearMyself({ say }: NodeMessage): void {
    if (say === 'ask') this.#hasGreeted = true
    const askedAt = this.#askedAt
    if (say !== 'here' || askedAt === undefined) return
    this.#askedAt = undefined
    if (this.#isLate(askedAt)) this.#countAnew()
    else for (const other of this.#others.values()) if (deadlineOf(other) <= askedAt) this.#forget(other)
    this.#waited = this.setup.timers.now() - askedAt
    this.#cancelTick?.()
    this.#cancelTick = undefined
    this.#tickOn()
  }

  /** So long it should not take to hear itself. */
  get #patience(): number {
    return this.setup.heartbeat / 4
  }

  /** A node that waits for longer is cut from the log, or was frozen; unless it is one that always waits so long. */
  #isLate(askedAt: number): boolean {
    return this.setup.timers.now() - askedAt > Math.max(this.#patience, 2 * this.#waited)
  }

  /** Gives the others their time once more: that nothing was heard was not their fault. */
  #countAnew(): void {
    const now = this.setup.timers.now()
    for (const other of this.#others.values()) other.heardAt = now
  }

  #beat(): void {
    this.#beatAt = this.setup.timers.now()
    if (!this.#hasGreeted) this.#outbox.say({ say: 'ask' })
    this.#probe()
  }

  #probe(): void {
    this.#askedAt ??= this.setup.timers.now()
    this.#outbox.here(this.setup.heartbeat)
  }

  /** A node that is alone, and has nobody to tell of, is silent. */
  #tickOn(): void {
    const isSilent = this.#hasGreeted && !this.#isOneOfMany && this.#own.size === 0
    if (isSilent || this.#cancelTick !== undefined) return
    const { timers, heartbeat } = this.setup
    const due = [this.#beatAt + heartbeat]
    if (this.#askedAt === undefined) due.push(...[...this.#others.values()].map(deadlineOf))
    const wait = Math.min(this.#patience, Math.max(1, Math.min(...due) - timers.now()))
    this.#cancelTick = timers.after(wait, () => {
      this.#cancelTick = undefined
      this.#tick()
      this.#tickOn()
    })
  }

  #tick(): void {
    const now = this.setup.timers.now()
    if (!this.setup.isReady() || (this.#askedAt !== undefined && this.#isLate(this.#askedAt))) this.#countAnew()
    if (now >= this.#beatAt + this.setup.heartbeat) this.#beat()
    else if (this.#askedAt === undefined && [...this.#others.values()].some(other => deadlineOf(other) <= now))
      this.#probe()
  }
}

/** When another node has been silent for two of its heartbeats. */
function deadlineOf({ hasLeft, heardAt, period }: Other): number {
  return hasLeft ? Number.POSITIVE_INFINITY : heardAt + 2 * period
}
