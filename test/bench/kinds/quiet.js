/** CPU time of connections that only say, once a second, that they are there. */
import { setTimeout as wait } from 'node:timers/promises'

const SECONDS = 3

export async function prepare({ server, load, name }, { serve: kind, connections: count }) {
  const { port, dialect } = server.ready
  await load.ask('open', { name, load: 'crowd', kind, port, count, dialect })
  await wait(2000)
}

export async function round({ server }, { connections }) {
  const before = await server.ask('cpu')
  await wait(SECONDS * 1000)
  return { cpu: ((await server.ask('cpu')) - before) / SECONDS / connections }
}

export async function finish({ load, name }) {
  await load.ask('close', { name })
}
