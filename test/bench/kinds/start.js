/** From the start of the process to its first answer; one round is one process. */
import assert from 'node:assert/strict'

export const rounds = 1
export const alone = true

export async function prepare() {}

export async function round({ server, load }) {
  const { port, cpu, took } = server.ready
  const began = performance.now()
  const { status } = await load.ask('once', { port, request: { path: '/area0/things0' } })
  assert.equal(status, 200)
  return { startup: cpu / 1000, took: took + performance.now() - began }
}

export async function finish() {}
