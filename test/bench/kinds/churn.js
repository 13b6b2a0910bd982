/** Many idle connections, of which some leave and others come all the time: what the process holds meanwhile, and afterwards. */
import { setTimeout as wait } from 'node:timers/promises'
import { median } from '../summary.js'

const WARM_UP = 200
/** Milliseconds for what was only needed at the opening to be let go. */
const SETTLE = 2000
/** The share of the connections that is replaced each second. */
const CHURN = 0.01

export const rounds = 1
export const execArgv = ['--expose-gc']

export async function prepare(turn, workload) {
  await open(turn, workload, WARM_UP)
  await leave(turn)
}

/** They come, are held with churn, and leave; then all of them come and leave once more: what grows then is a leak. */
export async function round(turn, workload) {
  const { connections, hold } = workload
  const began = await memory(turn)
  await open(turn, workload, connections)
  await wait(SETTLE)
  const seen = [await memory(turn)]
  const until = performance.now() + hold * 60_000
  while (performance.now() < until) {
    const next = wait(1000)
    await turn.load.ask('churn', { name: turn.name, count: Math.ceil(connections * CHURN) })
    seen.push(await memory(turn))
    await next
  }
  await leave(turn)
  const left = await memory(turn)
  await open(turn, workload, connections)
  await leave(turn)
  const third = Math.ceil(seen.length / 3)
  return {
    rss: (median(seen) - began) / 1024 / connections,
    held: (median(seen.slice(-third)) - median(seen.slice(0, third))) / 1e6,
    left: (left - began) / 1e6,
    again: ((await memory(turn)) - left) / 1e6,
  }
}

export async function finish() {}

async function memory({ server }) {
  return (await server.ask('memory')).rss
}

async function leave({ load, name }) {
  await load.ask('close', { name })
  await wait(SETTLE)
}

async function open({ server, load, name }, { serve: kind }, count) {
  const { port, dialect } = server.ready
  await load.ask('open', { name, load: 'crowd', kind, port, count, dialect })
}
