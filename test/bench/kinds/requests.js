/** Requests, one in flight on each of 64 connections; also streams that end by themselves. */
import assert from 'node:assert/strict'
import { warmUp } from './warm-up.js'

const CONNECTIONS = 64
export async function prepare({ server, load, name }, workload) {
  const { request, status = 2, body, markers, renew, secure } = workload
  const { port } = server.ready
  const once = await load.ask('once', { port, request, secure })
  assert.equal(Math.floor(once.status / 100), status, `${name} answered ${once.status} ${once.body}`)
  if (body !== undefined) assert.deepEqual(JSON.parse(once.body), body, name)
  if (markers !== undefined) assert.equal(once.markers, markers, name)
  await load.ask('open', { name, load: 'requests', port, count: CONNECTIONS, request, status, renew, secure })
  await warmUp(load, name, markers)
}

export async function round({ server, load, name }, { markers = 1, milliseconds = 400 }) {
  const before = await server.ask('cpu')
  const ran = await load.ask('run', { name, milliseconds })
  const cpu = (await server.ask('cpu')) - before
  const operations = ran.operations * markers
  return { cpu: cpu / operations, rate: (operations / ran.milliseconds) * 1000, p50: ran.p50, p99: ran.p99 }
}

export async function finish({ load, name }) {
  await load.ask('close', { name })
}
