/** While NATS is away, refuses, or has no JetStream. */
import assert from 'node:assert/strict'
import { dataOf, isUnavailable, message, Node } from '../contract/event-log.js'
import { eventually } from '../support/eventually.js'
import { behindWire, nats, openLog } from '../support/log-kinds.js'
import { NatsServer, natsTest } from '../support/nats-server.js'
import { LONG_ENOUGH, testAway } from './away.js'

testAway(nats)

natsTest('what NATS refuses is no NATS that is away: the sender hears why at once', async t => {
  const { log } = await behindWire(t, nats)
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  await assert.rejects(log.append(message(['a'], 'x'.repeat(2_000_000))), isUnavailable('refused', /max_payload/))
  const { entries } = await node.log.read(new Map([['a', 0]]), 10)
  assert.deepEqual(dataOf(entries), [0])
})

natsTest('a NATS without JetStream is a log that cannot be had, and its sender hears why', async t => {
  const server = await NatsServer.start(t, [])
  const log = await openLog(t, nats, server.port, { patience: LONG_ENOUGH })
  await assert.rejects(log.append(message(['a'], 0)), isUnavailable('refused', /jetstream is not enabled/))
})

natsTest('while NATS is away, peers that come back are answered from what the node remembers', async t => {
  const { log, wire } = await behindWire(t, nats, { patience: 300 })
  const node = await new Node(log).start()
  for (let n = 0; n < 3; n++) await log.append(message(['a'], n))
  const [first] = await node.hears(3)
  wire.cut()
  await eventually('the node has noticed', () => !log.health.ready)
  const page = await log.read(new Map([['a', first?.position ?? 0]]), 10)
  assert.deepEqual(dataOf(page.entries), [1, 2])
  assert.equal(page.gaps.size, 0)
  const ahead = new Map([['a', page.upTo + 1]])
  await assert.rejects(log.read(ahead, 10), isUnavailable('refused'), 'what is not known is not answered')
})
