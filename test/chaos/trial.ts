/** A cluster in use: peers that listen, sends at a steady rate, faults, and what came of it. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Chance } from '../support/seed.js'
import type { Broker, BrokerKind } from './brokers.js'
import { Cluster } from './cluster.js'
import { type Fault, Faults } from './faults.js'
import type { Order, Report } from './peers-program.js'
import { GAP } from './wire-peers.js'

/** How much of it there is; a number in the environment has the last word. */
export const size = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

const NAMES = ['one', 'two', 'three']

/** Milliseconds that peers have for the last event. */
const PATIENCE = 90_000

export interface TrialOptions {
  /** For how long; or until what. */
  readonly seconds?: number
  readonly until?: (cluster: Cluster) => Promise<void>
  readonly peers: number
  /** How many of them are slow. @default none */
  readonly slow?: number
  /** Sends a second. */
  readonly rate: number
  readonly faults?: readonly Fault[]
  /** Runs beside the rest. */
  readonly meanwhile?: (broker: Broker, cluster: Cluster, signal: AbortSignal) => Promise<void>
}

export interface Outcome {
  readonly report: Report
  readonly cluster: Cluster
  readonly told: string
}

/** The peers' process. */
class Crowd {
  readonly #gone = new AbortController()

  private constructor(private readonly child: ChildProcess) {
    child.once('exit', code => this.#gone.abort(new Error(`the peers' process ended with ${code}`)))
  }

  static async open(t: TestContext, order: Order): Promise<Crowd> {
    const child = fork(join(import.meta.dirname, 'peers-program.js'))
    t.after(() => child.kill('SIGKILL'))
    const crowd = new Crowd(child)
    assert.equal(await crowd.ask(order), 'ready')
    return crowd
  }

  async ask(order: Order): Promise<unknown> {
    const [answer] = await Promise.all([once(this.child, 'message', { signal: this.#gone.signal }), this.tell(order)])
    return answer[0]
  }

  async tell(order: Order): Promise<void> {
    this.child.send(order)
  }
}

export async function runTrial(t: TestContext, kind: BrokerKind, options: TrialOptions): Promise<Outcome> {
  const chance = new Chance(size('CHAOS_SEED', Math.floor(Math.random() * 1e9)))
  t.diagnostic(`CHAOS_SEED=${chance.seed}`)
  const broker = await kind.open()
  t.after(() => broker.end())
  const cluster = await Cluster.open(NAMES, broker.spec)
  t.after(() => cluster.end())
  const crowd = await Crowd.open(t, { port: cluster.balancer.port, count: options.peers, slow: options.slow ?? 0 })
  const over = new AbortController()
  const failures: unknown[] = []
  const fail = (error: unknown) => void failures.push(error)
  const faults = new Faults(cluster, broker, NAMES, chance, options.faults)
  const beside = [faults.run(over.signal, fail), options.meanwhile?.(broker, cluster, over.signal).catch(fail)]
  await sendAtRate(cluster, options).finally(() => over.abort())
  await Promise.all(beside)
  assert.deepEqual(failures, [])
  const last = await cluster.sendLast()
  const report = (await crowd.ask({ last, patience: PATIENCE })) as Report
  await crowd.tell('leave')
  return { report, cluster, told: tell(t, cluster, faults, report) }
}

/** Sends as many as are due, however late the timer comes. */
async function sendAtRate(cluster: Cluster, { seconds = 0, rate, until }: TrialOptions): Promise<void> {
  const start = performance.now()
  const elapsed = () => (performance.now() - start) / 1000
  let isOver = until === undefined
  const ended = until?.(cluster).finally(() => {
    isOver = true
  })
  ended?.catch(() => {}) // told below
  for (let sent = 0; !isOver || elapsed() < seconds; await sleep(25)) {
    for (const due = Math.floor(elapsed() * rate); sent < due; sent++) cluster.send()
    cluster.measure()
  }
  await ended
}

function tell(t: TestContext, cluster: Cluster, faults: Faults, report: Report): string {
  const refused = [...cluster.outcomes.values()].filter(outcome => outcome === 'refused').length
  const summary = {
    faults: faults.counts,
    sent: cluster.sent,
    taken: cluster.taken.map(({ length }) => length),
    refused,
    unknown: cluster.unknown.size,
    failures: [...cluster.failures],
    exits: cluster.exits,
    highestMiB: Math.round(cluster.highest / 2 ** 20),
    peers: report.counts,
    overflows: cluster.overflows,
    sequences: report.sequences.map(({ seen, peers }) => [seen.length, seen.at(-1), peers.length, peers[0]]),
    behind: report.behind.slice(0, 5),
    wrong: report.wrong.slice(0, 5),
  }
  const told = JSON.stringify(summary)
  t.diagnostic(told)
  return told
}

/** What was seen before the first gap, and after it. */
export function parts(seen: readonly number[]): number[][] {
  const all: number[][] = [[]]
  for (const n of seen)
    if (n === GAP) all.push([])
    else all.at(-1)?.push(n)
  return all
}

/** Checks one list of what was seen against what the log took: all of it, each once, in its order; what is unknown at most once. */
export function checkSequence(
  seen: readonly number[],
  taken: readonly number[],
  unknown: ReadonlySet<number>,
  told: string,
): void {
  assert.equal(new Set(seen).size, seen.length, `something was repeated: ${told}`)
  const known = seen.filter(n => !unknown.has(n))
  const at = known.findIndex((n, index) => n !== taken[index])
  const around = (list: readonly number[]) => list.slice(Math.max(0, at - 3), at + 4).join()
  if (at !== -1) assert.fail(`at ${at}: saw ${around(known)} in place of ${around(taken)}: ${told}`)
  assert.equal(known.length, taken.length, `missed the end: ${told}`)
}
