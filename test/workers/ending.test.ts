/** How programs with workers end, and how their workers are replaced. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { lives, Program } from '../support/workers-program.js'

const options = { workers: 2 }

describe('the end of all', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} drains each worker: peers hear goodbye, requests are answered, and the exit code is 0`, async t => {
      const program = await Program.serve(t, { options })
      const streams = await Promise.all([1, 2, 3].map(() => StreamPeer.open(program.port, '/ticks')))
      const sockets = await Promise.all([1, 2, 3].map(() => SocketPeer.open(program.port, '/ticks')))
      const pids = await program.pids()
      const slow = await StreamPeer.ask(program.port, '/slow')
      await program.pid()
      program.child.kill(signal)
      for (const stream of streams) {
        const { text, whole } = await stream.end()
        assert.match(text, /retry: \d+\n\n$/)
        assert.equal(whole, true)
      }
      for (const socket of sockets) assert.deepEqual((await socket.closed)?.code, 1012)
      assert.equal((await slow.end()).text, 'slow but sure')
      assert.deepEqual(await program.ended, [0, null], program.errors)
      assert.deepEqual(pids.filter(lives), [])
      assert.equal(program.errors, '')
    })
  }

  test('a signal that all of them get, as from a terminal, is the same', async t => {
    const program = await Program.serve(t, { options })
    const stream = await StreamPeer.open(program.port, '/ticks')
    const pids = await program.pids()
    for (const pid of [program.child.pid ?? 0, ...pids]) process.kill(pid, 'SIGINT')
    assert.equal((await stream.end()).whole, true)
    assert.deepEqual(await program.ended, [0, null], program.errors)
    assert.deepEqual(pids.filter(lives), [])
  })

  test('app.close() in the primary is the same', async t => {
    const program = await Program.serve(t, { options })
    const stream = await StreamPeer.open(program.port, '/ticks')
    const pids = await program.pids()
    assert.equal(await program.do('close'), undefined)
    assert.equal((await stream.end()).whole, true)
    assert.deepEqual(pids.filter(lives), [])
    assert.deepEqual(await program.ended, [0, null])
  })

  test('workers whose primary was killed drain and end', async t => {
    const program = await Program.serve(t, { options })
    const streams = await Promise.all([1, 2].map(() => StreamPeer.open(program.port, '/ticks')))
    const pids = await program.pids()
    program.child.kill('SIGKILL')
    for (const stream of streams) assert.equal((await stream.end()).whole, true)
    await eventually('they are gone', () => !pids.some(lives), { timeout: 30_000 })
  })
})

describe('a rolling restart', () => {
  test('replaces all, one after another, and nobody who connects is refused', async t => {
    const program = await Program.serve(t, { options })
    const before = await program.pids()
    let over = false
    let answered = 0
    const load = Array.from({ length: 4 }, async () => {
      while (!over) {
        assert.equal((await program.ask('/pid')).status, 200)
        answered++
      }
    })
    for (let n = 0; n < 3; n++) assert.equal(await program.do('restart'), undefined)
    over = true
    await Promise.all(load)
    const now = await program.pids()
    assert.equal(now.length, 2)
    assert.deepEqual(
      now.filter(pid => before.includes(pid)),
      [],
    )
    assert.deepEqual(before.filter(lives), [])
    assert.ok(answered > 0)
    assert.equal(program.forks.length, 8)
    assert.equal(program.errors, '')
  })

  test('tells who keeps a connection to come anew, and no balancer to turn away', async t => {
    const program = await Program.serve(t, { options: { workers: 1, drainDelay: 60_000, health: true } })
    const [old = 0] = await program.pids()
    const [first, second] = await Promise.all([RawPeer.connect(program.port), RawPeer.connect(program.port)])
    const ask = async (peer: RawPeer, path: string) => {
      await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      return peer.readUntil(/\}/, 30_000)
    }
    for (const peer of [first, second]) assert.match(await ask(peer, '/pid'), new RegExp(`"pid":${old}`))
    const restarted = program.do('restart')
    await eventually('both serve', async () => (await program.pids()).length === 2, { timeout: 30_000 })
    const isToldToClose = async () => (await ask(first, '/pid')).includes('Connection: close')
    await eventually('who keeps a connection is told', isToldToClose, { timeout: 30_000 })
    const ready = await ask(second, '/ready')
    assert.match(ready, /^HTTP\/1\.1 200 /)
    assert.match(ready, /Connection: close/)
    process.kill(old, 'SIGKILL')
    assert.equal(await restarted, undefined)
    const [left = 0] = await program.pids()
    t.after(() => process.kill(left, 'SIGKILL')) // its primary is gone by then: it would drain for as long as it was told
  })

  test('to code that does not start is given up, and those that were there go on', async t => {
    const program = await Program.serve(t, { options, fault: 'second generation' })
    const before = await program.pids()
    assert.match((await program.do('restart')) ?? '', /the new code does not start/)
    assert.deepEqual(await program.pids(), before)
    await program.reach(2)
  })
})

describe('a restart in the midst of which the application closes', () => {
  test('ends with it, and fails nothing', async t => {
    const program = await Program.serve(t, { options })
    const restarted = program.do('restart')
    await eventually('a successor is on its way', () => program.forks.length === 3)
    assert.equal(await program.do('close'), undefined)
    assert.equal(await restarted, undefined)
    assert.deepEqual(await program.ended, [0, null])
    assert.equal(program.errors, '')
  })
})

describe('a primary that does not answer', () => {
  test('is waited for with patience, and then those who send are told; when it answers again, all goes on', async t => {
    const program = await Program.serve(t, { options: { workers: 1 }, patience: 200 })
    const stream = await StreamPeer.open(program.port, '/ticks')
    program.child.kill('SIGSTOP')
    const { status, text } = await program.ask('/say', 'POST')
    assert.equal(status, 503, text)
    program.child.kill('SIGCONT')
    await eventually('it is back', async () => (await program.ask('/say', 'POST')).status < 300, {
      timeout: 30_000,
    })
    await eventually('the stream hears it', () => stream.read().data.length > 0, { timeout: 30_000 })
    assert.ok(stream.read().events.every(event => event === 'said' || event === 'place'))
  })
})
