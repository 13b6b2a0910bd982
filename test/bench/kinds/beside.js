/** Requests while events go to many peers, one behind the other: how long they wait. A second load asks them. */
import { Child } from '../child.js'
import { check, open, send } from './fan-out.js'

const REQUEST = { path: '/json' }
const CONNECTIONS = 2
const MILLISECONDS = 3000

export async function prepare(turn, workload) {
  await check(turn, workload)
  turn.asker = await Child.start('load.js', [])
  const { port } = turn.server.ready
  await turn.asker.ask('open', { name: turn.name, load: 'requests', port, count: CONNECTIONS, request: REQUEST })
  await ask(turn)
  turn.quiet = (await ask(turn)).p99
  await open(turn, workload)
  await send(turn, workload, 5)
}

export async function round(turn, workload) {
  const asked = ask(turn)
  let isOver = false
  asked.finally(() => {
    isOver = true
  })
  while (!isOver) await send(turn, workload, 1)
  return { waited: (await asked).p99, quiet: turn.quiet }
}

export async function finish({ load, asker, name }) {
  await load.ask('close', { name })
  await asker.end()
}

function ask({ asker, name }) {
  return asker.ask('run', { name, milliseconds: MILLISECONDS })
}
