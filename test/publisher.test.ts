import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ConnectionRegistry, createPublisher, MemoryEventLog, Registry } from '../src/index.js'
import { redisEventLog } from '../src/logs/redis.js'
import { message, Node } from './contract/event-log.js'
import { LogBook } from './support/app.js'
import { activeHandles, noHandlesLeft } from './support/handles.js'
import { RedisServer, redisTest } from './support/redis-server.js'
import { plenty } from './support/registry-peers.js'

@Registry('scores')
class Scores extends ConnectionRegistry<{ goal: { team: string }; over: null }> {}

@Registry('cursors', { history: false })
class Cursors extends ConnectionRegistry<{ moved: number }> {}

test('a publisher sends into the log of an application in its process, and leaves it running', async () => {
  const log = new MemoryEventLog(plenty)
  const node = await new Node(log).start()
  const scores = await createPublisher(Scores, log)
  const id = await scores.to('final').send('goal', { team: 'red' })
  await scores.broadcast('over')
  await scores.tell('final', { hello: 1 })
  await scores.disconnect('final', { code: 4000 })
  await scores.tell({ user: 'ada' }, { hello: 2 })
  await scores.disconnect({ user: 'ada' }, { text: 'away' })
  assert.match(id ?? '', /^[0-9a-f]+-1$/)
  assert.deepEqual(
    node.entries.map(({ rooms, event, data }) => ({ rooms, event, data })),
    [
      { rooms: ['final'], event: 'goal', data: '{"team":"red"}' },
      { rooms: undefined, event: 'over', data: 'null' },
    ],
  )
  assert.deepEqual(node.notices, [
    { kind: 'tell', rooms: ['final'], data: '{"hello":1}' },
    { kind: 'disconnect', target: 'final', code: 4000 },
    { kind: 'tell', rooms: [], user: 'ada', data: '{"hello":2}' },
    { kind: 'disconnect', user: 'ada', text: 'away' },
  ])
  await assert.rejects(scores.disconnect('final', { code: 1 }), RangeError)
  assert.throws(() => scores.to('\0'), TypeError)
  await scores.close()
  await log.append(message(['final'], 'still here'))
  assert.equal(node.entries.length, 3)
  await log.stop()
})

async function onRedis(t: TestContext) {
  const { url } = await RedisServer.start(t)
  const open = redisEventLog({ url })
  const listen = async (registry: string) => {
    const log = await open(registry, plenty, new LogBook())
    t.after(() => log.stop())
    return new Node(log).start()
  }
  return { url, listen }
}

redisTest('a worker without a server publishes through Redis, and ends with nothing left', async t => {
  const { url, listen } = await onRedis(t)
  const [scoring, moving] = [await listen('scores'), await listen('cursors')]
  const before = activeHandles()
  const scores = await createPublisher(Scores, redisEventLog({ url }))
  const cursors = await createPublisher(Cursors, redisEventLog({ url }))
  const ids = await Promise.all(['red', 'blue'].map(team => scores.to('final').send('goal', { team })))
  assert.equal(await cursors.to('board').send('moved', 1), undefined)
  await scoring.hears(2)
  const epoch = scoring.places[0]?.epoch
  assert.deepEqual(
    ids,
    scoring.entries.map(entry => `${epoch}-${entry.position}`),
  )
  await cursors.broadcast('moved', 2)
  await moving.log.notify({ kind: 'tell', rooms: undefined, data: '1' })
  assert.equal(moving.entries.length, 0)
  await scores.close()
  await cursors.close()
  await noHandlesLeft(before)
})
