/** What else goes wrong: a Redis that is full, frozen, or cuts who reads too much at a time, and a node that is frozen. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { EventLogUnavailableError } from '../../src/index.js'
import { at, dataOf, isUnavailable, message, Node, numbers } from '../contract/event-log.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { openLog, redis } from '../support/log-kinds.js'
import { RedisServer, redisTest } from '../support/redis-server.js'

redisTest('a Redis that is full refuses what is sent, and says why; it is read, and nothing is lost', async t => {
  const server = await RedisServer.start(t, { 'maxmemory-policy': 'noeviction' })
  const log = await openLog(t, redis, server.port)
  const node = await new Node(log).start()
  for (const n of [0, 1, 2]) await log.append(message(['a'], n))
  await server.command('CONFIG', 'SET', 'maxmemory', '1')
  await assert.rejects(log.append(message(['a'], 'lost')), isUnavailable('refused', /OOM/))
  await assert.rejects(log.append(message(['new'], 'lost'), 'key'), isUnavailable('refused', /OOM/))
  await assert.rejects(log.notify({ kind: 'tell', rooms: ['a'], data: '0' }), isUnavailable('refused', /OOM/))
  assert.deepEqual(dataOf((await log.read(at({ a: 0 }), 10)).entries), [0, 1, 2])
  assert.equal(log.health.ready, true)
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  await log.append(message(['new'], 3), 'key')
  assert.deepEqual(dataOf(await node.hears(4)), [0, 1, 2, 3])
  assert.equal(node.places.length, 1)
  assert.equal(node.notices.length, 0)
})

redisTest('a Redis that cuts who reads too much at a time is read in smaller parts', async t => {
  const server = await RedisServer.start(t, { 'client-output-buffer-limit': 'normal 100000 0 0' })
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const away = await new Node(await openLog(t, redis, wire.port)).start()
  const other = await openLog(t, redis, server.port)
  const { position } = await other.append(message(['a'], 0))
  await away.hears(1)
  wire.cut()
  for (let n = 1; n < 200; n++) await other.append(message(['a'], `${n}`.padStart(5000, ' ')))
  wire.mend()
  await eventually('it has heard all', () => away.entries.length === 200, { timeout: 30_000 })
  assert.deepEqual(dataOf(away.entries).map(Number), numbers(0, 200))
  const read: number[] = []
  for (let from = position; from < (away.entries.at(-1)?.position ?? 0); ) {
    const page = await other.read(at({ a: from }), 256)
    assert.equal(page.gaps.size, 0)
    read.push(...dataOf(page.entries).map(Number))
    from = page.upTo
  }
  assert.deepEqual(read, numbers(1, 200))
})

redisTest('a node that is behind, and has often tried to come back, is soon where the others are', async t => {
  const server = await RedisServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const away = await new Node(await openLog(t, redis, wire.port)).start()
  const other = await openLog(t, redis, server.port)
  await other.append(message(['a'], 0))
  await away.hears(1)
  wire.cut()
  const MANY = 3000
  for (let n = 1; n < MANY; n++) await other.append(message(['a'], n))
  await other.stop()
  await server.command('ACL', 'SETUSER', 'default', '-evalsha', '-eval')
  await server.command('CONFIG', 'RESETSTAT')
  const calls = async (what: RegExp) =>
    Number(what.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0)
  wire.mend()
  await eventually('it was refused some times', async () => (await calls(/cmdstat_eval.*rejected_calls=(\d+)/)) >= 6)
  await server.command('ACL', 'SETUSER', 'default', '+@all')
  await eventually('it has heard all', () => away.entries.length === MANY, { timeout: 30_000 })
  assert.deepEqual(dataOf(away.entries), numbers(0, MANY))
  const reads = await calls(/cmdstat_xread:calls=(\d+)/)
  assert.ok(reads < 100, `it read ${reads} times`)
})

redisTest('a Redis that is frozen is waited for within patience, and what is sent is kept once', async t => {
  const server = await RedisServer.start(t)
  const hasty = await openLog(t, redis, server.port, { patience: 300 })
  const node = await new Node(await openLog(t, redis, server.port)).start()
  await hasty.append(message(['a'], 0))
  await node.log.append(message(['a'], 1))
  server.freeze()
  const patient = node.log.append(message(['a'], 2))
  await assert.rejects(hasty.append(message(['a'], 'unknown')), isUnavailable('unknown', /no answer from Redis/))
  await assert.rejects(hasty.read(at({ a: 0 }), 10), EventLogUnavailableError)
  await eventually('the node has noticed', () => !node.log.health.ready, { timeout: 15_000 })
  server.thaw()
  const { position } = await patient
  await eventually('it is heard', () => node.entries.some(entry => entry.position === position), { timeout: 15_000 })
  const sent = (n: unknown) => dataOf(node.entries).filter(each => each === n).length
  assert.deepEqual([0, 1, 2].map(sent), [1, 1, 1])
  assert.ok(sent('unknown') <= 1)
  assert.equal(node.places.length, 1)
})

redisTest(
  'the peers of a node that was frozen for longer than the tail reaches back get all, from their room',
  async t => {
    const server = await RedisServer.start(t)
    const program = fork(new URL('./frozen-node-program.js', import.meta.url), [server.url])
    t.after(() => program.kill('SIGKILL'))
    await once(program, 'message')
    const other = await openLog(t, redis, server.port, { tail: { count: 100, bytes: 2000 } })
    for (let n = 0; n < 3; n++) await other.append(message(['a'], n))
    await eventually('it hears', async () => (await report(program)).data.length === 3)
    program.kill('SIGSTOP')
    for (let n = 3; n < 400; n++) await other.append(message(['a'], n))
    program.kill('SIGCONT')
    await eventually('it is whole', async () => (await report(program)).data.length >= 400, { timeout: 15_000 })
    await other.append(message(['a'], 400))
    await eventually('it is live', async () => (await report(program)).data.length >= 401)
    assert.deepEqual(await report(program), { data: numbers(0, 401), gaps: 0 })
  },
)

async function report(program: ChildProcess): Promise<{ data: number[]; gaps: number }> {
  const told = once(program, 'message')
  program.send('report')
  return (await told)[0]
}
