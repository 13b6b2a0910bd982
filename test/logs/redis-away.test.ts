/** While Redis is away, or refuses; and what becomes of keys. */
import assert from 'node:assert/strict'
import { dataOf, isUnavailable, message, outlivesKeys } from '../contract/event-log.js'
import { eventually } from '../support/eventually.js'
import { behindWire, openLog, redis } from '../support/log-kinds.js'
import { redisTest } from '../support/redis-server.js'
import { testAway } from './away.js'

testAway(redis)

redisTest('what has a key is kept once, also where each answer was lost, and whoever sends it', async t => {
  const { log, wire, server } = await behindWire(t, redis)
  await log.append(message(['a'], 0))
  wire.hush()
  const sent = log.append(message(['a'], 1), 'key')
  await eventually('it is kept', async () => (await server.said()) === 2)
  wire.cut()
  wire.mend()
  const place = await sent
  const other = await openLog(t, redis, server.port)
  await other.append(message(['a'], 2))
  assert.deepEqual(await other.append(message(['a'], 1), 'key'), place)
  assert.equal(await server.said(), 3)
  await server.wipe()
  const again = await other.append(message(['a'], 1), 'key')
  assert.notEqual(again.epoch, place.epoch, 'what was lost is kept again')
})

redisTest('the last ten thousand keys are remembered, whatever became of what was sent with them', async t => {
  const { server } = await behindWire(t, redis)
  const log = await openLog(t, redis, server.port, { kept: { count: 1 } })
  await outlivesKeys(log)
})

redisTest('a Redis that refuses is no Redis that is away: the sender hears why at once', async t => {
  const { log, server } = await behindWire(t, redis)
  await log.append(message(['a'], 0))
  await server.command('SET', 'palomino:{r}:room:b', 'in the way')
  await assert.rejects(log.append(message(['b'], 1)), isUnavailable('refused', /WRONGTYPE/))
  const { entries } = await log.read(new Map([['a', 0]]), 10)
  assert.deepEqual(dataOf(entries), [0])
})
