/** Event streams and sockets that hang on the workers of one program, which are killed, frozen and replaced under them. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Order, Report } from '../connections/exactly-once-peers.js'
import { eventually } from '../support/eventually.js'
import { StreamPeer } from '../support/peers.js'
import { lives, Program } from '../support/workers-program.js'

const PEERS = 80

interface Crowd {
  readonly answer: () => Promise<unknown>
  readonly send: (message: Order | { readonly last: number } | 'leave') => void
}

function startCrowd(t: TestContext): Crowd {
  const peers = fork(join(import.meta.dirname, '../connections/exactly-once-peers.js'), { execArgv: [] })
  const gone = new AbortController()
  peers.once('exit', code => gone.abort(new Error(`the peers' process ended with ${code}`)))
  t.after(() => peers.kill('SIGKILL'))
  return {
    answer: async () => (await once(peers, 'message', { signal: gone.signal }))[0],
    send: message => peers.send(message),
  }
}

/** Has something befall a program so many times, while its peers listen. */
async function survive(t: TestContext, turns: number, fate: (program: Program) => Promise<unknown>): Promise<void> {
  const program = await Program.serve(t, { options: { workers: 2, deadline: 1000 } })
  const crowd = startCrowd(t)
  crowd.send({ port: program.port, streams: PEERS / 2, sockets: PEERS / 2 })
  assert.equal(await crowd.answer(), 'ready')
  const stop = program.tick()
  for (let turn = 0; turn < turns; turn++) await fate(program)
  const last = await stop()
  crowd.send({ last })
  const report = (await crowd.answer()) as Report
  const told = JSON.stringify({ ...report, last, errors: program.errors.slice(0, 2000) }, null, 2)
  assert.deepEqual(report.wrong, [], told)
  assert.equal(report.behind, 0, told)
  assert.equal(report.events, PEERS * (last + 1), told)
  crowd.send('leave')
}

test('peers see each event once, in order, while workers are killed', t =>
  survive(t, 3, async program => {
    let pids: readonly number[] = []
    const serve = async () => {
      pids = await program.pids()
      return pids.length === 2
    }
    await eventually('both serve', serve, { timeout: 60_000 })
    process.kill(pids[0] ?? 0, 'SIGKILL')
    await eventually('it is gone', () => !lives(pids[0] ?? 0), { timeout: 30_000 })
  }))

test('peers see each event once, in order, while all workers are replaced, one after another', t =>
  survive(t, 1, async program => assert.equal(await program.do('restart'), undefined)))

test('peers see each event once, in order, while workers are frozen for a while', t =>
  survive(t, 3, async program => {
    const [pid = 0] = await program.pids()
    process.kill(pid, 'SIGSTOP')
    const other = await StreamPeer.open(program.port, '/ticks')
    await eventually('the other worker goes on', () => other.read().data.length >= 60)
    other.raw.destroy()
    process.kill(pid, 'SIGCONT')
    await program.pid()
  }))
