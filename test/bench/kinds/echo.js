/** Messages that come back, so many in flight on each socket. */
import { warmUp } from './warm-up.js'

export async function prepare({ server, load, name }, { connections: count, inFlight }) {
  const { port, dialect } = server.ready
  await load.ask('open', { name, load: 'echo', port, count, inFlight, dialect })
  await warmUp(load, name)
}

export async function round({ server, load, name }, { milliseconds = 400 }) {
  const before = await server.ask('cpu')
  const ran = await load.ask('run', { name, milliseconds })
  const cpu = (await server.ask('cpu')) - before
  return { cpu: cpu / ran.operations, rate: (ran.operations / ran.milliseconds) * 1000, p50: ran.p50, p99: ran.p99 }
}

export async function finish({ load, name }) {
  await load.ask('close', { name })
}
