/** What befalls a cluster while it is in use. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance } from '../support/seed.js'
import type { Broker } from './brokers.js'
import type { Cluster } from './cluster.js'

export type Fault = 'kill' | 'drain' | 'freeze' | 'cut' | 'restart'

/** Milliseconds for which a node is frozen: longer than the peers' heartbeats, and than what they put up with. */
const FROZEN = 5000

/** Faults at uneven times, each kind as often as the others; never all nodes at once. */
export class Faults {
  readonly counts: Record<Fault, number> = { kill: 0, drain: 0, freeze: 0, cut: 0, restart: 0 }
  readonly #running = new Set<Promise<void>>()
  readonly #ailing = new Set<string>()
  #bag: Fault[] = []

  constructor(
    private readonly cluster: Cluster,
    private readonly broker: Broker,
    private readonly names: readonly string[],
    private readonly chance: Chance,
    private readonly kinds: readonly Fault[],
  ) {}

  /** Goes on until `signal` aborts, and waits until all are well again. */
  async run(signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
    while (!signal.aborted && this.kinds.length > 0) {
      await sleep(this.chance.between(1500, 4500), undefined, { signal }).catch(() => {})
      if (signal.aborted) break
      if (this.#bag.length === 0) this.#bag = this.chance.shuffle(this.kinds)
      const kind = this.#bag.shift() as Fault
      const running = this.strike(kind, () => sleep(this.chance.between(200, 1500))).catch(failed)
      this.#running.add(running)
      void running.then(() => this.#running.delete(running))
    }
    await Promise.all(this.#running)
    await this.cluster.settled()
  }

  /** @param away runs while a node has ended, and waits with its start */
  async strike(kind: Fault, away: () => Promise<unknown>): Promise<void> {
    if (kind === 'cut' || kind === 'restart') {
      this.counts[kind]++
      return this.broker[kind]()
    }
    const well = this.names.filter(name => !this.#ailing.has(name) && this.cluster.nodes.has(name))
    if (well.length < 2) return
    this.counts[kind]++
    const name = this.chance.pick(well)
    this.#ailing.add(name)
    if (kind === 'freeze') await this.cluster.freeze(name, FROZEN)
    else {
      await this.cluster[kind](name)
      await away()
      await this.cluster.start(name)
    }
    this.#ailing.delete(name)
  }
}
