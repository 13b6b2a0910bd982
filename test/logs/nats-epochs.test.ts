/** Epochs of streams of NATS, and what nodes know of them that start later, or were away. */
import assert from 'node:assert/strict'
import { appendAll, at, dataOf, message, numbers } from '../contract/event-log.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { nats, openLog, startNode } from '../support/log-kinds.js'
import { NatsServer, natsTest } from '../support/nats-server.js'
import { testEpochs } from './epochs.js'

testEpochs(nats)

natsTest('a node that starts later knows of each room what the others know', async t => {
  const server = await NatsServer.start(t)
  const kept = { count: 5 }
  const first = await startNode(t, nats, server.port, { kept, tail: 1 })
  const { position } = await first.log.append(message(['quiet'], 'quiet'))
  await first.log.append(message(['a', 'b'], 'both'))
  await appendAll(first.log, 0, 100)
  await first.hears(102)
  const later = await startNode(t, nats, server.port, { kept, tail: 1 })
  assert.deepEqual(later.entries, [])
  assert.equal(later.places[0]?.position, first.entries.at(-1)?.position)
  for (const from of [0, position, 3, 50, 97, 98, 103]) {
    const asked = at({ a: from, b: from, quiet: from, never: from })
    assert.deepEqual(await later.log.read(asked, 1000), await first.log.read(asked, 1000), `from ${from}`)
  }
  assert.deepEqual(dataOf((await later.log.read(at({ quiet: 0, never: 0, b: 0 }), 10)).entries), ['quiet', 'both'])
})

natsTest('what the stream had no room for is a gap to those who come to a node that starts later', async t => {
  const server = await NatsServer.start(t)
  const stream = { count: 10 }
  const first = await startNode(t, nats, server.port, { stream })
  for (let n = 0; n < 30; n++) await first.log.append(message([n < 5 ? 'quiet' : 'a'], n))
  await first.hears(30)
  const later = await startNode(t, nats, server.port, { stream })
  const seen = first.entries.map(entry => entry.position)
  const gapsAt = async (from = 0) => [...(await later.log.read(at({ a: from, quiet: from }), 100)).gaps.keys()]
  assert.deepEqual(await gapsAt(seen[18]), ['a', 'quiet'])
  assert.deepEqual(await gapsAt(seen[25]), [])
  const known = await first.log.read(at({ quiet: seen[4] ?? 0 }), 100)
  assert.equal(known.gaps.size, 0, 'a node that was there knows that nothing was missed')
})

natsTest('a key is known while the stream holds its message, and to a node that has heard it', async t => {
  const server = await NatsServer.start(t)
  const stream = { count: 10 }
  const first = await startNode(t, nats, server.port, { stream })
  const place = await first.log.append(message(['a'], 'keyed'), 'key')
  for (let n = 1; n < 4; n++) await first.log.append(message(['a'], n))
  assert.deepEqual(
    await (await openLog(t, nats, server.port, { stream })).append(message(['a'], 'again'), 'key'),
    place,
  )
  for (let n = 4; n < 30; n++) await first.log.append(message(['a'], n))
  await first.hears(30)
  assert.deepEqual(await first.log.append(message(['a'], 'again'), 'key'), place)
  const anew = await (await openLog(t, nats, server.port, { stream })).append(message(['a'], 'anew'), 'key')
  assert.ok(anew.position > place.position)
  assert.deepEqual(dataOf(await first.hears(31)).at(-1), 'anew')
})

natsTest('what was purged is a gap to those who come to a node that starts later', async t => {
  const server = await NatsServer.start(t)
  const first = await startNode(t, nats, server.port)
  await appendAll(first.log, 0, 5)
  await first.hears(5)
  const seen = (n: number) => at({ a: first.entries[n]?.position ?? 0 })
  await server.streams('purge')
  const later = await startNode(t, nats, server.port)
  assert.equal(later.places[0]?.epoch, first.places[0]?.epoch)
  assert.deepEqual([...(await later.log.read(seen(3), 10)).gaps.keys()], ['a'])
  assert.equal((await later.log.read(seen(4), 10)).gaps.size, 0)
  await appendAll(first.log, 5, 6)
  await Promise.all([first.hears(6), later.hears(1)])
  assert.equal(first.places.length, 1)
})

natsTest('a node that was away for longer than the stream can tell it of is moved on, in the same epoch', async t => {
  const server = await NatsServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const options = { kept: { count: 50 }, tail: 100 }
  const away = await startNode(t, nats, wire.port, options)
  const other = await startNode(t, nats, server.port, options)
  await appendAll(other.log, 0, 3)
  await Promise.all([away.hears(3), other.hears(3)])
  wire.cut()
  await other.log.append(message(['b'], 'b'))
  await appendAll(other.log, 3, 400)
  await other.hears(401)
  wire.mend()
  await eventually('it has moved', () => away.places.length === 2)
  const [before, after] = away.places
  assert.equal(after?.epoch, before?.epoch)
  assert.equal(after?.position, other.entries.at(-1)?.position)
  const { position = 0 } = away.entries.at(-1) ?? {}
  const page = await away.log.read(at({ a: position, b: position }), 1000)
  assert.deepEqual([...page.gaps.keys()], ['a'], 'the other room has lost nothing')
  assert.deepEqual(dataOf(page.entries), ['b', ...numbers(350, 400)])
  await other.log.append(message(['a'], 'live'))
  assert.deepEqual(dataOf(await away.hears(4)).at(-1), 'live')
})

natsTest('… and one that was away for a moment is given each, though the room forgets sooner', async t => {
  const server = await NatsServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const kept = { count: 1 }
  const [away, other] = [await startNode(t, nats, wire.port, { kept }), await startNode(t, nats, server.port, { kept })]
  await appendAll(other.log, 0, 1)
  await away.hears(1)
  wire.cut()
  await appendAll(other.log, 1, 300)
  wire.mend()
  assert.deepEqual(dataOf(await away.hears(300)), numbers(0, 300))
  assert.equal(away.places.length, 1)
})

natsTest('what somebody else puts into the stream is passed over', async t => {
  const server = await NatsServer.start(t)
  const node = await startNode(t, nats, server.port)
  await server.publish('palomino.r.notice', 'hello?')
  await appendAll(node.log, 0, 1)
  assert.deepEqual(dataOf(await node.hears(1)), [0])
  assert.deepEqual(node.notices, [])
})
