/** While Redis is away: who sends waits for a while, and is told the truth; nothing is kept twice, nothing is left behind. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { EventLogUnavailableError, type LogEntry, type LogHealth } from '../../src/index.js'
import { type RedisEventLogOptions, redisEventLog } from '../../src/logs/redis.js'
import { message, Node, outlivesKeys } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { plenty } from '../support/registry-peers.js'

async function behindWire(t: TestContext, options: RedisEventLogOptions = {}) {
  const server = await RedisServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const book = new LogBook()
  const opened = redisEventLog({ url: `redis://127.0.0.1:${wire.port}`, patience: 15_000, ...options })
  const log = await opened('r', plenty, book)
  t.after(() => log.stop())
  const kept = () => server.command('XLEN', 'palomino:{r}:tail')
  return { server, wire, log, kept, book }
}

const data = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

function isUnavailable(outcome: 'refused' | 'unknown') {
  return (error: unknown) => {
    assert.ok(error instanceof EventLogUnavailableError, String(error))
    assert.equal(error.outcome, outcome)
    assert.equal(error.registry, 'r')
    assert.equal(error.status, 503)
    return true
  }
}

redisTest('what was kept, and not answered, is not kept again, and its sender hears its place', async t => {
  const { log, wire, kept } = await behindWire(t)
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  await node.hears(1)
  wire.hush()
  const sent = [1, 2, 3].map(n => log.append(message(['a'], n)))
  const told = log.notify({ kind: 'tell', rooms: ['a'], data: '4' })
  await eventually('all are kept', async () => (await kept()) === 5)
  wire.cut()
  wire.mend()
  const places = await Promise.all(sent)
  await told
  await node.hears(4)
  await log.append(message(['a'], 5))
  await node.hears(5)
  assert.deepEqual(data(node.entries), [0, 1, 2, 3, 5])
  assert.deepEqual(
    places.map(place => place.position),
    node.entries.slice(1, 4).map(entry => entry.position),
  )
  assert.equal(node.notices.length, 1)
  assert.equal(await kept(), 6)
})

redisTest('what has a key is kept once, also where each answer was lost, and whoever sends it', async t => {
  const { log, wire, kept, server } = await behindWire(t)
  await log.append(message(['a'], 0))
  wire.hush()
  const sent = log.append(message(['a'], 1), 'key')
  await eventually('it is kept', async () => (await kept()) === 2)
  wire.cut()
  wire.mend()
  const place = await sent
  const other = await redisEventLog({ url: server.url })('r', plenty, new LogBook())
  t.after(() => other.stop())
  await other.append(message(['a'], 2))
  assert.deepEqual(await other.append(message(['a'], 1), 'key'), place)
  assert.equal(await kept(), 3)
  await server.command('FLUSHALL')
  const again = await other.append(message(['a'], 1), 'key')
  assert.notEqual(again.epoch, place.epoch, 'what was lost is kept again')
})

redisTest('the last ten thousand keys are remembered, whatever became of what was sent with them', async t => {
  const { server } = await behindWire(t)
  const log = await redisEventLog({ url: server.url })('r', { ...plenty, count: 1 }, new LogBook())
  t.after(() => log.stop())
  await outlivesKeys(log)
})

redisTest('what was not kept before the connection broke is kept when it is back', async t => {
  const { log, wire } = await behindWire(t)
  const node = await new Node(log).start()
  wire.cut()
  const sent = [1, 2, 3].map(n => log.append(message(['a'], n)))
  await eventually('the node has noticed', () => !log.health.ready)
  wire.mend()
  await Promise.all(sent)
  assert.deepEqual(data(await node.hears(3)), [1, 2, 3])
})

redisTest('patience ends: a send is told that it was refused, or that nobody knows', async t => {
  const { log, wire, kept, server } = await behindWire(t, { patience: 300 })
  await log.append(message(['a'], 0))
  wire.hush()
  const unknown = log.append(message(['a'], 1))
  await eventually('it is kept', async () => (await kept()) === 2)
  wire.cut()
  await assert.rejects(unknown, isUnavailable('unknown'))
  await assert.rejects(log.append(message(['a'], 2)), isUnavailable('refused'))
  await assert.rejects(log.read(new Map([['a', 0]]), 10), isUnavailable('refused'))
  await assert.rejects(log.before('a', 1), isUnavailable('refused'))
  assert.equal(await kept(), 2)
  wire.mend()
  await eventually('it can be had again', () => log.append(message(['a'], 3)))
  await server.stop()
})

redisTest('an application without Redis does not start, and says why', async t => {
  const server = await RedisServer.start(t)
  await server.stop()
  const log = await redisEventLog({ url: server.url, patience: 100 })('r', plenty, new LogBook())
  t.after(() => log.stop())
  await assert.rejects(new Node(log).start(), (error: Error) => {
    isUnavailable('refused')(error)
    assert.match(String(error.cause), /ECONNREFUSED/)
    return true
  })
})

redisTest('without patience, and where too many wait, a send is refused at once', async t => {
  const { log, wire } = await behindWire(t, { waiting: 2 })
  await log.append(message(['a'], 0))
  wire.cut()
  const waiting = [1, 2].map(n => log.append(message(['a'], n)))
  await assert.rejects(log.append(message(['a'], 3)), isUnavailable('refused'))
  wire.mend()
  await Promise.all(waiting)
  const hasty = await behindWire(t, { patience: 0 })
  await eventually('it is connected', () => hasty.log.append(message(['a'], 0)))
  await hasty.log.append(message(['a'], 1))
  hasty.wire.cut()
  await assert.rejects(hasty.log.append(message(['a'], 2)), EventLogUnavailableError)
})

redisTest('a Redis that refuses is no Redis that is away: the sender hears why at once', async t => {
  const { log, server } = await behindWire(t)
  await log.append(message(['a'], 0))
  await server.command('SET', 'palomino:{r}:room:b', 'in the way')
  await assert.rejects(log.append(message(['b'], 1)), (error: Error) => {
    isUnavailable('refused')(error)
    assert.match(String(error.cause), /WRONGTYPE/)
    return true
  })
  const { entries } = await log.read(new Map([['a', 0]]), 10)
  assert.deepEqual(data(entries), [0])
})

redisTest('a Redis that hangs is left, and come back to', async t => {
  const { log, server, wire } = await behindWire(t, { patience: 10_000 })
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  server.freeze()
  const sent = log.append(message(['a'], 1))
  wire.cut()
  wire.mend()
  await eventually('the node has noticed', () => !log.health.ready)
  server.thaw()
  await sent
  assert.deepEqual(data(await node.hears(2)), [0, 1])
})

redisTest('health is told as it changes, and logged once', async t => {
  const heard: [string, LogHealth][] = []
  const { log, wire, book } = await behindWire(t, { onHealth: (...told) => heard.push(told) })
  assert.equal(log.health.ready, false)
  await new Node(log).start()
  await eventually('it is ready', () => log.health.ready && heard.length === 1)
  wire.cut()
  await eventually('it is away', () => heard.length === 2 && !log.health.ready)
  assert.ok(log.health.error instanceof Error)
  wire.mend()
  await eventually('it is back', () => heard.length === 3 && log.health.ready)
  assert.deepEqual(
    heard.map(([registry, { ready }]) => [registry, ready]),
    [
      ['r', true],
      ['r', false],
      ['r', true],
    ],
  )
  assert.deepEqual(book.warnings, ['the event log of the registry r is away'])
})

redisTest('an onHealth that throws is logged, and harms nothing', async t => {
  const onHealth = () => {
    throw new Error('too ill to tell')
  }
  const { log, book } = await behindWire(t, { onHealth })
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  await node.hears(1)
  await eventually('it is logged', () => book.messages.length === 1)
  assert.deepEqual(book.messages, ['onHealth of the registry r failed'])
})

for (const when of ['connected', 'away'] as const) {
  redisTest(`stop leaves nothing behind, while Redis is ${when}`, async t => {
    const { log, wire } = await behindWire(t)
    const before = activeHandles()
    await new Node(log).start()
    await log.append(message(['a'], 0))
    if (when === 'away') wire.cut()
    const late = when === 'away' ? log.append(message(['a'], 1)).catch(error => error) : undefined
    await log.stop()
    if (late !== undefined) assert.ok((await late) instanceof EventLogUnavailableError)
    assert.equal(log.health.ready, false)
    await assert.rejects(log.append(message(['a'], 2)), isUnavailable('refused'))
    await noHandlesLeft(before)
  })
}
