/** A cluster in use: peers that listen, sends at a steady rate, faults, and what came of it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Chance } from '../support/seed.js'
import type { Broker, BrokerKind } from './brokers.js'
import { Cluster } from './cluster.js'
import { Crowd } from './crowd.js'
import { type Fault, Faults } from './faults.js'
import type { Report } from './peers-program.js'
import { presenceIsRight } from './presence-peers.js'
import { GAP } from './wire-peers.js'

/** How much of it there is; a number in the environment has the last word. */
export const size = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

const NAMES = ['one', 'two', 'three']

/** Milliseconds that peers have for the last event. */
const PATIENCE = 90_000

/** What goes on. */
export interface Running {
  readonly cluster: Cluster
  readonly crowd: Crowd
  readonly faults: Faults
  readonly chance: Chance
}

export interface TrialOptions {
  /** For how long; or until what. */
  readonly seconds?: number
  readonly until?: (running: Running) => Promise<void>
  readonly peers: number
  /** How many of them are slow. @default none */
  readonly slow?: number
  /** Each stands for a user, and some watch who is there. @default false */
  readonly users?: boolean
  /** Sends a second. */
  readonly rate: number
  /** @default those that the kind of log knows */
  readonly faults?: readonly Fault[]
  /** Runs beside the rest. */
  readonly meanwhile?: (broker: Broker, cluster: Cluster, signal: AbortSignal) => Promise<void>
}

export interface Outcome {
  readonly report: Report
  readonly cluster: Cluster
  readonly told: string
}

export async function runTrial(t: TestContext, kind: BrokerKind, options: TrialOptions): Promise<Outcome> {
  const chance = new Chance(size('CHAOS_SEED', Math.floor(Math.random() * 1e9)))
  t.diagnostic(`CHAOS_SEED=${chance.seed}`)
  const broker = await kind.open()
  t.after(() => broker.end())
  const cluster = await Cluster.open(NAMES, broker)
  t.after(() => cluster.end())
  const { peers: count, slow = 0, users = false } = options
  const crowd = await Crowd.open(t, { port: cluster.balancer.port, count, slow, users })
  const over = new AbortController()
  const failures: unknown[] = []
  const fail = (error: unknown) => void failures.push(error)
  const faults = new Faults(cluster, broker, NAMES, chance, options.faults ?? kind.faults)
  const beside = [faults.run(over.signal, fail), options.meanwhile?.(broker, cluster, over.signal).catch(fail)]
  await sendAtRate({ cluster, crowd, faults, chance }, options).finally(() => over.abort())
  await Promise.all(beside)
  assert.deepEqual(failures, [])
  const last = await cluster.sendLast()
  const report = (await crowd.ask({ last, patience: PATIENCE })) as Report
  if (users) t.diagnostic(`presence is right in the end after ${await presenceIsRight(cluster, crowd)} ms`)
  await crowd.tell('leave')
  return { report, cluster, told: tell(t, cluster, faults, report) }
}

/** Sends as many as are due, however late the timer comes. */
async function sendAtRate(running: Running, { seconds = 0, rate, until }: TrialOptions): Promise<void> {
  const { cluster } = running
  const start = performance.now()
  const elapsed = () => (performance.now() - start) / 1000
  let isOver = until === undefined
  const ended = until?.(running).finally(() => {
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
