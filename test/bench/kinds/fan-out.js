/** One event at a time to many peers; the next when all have it. */
import assert from 'node:assert/strict'
import { constants, inflateRawSync } from 'node:zlib'
import { eventData, MARKER } from '../fixtures.js'

const WARM_UP = 15

export async function prepare(turn, workload) {
  const { server } = turn
  await check(turn, workload)
  turn.before = await server.ask('memory')
  const before = await server.ask('cpu')
  await open(turn, workload)
  turn.opening = ((await server.ask('cpu')) - before) / workload.connections
  await send(turn, workload, WARM_UP)
}

export async function open(turn, workload) {
  const { server, load, name } = turn
  const { connections: count, paused } = workload
  await load.ask('open', { name, load: 'crowd', port: server.ready.port, count, paused, ...peer(turn, workload) })
}

export async function round(turn, workload) {
  const { connections, events = 20, times, paused = 0 } = workload
  const before = await turn.server.ask('cpu')
  const { milliseconds, p50, p99 } = await send(turn, workload, events)
  const cpu = (await turn.server.ask('cpu')) - before
  const operations = events * times * connections * (1 - paused)
  return { cpu: cpu / operations, rate: (operations / milliseconds) * 1000, p50, p99 }
}

/** What the connections hold, buffers of what was sent included; the most of it is the warm-up's where they are few. */
export async function finish(turn, { connections, paused, points }) {
  const { server, load, name, before, opening } = turn
  const after = await server.ask('memory')
  await load.ask('close', { name })
  if (paused !== undefined) return { growth: (after.rss - before.rss) / 1e6 }
  if (points !== undefined) return { opening, rss: (after.rss - before.rss) / 1024 / connections }
}

export async function send({ server, load, name }, { bytes, times }, events) {
  const sentAt = []
  const began = performance.now()
  for (let event = 0; event < events; event++) {
    await load.ask('expect', { name, times })
    const arrived = load.ask('arrived')
    sentAt.push(await server.ask('send', { data: eventData(bytes), times }))
    await arrived
  }
  const milliseconds = performance.now() - began
  return { milliseconds, ...(await load.ask('finish', { name, sentAt })) }
}

function peer({ server }, { serve, asks = {}, http2 }) {
  return { kind: serve === 'ws' ? 'ws' : 'sse', dialect: server.ready.dialect, deflate: asks.deflate, http2 }
}

/** Ten peers hear one event, with the data in it; then they leave. */
export async function check(turn, workload) {
  const { server, load, name } = turn
  const checked = { ...turn, name: `${name}, checked` }
  const asks = { ...peer(turn, workload), keep: true }
  await load.ask('open', { name: checked.name, load: 'crowd', port: server.ready.port, count: 10, ...asks })
  await send(checked, { ...workload, times: 1 }, 1)
  if (workload.serve === 'ws') {
    const frames = (await load.ask('seen', { name: checked.name })).map(text => Buffer.from(text, 'base64'))
    const text = asks.deflate ? inflate(frames) : Buffer.concat(frames).toString()
    assert.ok(text.includes(MARKER), `${name} sent ${text}`)
  }
  await load.ask('close', { name: checked.name })
}

/** RFC 7692 §7.2.2. */
function inflate(frames) {
  const blocks = frames.flatMap(frame => [frame, Buffer.from([0, 0, 0xff, 0xff])])
  return inflateRawSync(Buffer.concat(blocks), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
}
