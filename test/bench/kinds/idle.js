/** What a connection that does nothing holds, or nothing any more: kilobytes of RSS, and of JavaScript heap. One round is one process. */
import { setTimeout as wait } from 'node:timers/promises'
import { send } from './fan-out.js'

const WARM_UP = 200
/** Milliseconds for what was only needed at the opening to be let go. */
const SETTLE = 1500

export const rounds = 1
export const execArgv = ['--expose-gc']

export async function prepare(turn, workload) {
  await open(turn, workload, WARM_UP)
  await use(turn, workload)
  await turn.load.ask('close', { name: turn.name })
  await wait(SETTLE)
}

export async function round(turn, workload) {
  const { server } = turn
  const { connections } = workload
  const before = await server.ask('memory')
  await open(turn, workload, connections)
  await use(turn, workload)
  await wait(SETTLE)
  const after = await server.ask('memory')
  const each = name => (after[name] - before[name]) / 1024 / connections
  return { rss: each('rss'), heap: each('heap') }
}

export async function finish({ load, name }) {
  await load.ask('close', { name })
}

async function use(turn, workload) {
  if (workload.events > 0) await send(turn, workload, workload.events)
}

async function open({ server, load, name }, { serve: kind, asks = {} }, count) {
  const { port, dialect } = server.ready
  await load.ask('open', { name, load: 'crowd', kind, port, count, dialect, deflate: asks.deflate })
}
