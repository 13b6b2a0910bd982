/** `bootstrap` with `workers`: programs of their own, and what becomes of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { eventually } from '../support/eventually.js'
import { folderOf } from '../support/folder.js'
import { StreamPeer } from '../support/peers.js'
import { ask, lives, Program } from '../support/workers-program.js'

const options = { workers: 2 }

describe('workers', () => {
  test('all listen on one spare port, which the primary knows', async t => {
    const program = await Program.serve(t, { options: { workers: 4 } })
    assert.equal(program.url, `http://127.0.0.1:${program.port}`)
    assert.deepEqual(await program.reach(4), new Set(await program.pids()))
    assert.equal(program.forks.length, 4)
    assert.ok(!(await program.pids()).includes(program.child.pid ?? 0), 'the primary serves nothing')
  })

  test('what they do, their primary refuses to', async t => {
    const program = await Program.serve(t, { options: { workers: 1 } })
    const instead = 'this is the primary, whose workers serve: do it where app.workers is undefined'
    const refused = ['get', 'listen', 'renewTls', 'attach'].map(what => `${what}: ${instead}`)
    assert.deepEqual((await program.do('serve'))?.split('\n'), refused)
  })

  test('they share a Unix socket, and what a killed program left there is replaced', async t => {
    const path = join(folderOf({}), 'app.sock')
    for (const _ of [1, 2]) {
      const program = await Program.serve(t, { options: { ...options, path } })
      const pids = new Set<string>()
      const asks = async () => pids.add((await ask({ socketPath: path }, '/pid')).text).size === 2
      await eventually('both are reached', asks, { timeout: 30_000 })
      const workers = await program.pids()
      program.child.kill('SIGKILL')
      await eventually('all are gone', () => !workers.some(lives), { timeout: 30_000 })
    }
  })

  test('what one sends, the peers of all hear', async t => {
    const program = await Program.serve(t, { options })
    const streams = await Promise.all([1, 2, 3, 4].map(() => StreamPeer.open(program.port, '/ticks')))
    const pids = new Set((await program.pids()).map(String))
    const senders = new Set<string>()
    const says = async () => senders.add(JSON.parse((await program.ask('/say', 'POST')).text).pid).size === 2
    await eventually('both have sent', says, { timeout: 30_000 })
    const [first, ...others] = streams as [StreamPeer, ...StreamPeer[]]
    const hearsBoth = () => new Set(first.read().data).size === 2
    await eventually('the first hears both', hearsBoth, { timeout: 30_000 })
    assert.deepEqual(new Set(first.read().data.map(text => JSON.parse(text))), pids)
    for (const stream of others) {
      const heard = () => stream.read().data
      const hearsAsMuch = () => heard().length === first.read().data.length
      await eventually('the others hear the same', hearsAsMuch, { timeout: 30_000 })
      assert.deepEqual(heard(), first.read().data)
    }
  })

  test('one that dies is replaced, on the same port, also where it was the last', async t => {
    const program = await Program.serve(t, { options })
    for (const victims of [1, 2]) {
      const before = await program.pids()
      for (const pid of before.slice(0, victims)) process.kill(pid, 'SIGKILL')
      await eventually(
        'there are two again',
        async () => {
          const now = await program.pids()
          return now.length === 2 && !before.slice(0, victims).some(pid => now.includes(pid))
        },
        { timeout: 30_000 },
      )
      await program.reach(2)
    }
    assert.match(program.errors, /the worker \d+ ended by SIGKILL: another takes its place/)
  })

  test('one that dies at once again and again is replaced after waits that grow', async t => {
    const program = await Program.serve(t, { options: { workers: 1 }, fault: 'soon' })
    await eventually('the fifth', () => program.forks.length >= 5, { timeout: 30_000 })
    const gaps = program.forks.slice(1, 5).map((at, n) => at - (program.forks[n] ?? 0))
    for (const [n, gap] of gaps.entries()) assert.ok(gap >= 100 * 2 ** n, `${gap} ms before fork ${n + 2}`)
  })
})

describe('a boot that fails', () => {
  test('in a worker ends all, says why once, and tries nothing again', async t => {
    const program = Program.start(t, { options: { workers: 4 }, fault: 'start' })
    assert.deepEqual(await program.ended, [1, null])
    assert.equal(program.errors.match(/Error: this worker cannot start/g)?.length, 1, program.errors)
    assert.match(program.errors, /\[cause\]: Error: the disk is full/)
    assert.equal(program.forks.length, 1)
  })

  test('is found before there is a worker, where it is in the declarations', async t => {
    const program = Program.start(t, { options: { workers: 4, prot: 80 } as object })
    assert.deepEqual(await program.ended, [1, null])
    assert.equal(program.errors.match(/bootstrap has no option prot: did you mean port\?/g)?.length, 1, program.errors)
    assert.equal(program.forks.length, 0)
  })

  test('names the port that is taken', async t => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    const program = Program.start(t, { options: { workers: 2, port } })
    assert.deepEqual(await program.ended, [1, null])
    assert.equal(program.errors.match(/AddressInUseError: port \d+ is in use/g)?.length, 1, program.errors)
  })
})
