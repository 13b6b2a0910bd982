/** One event stream joins so many rooms, one after the other, and leaves them again. */
import { open } from './fan-out.js'

/** Rooms that are joined in a round, however many at a time. */
const ALL = 20_000

export async function prepare(turn, workload) {
  await open(turn, workload)
  await comeAndGo(turn, workload)
}

export async function round(turn, workload) {
  const before = await turn.server.ask('cpu')
  await comeAndGo(turn, workload)
  return { cpu: ((await turn.server.ask('cpu')) - before) / ALL }
}

export async function finish({ load, name }) {
  await load.ask('close', { name })
}

async function comeAndGo({ server }, { rooms }) {
  await server.ask('comeAndGo', { rooms, times: ALL / rooms })
}
