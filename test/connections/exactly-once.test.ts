import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { TickSocket, TickStream, Ticks } from '../support/ticks.js'
import type { Order, Report } from './exactly-once-peers.js'

const STREAMS = 500
const SOCKETS = 500
const RATE = 200
const SECONDS = 5

/** Sends as many events as are due, however late the timer comes. */
async function tick(ticks: Ticks): Promise<number> {
  const start = performance.now()
  let sent = 0
  while (sent < RATE * SECONDS) {
    const due = Math.min(RATE * SECONDS, Math.floor(((performance.now() - start) / 1000) * RATE))
    for (; sent < due; sent++) await ticks.to('all').send('tick', sent)
    await sleep(5)
  }
  return sent - 1
}

test('500 streams and 500 sockets, a tenth of which come and go, see 200 events a second exactly once, in order', async t => {
  const { app, port, log } = await serve(t, [TickStream, TickSocket], { providers: [Ticks] })
  const ticks = app.get(Ticks)
  const peers = fork(join(import.meta.dirname, 'exactly-once-peers.js'))
  const gone = new AbortController()
  peers.once('exit', code => gone.abort(new Error(`the peers' process ended with ${code}`)))
  t.after(() => peers.kill('SIGKILL'))
  const answer = async () => (await once(peers, 'message', { signal: gone.signal }))[0] as unknown
  const order: Order = { port, streams: STREAMS, sockets: SOCKETS }
  peers.send(order)
  assert.equal(await answer(), 'ready')
  const last = await tick(ticks)
  peers.send({ last })
  const report = (await answer()) as Report
  const told = JSON.stringify(
    { ...report, members: ticks.size, connections: app.connections, logged: log.messages.slice(0, 5) },
    null,
    2,
  )
  assert.deepEqual(report.wrong, [], told)
  assert.equal(report.behind, 0, told)
  assert.equal(report.events, (STREAMS + SOCKETS) * (last + 1), told)
  assert.ok(report.reconnects > (STREAMS + SOCKETS) / 10, told)
  await eventually('those that left are gone', () => ticks.count('all') === STREAMS + SOCKETS)
  peers.send('leave')
  await eventually('all are gone', () => ticks.size === 0 && app.connections === 0)
  assert.deepEqual(ticks.rooms(), [])
  assert.deepEqual(log.messages, [])
})
