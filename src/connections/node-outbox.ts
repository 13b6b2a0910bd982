import type { Change, NodeMessage } from './node-message.js'
import type { NodeSet } from './node-set.js'

/** Changes, or members of a set, that go in one message, and bytes of them: what any log takes at once. */
const PART = { count: 100, bytes: 524_288 }
/** Changes that may wait for a log that is away, beside as many as the set has members: then the set goes in their place. */
const WAITING = 1000

/**
 * What a node says to the others, one after another, in order. What the log did not take is not said again: the others
 * see by the version that they miss something, and ask.
 */
export class NodeOutbox {
  /** What is to be said, each made when its turn comes. */
  readonly #due = new Map<string, () => Iterable<NodeMessage>>()
  #changes: Change[] = []
  #saying: Promise<void> | undefined

  constructor(
    private readonly own: NodeSet,
    private readonly notify: (message: NodeMessage) => Promise<void>,
  ) {}

  /** Says something, unless the same waits to be said. */
  say(message: NodeMessage, key: string = message.say): void {
    this.#add(key, () => [message])
  }

  /** Says that this node lives; first what has changed, so that nobody misses it. */
  here(period: number): void {
    this.#add('here', () => [...this.#partsOfChanges(), { say: 'here', version: this.own.version, period }])
  }

  /** Says what has changed; together with what changed while something else was being said. */
  change(change: Change): void {
    this.#changes.push(change)
    if (this.#changes.length > this.own.size + WAITING) this.set()
    else this.#add('changes', () => this.#partsOfChanges())
  }

  /** Says the whole set. */
  set(): void {
    this.#changes = []
    this.#add('set', () => this.#partsOfSet())
  }

  /** Settles when all has been said, or was not to be said. */
  async said(): Promise<void> {
    await this.#saying
  }

  #add(key: string, make: () => Iterable<NodeMessage>): void {
    if (!this.#due.has(key)) this.#due.set(key, make)
    this.#saying ??= this.#sayAll()
  }

  async #sayAll(): Promise<void> {
    await undefined // what comes in the same turn goes together
    for (const [key, make] of this.#due) {
      this.#due.delete(key)
      try {
        for (const message of make()) await this.notify(message)
      } catch {
        // the log is away: the next heartbeat tells what is missing
      }
    }
    this.#saying = undefined
  }

  #partsOfChanges(): NodeMessage[] {
    const changes = this.#changes
    this.#changes = []
    const before = this.own.version - changes.length
    return parts(changes).map(({ items, from }) => ({
      say: 'changes',
      version: before + from + items.length,
      changes: items,
    }))
  }

  #partsOfSet(): NodeMessage[] {
    this.#changes = []
    const { version } = this.own
    const all = parts(this.own.forms())
    const say = 'set' as const
    if (all.length === 0) return [{ say, version, part: 0, last: true, stays: [] }]
    return all.map(({ items }, part) => ({ say, version, part, last: part === all.length - 1, stays: items }))
  }
}

/** At least one of them goes in each part, however large it is. */
function parts<T>(items: readonly T[]): { readonly items: readonly T[]; readonly from: number }[] {
  const found: { readonly items: T[]; readonly from: number }[] = []
  let bytes = 0
  for (const [from, item] of items.entries()) {
    const size = Buffer.byteLength(JSON.stringify(item))
    const part = found.at(-1)
    bytes += size
    if (part !== undefined && part.items.length < PART.count && bytes <= PART.bytes) {
      part.items.push(item)
      continue
    }
    found.push({ items: [item], from })
    bytes = size
  }
  return found
}
