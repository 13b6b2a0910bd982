/** Messages that come back, so many in flight on each socket. */
const WARM_UP = 600

export async function prepare({ server, load, name }, { connections: count, inFlight }) {
  const { port, dialect } = server.ready
  await load.ask('open', { name, load: 'echo', port, count, inFlight, dialect })
  await load.ask('run', { name, milliseconds: WARM_UP })
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
