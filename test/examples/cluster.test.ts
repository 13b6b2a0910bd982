/** The process that runs the example of a cluster. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventually } from '../support/eventually.js'
import { startExample } from '../support/examples.js'
import { skip } from '../support/redis-server.js'
import { sparePort } from '../support/spare-port.js'

interface Status {
  readonly nodes: readonly { readonly name: string; readonly state: string; readonly pid?: number }[]
  readonly redis?: { readonly state: string; readonly pid?: number }
}

async function statusOf(address: string): Promise<Status> {
  const response = await fetch(`${address}/status`)
  for await (const chunk of response.body ?? []) {
    const [, data] = /^data: (.*)$/m.exec(new TextDecoder().decode(chunk)) ?? []
    if (data !== undefined) return JSON.parse(data)
  }
  throw new Error('no status')
}

const pidsOf = ({ nodes, redis }: Status) => [...nodes, ...(redis === undefined ? [] : [redis])].map(({ pid }) => pid)

/** Whether there is such a process, and it has not ended. */
function lives(pid: number | undefined): boolean {
  try {
    process.kill(pid ?? 0, 0)
    return !existsSync('/proc') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

for (const [log, reason] of [
  ['redis', skip],
  ['ipc', false],
] as const) {
  test(`with ${log}, it runs nodes, takes orders from its own page alone, and ends all that it started`, {
    skip: reason,
    timeout: 240_000,
  }, async t => {
    const PORT = `${await sparePort()}` // not inherited by the nodes
    const { program, exited, origin } = await startExample(t, 'cluster/main.js', { LOG: log, PORT })
    assert.equal(new URL(origin).port, PORT)
    const page = await fetch(origin)
    const { address } = (await (await fetch(`${origin}/supervisor`)).json()) as { address: string }
    assert.match(page.headers.get('content-security-policy') ?? '', new RegExp(`connect-src 'self' ${address}$`))
    assert.match(address, /^http:\/\/127\.0\.0\.1:/)

    const order = (path: string, from: string) =>
      fetch(`${address}/${path}`, { method: 'POST', headers: { Origin: from } })
    assert.equal((await order('nodes/one/kill', 'https://elsewhere.example')).status, 403)
    assert.equal((await order('nodes/four/kill', origin)).status, 404)
    assert.equal((await order('nodes/one/thaw', origin)).status, 409)
    assert.equal((await order('nodes/one/explode', origin)).status, 400)
    assert.equal((await order('nodes/one/freeze', origin)).status, 204)
    const status = await statusOf(address)
    assert.deepEqual(
      status.nodes.map(({ state }) => state),
      ['frozen', 'serving', 'serving'],
    )
    assert.equal(status.redis?.state, log === 'redis' ? 'up' : undefined)

    const pids = pidsOf(status)
    assert.ok(pids.every(lives))
    program.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
    assert.deepEqual(pids.filter(lives), [])
  })
}

test('where it is killed, its nodes end by themselves', { timeout: 240_000 }, async t => {
  const { program, exited, origin } = await startExample(t, 'cluster/main.js', { LOG: 'ipc' })
  const { address } = (await (await fetch(`${origin}/supervisor`)).json()) as { address: string }
  const pids = pidsOf(await statusOf(address))
  program.kill('SIGKILL')
  await exited
  await eventually('they have ended', () => !pids.some(lives), { timeout: 60_000 })
})
