/** Two nodes: what one sends, a socket of the other hears. First many at a time, then one after another. */
import { eventData } from '../fixtures.js'

const WARM_UP = 3000

export async function prepare(turn, workload) {
  const { server, load, name } = turn
  const { port, dialect } = server.ready
  await load.ask('open', { name, load: 'crowd', kind: 'ws', port, count: 1, dialect })
  await send(turn, workload, WARM_UP)
  for (let event = 0; event < 50; event++) await send(turn, workload, 1)
}

export async function round(turn, workload) {
  const { server } = turn
  const { events, singles } = workload
  const before = await server.ask('cpus')
  const { milliseconds } = await send(turn, workload, events)
  const after = await server.ask('cpus')
  const each = who => (after[who] - before[who]) / events
  const { p50, p99 } = await sendSingly(turn, workload, singles)
  const broker = before.broker === undefined ? {} : { broker: each('broker') }
  return { cpu: each('nodes'), rate: (events / milliseconds) * 1000, p50, p99, ...broker }
}

export async function finish({ load, name }) {
  await load.ask('close', { name })
}

async function send({ server, load, name }, { bytes }, times) {
  const began = performance.now()
  await load.ask('expect', { name, times })
  const arrived = load.ask('arrived')
  const sentAt = [await server.ask('send', { data: eventData(bytes), times })]
  await arrived
  const milliseconds = performance.now() - began
  await load.ask('finish', { name, sentAt })
  return { milliseconds }
}

async function sendSingly({ server, load, name }, { bytes }, events) {
  const sentAt = []
  for (let event = 0; event < events; event++) {
    await load.ask('expect', { name, times: 1 })
    const arrived = load.ask('arrived')
    sentAt.push(await server.ask('send', { data: eventData(bytes), times: 1 }))
    await arrived
  }
  return load.ask('finish', { name, sentAt })
}
