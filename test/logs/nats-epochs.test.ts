/** An epoch names one history of the data: one that was lost, or went back, is another, and never replayed as if it were whole. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { EventLog, LogEntry, LogRetention } from '../../src/index.js'
import { type NatsEventLogOptions, natsEventLog } from '../../src/logs/nats.js'
import { message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { NatsServer, natsTest } from '../support/nats-server.js'
import { plenty } from '../support/registry-peers.js'

async function openLog(t: TestContext, url: string, options: NatsEventLogOptions & { kept?: LogRetention } = {}) {
  const { kept, ...given } = options
  const log = await natsEventLog({ servers: url, patience: 15_000, ...given })(
    'r',
    { ...plenty, ...kept },
    new LogBook(),
  )
  t.after(() => log.stop())
  return log
}

async function startNode(t: TestContext, url: string, options?: Parameters<typeof openLog>[2]): Promise<Node> {
  return new Node(await openLog(t, url, options)).start()
}

const at = (positions: Record<string, number>) => new Map(Object.entries(positions))
const data = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

async function appendAll(log: EventLog, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await log.append(message(['a'], n))
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

natsTest('a restart with the data is no other epoch: what is sent all the while is heard once, in order', async t => {
  const server = await NatsServer.start(t)
  const [one, two] = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
  const sending = appendAll(one.log, 0, 300)
  await one.hears(50)
  await server.stop()
  await server.run()
  await sending
  await Promise.all([one.hears(300), two.hears(300)])
  for (const node of [one, two]) {
    assert.deepEqual(data(node.entries), numbers(0, 300))
    assert.deepEqual(new Set(node.places.map(place => place.epoch)).size, 1)
    assert.equal(node.places.length, 1, 'nobody was moved')
  }
  const [first] = one.entries
  const page = await two.log.read(at({ a: first?.position ?? 0 }), 1000)
  assert.equal(page.gaps.size, 0)
  assert.deepEqual(data(page.entries), numbers(1, 300))
})

natsTest('a restart without the data is another epoch, of which every node hears before all else', async t => {
  const server = await NatsServer.start(t)
  const [one, two] = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
  await appendAll(one.log, 0, 5)
  await Promise.all([one.hears(5), two.hears(5)])
  await server.stop()
  await server.runEmpty()
  const place = await two.log.append(message(['a'], 'new'))
  const before = two.places.at(0)?.epoch
  assert.notEqual(place.epoch, before)
  await Promise.all([one.hears(6), two.hears(6)])
  for (const node of [one, two]) {
    assert.deepEqual(node.places.at(-1), { epoch: place.epoch, position: 0 })
    assert.deepEqual(node.heard.slice(-2), ['reset', 'entry'])
  }
  assert.deepEqual(data((await one.log.read(at({ a: 0 }), 10)).entries), ['new'])
})

natsTest(
  'a stream that is deleted under load: in the new epoch every node hears all that was confirmed in it, once, in one order',
  async t => {
    const server = await NatsServer.start(t)
    const nodes = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
    const placed: { epoch: string; n: string }[] = []
    const send = async ({ log }: Node, name: string) => {
      for (let n = 0; n < 200; n++) {
        const { epoch } = await log.append(message(['a'], `${name}${n}`))
        placed.push({ epoch, n: `${name}${n}` })
      }
    }
    const sending = Promise.all(nodes.map((node, of) => send(node, 'xy'[of] ?? '')))
    await nodes[0]?.hears(60)
    await server.streams('delete')
    await sending
    const [first, last] = [placed[0]?.epoch, placed.at(-1)?.epoch]
    assert.notEqual(first, last)
    const confirmed = placed.filter(({ epoch }) => epoch === last).map(({ n }) => n)
    const heardOf = (node: Node) => {
      const reset = node.heard.lastIndexOf('reset')
      const before = node.heard.slice(0, reset).filter(kind => kind === 'entry').length
      return data(node.entries.slice(before)) as string[]
    }
    for (const node of nodes) {
      await eventually('the new epoch is heard', () => heardOf(node).length === confirmed.length)
      assert.equal(node.places.at(-1)?.epoch, last)
      assert.deepEqual(heardOf(node).toSorted(), confirmed.toSorted())
      assert.deepEqual(heardOf(node), heardOf(nodes[0] as Node))
      const page = await node.log.read(at({ a: 0 }), 1000)
      assert.deepEqual(data(page.entries), heardOf(node))
    }
  },
)

natsTest('a NATS that went back is another epoch for all as soon as a node comes that knows more', async t => {
  const server = await NatsServer.start(t)
  const [one, two] = await Promise.all([startNode(t, server.url), startNode(t, server.url)])
  await appendAll(one.log, 0, 5)
  await server.dump()
  await appendAll(one.log, 5, 8)
  await Promise.all([one.hears(8), two.hears(8)])
  const epoch = one.places[0]?.epoch
  await server.rollBack()
  await eventually('both have moved', () => [one, two].every(node => node.places.length === 2))
  assert.notEqual(one.places[1]?.epoch, epoch)
  assert.deepEqual(one.places[1], two.places[1])
  await one.log.append(message(['a'], 'new'))
  await Promise.all([one.hears(9), two.hears(9)])
  assert.deepEqual(data((await two.log.read(at({ a: 0 }), 10)).entries), ['new'])
})

natsTest('… also where others have sent more since than was lost', async t => {
  const server = await NatsServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const away = await startNode(t, `127.0.0.1:${wire.port}`)
  await appendAll(away.log, 0, 5)
  await server.dump()
  await appendAll(away.log, 5, 8)
  const known = await away.hears(8)
  wire.cut()
  await server.rollBack()
  const other = await startNode(t, server.url)
  assert.equal(other.places[0]?.epoch, away.places[0]?.epoch, 'nobody is here who knows that anything was lost')
  await appendAll(other.log, 100, 120)
  await other.hears(20)
  const seen = (index: number) => known[index]?.position ?? 0
  const held = await other.log.read(at({ a: seen(2) }), 100)
  assert.equal(held.gaps.size, 0)
  assert.deepEqual(data(held.entries), [3, 4, ...numbers(100, 120)])
  wire.mend()
  await eventually('the node that was away has moved', () => away.places.length === 2)
  await eventually('the other one has, too', () => other.places.length === 2)
  assert.notEqual(away.places[1]?.epoch, away.places[0]?.epoch)
  assert.deepEqual(other.places[1], away.places[1])
  await away.log.append(message(['a'], 'new'))
  await Promise.all([away.hears(9), other.hears(21)])
})

natsTest('an epoch that comes back from an old dump is over, and is not taken up again', async t => {
  const server = await NatsServer.start(t)
  const node = await startNode(t, server.url)
  await appendAll(node.log, 0, 3)
  await node.hears(3)
  await server.dump()
  await server.streams('delete')
  await eventually('the node has moved', () => node.places.length === 2)
  await server.rollBack()
  await eventually('the node has moved again', () => node.places.length === 3)
  assert.equal(new Set(node.places.map(place => place.epoch)).size, 3)
  assert.deepEqual(data((await node.log.read(at({ a: 0 }), 10)).entries), [])
})

natsTest('a node that starts later knows of each room what the others know', async t => {
  const server = await NatsServer.start(t)
  const kept = { count: 5 }
  const first = await startNode(t, server.url, { kept, tail: 1 })
  const { position } = await first.log.append(message(['quiet'], 'quiet'))
  await first.log.append(message(['a', 'b'], 'both'))
  await appendAll(first.log, 0, 100)
  await first.hears(102)
  const later = await startNode(t, server.url, { kept, tail: 1 })
  assert.deepEqual(later.entries, [])
  assert.equal(later.places[0]?.position, first.entries.at(-1)?.position)
  for (const from of [0, position, 3, 50, 97, 98, 103]) {
    const asked = at({ a: from, b: from, quiet: from, never: from })
    assert.deepEqual(await later.log.read(asked, 1000), await first.log.read(asked, 1000), `from ${from}`)
  }
  assert.deepEqual(data((await later.log.read(at({ quiet: 0, never: 0, b: 0 }), 10)).entries), ['quiet', 'both'])
})

natsTest('what the stream had no room for is a gap to those who come to a node that starts later', async t => {
  const server = await NatsServer.start(t)
  const stream = { count: 10 }
  const first = await startNode(t, server.url, { stream })
  for (let n = 0; n < 30; n++) await first.log.append(message([n < 5 ? 'quiet' : 'a'], n))
  await first.hears(30)
  const later = await startNode(t, server.url, { stream })
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
  const first = await startNode(t, server.url, { stream })
  const place = await first.log.append(message(['a'], 'keyed'), 'key')
  for (let n = 1; n < 4; n++) await first.log.append(message(['a'], n))
  assert.deepEqual(await (await openLog(t, server.url, { stream })).append(message(['a'], 'again'), 'key'), place)
  for (let n = 4; n < 30; n++) await first.log.append(message(['a'], n))
  await first.hears(30)
  assert.deepEqual(await first.log.append(message(['a'], 'again'), 'key'), place)
  const anew = await (await openLog(t, server.url, { stream })).append(message(['a'], 'anew'), 'key')
  assert.ok(anew.position > place.position)
  assert.deepEqual(data(await first.hears(31)).at(-1), 'anew')
})

natsTest('what was purged is a gap to those who come to a node that starts later', async t => {
  const server = await NatsServer.start(t)
  const first = await startNode(t, server.url)
  await appendAll(first.log, 0, 5)
  await first.hears(5)
  const seen = (n: number) => at({ a: first.entries[n]?.position ?? 0 })
  await server.streams('purge')
  const later = await startNode(t, server.url)
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
  const away = await startNode(t, `127.0.0.1:${wire.port}`, options)
  const other = await startNode(t, server.url, options)
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
  assert.deepEqual(data(page.entries), ['b', ...numbers(350, 400)])
  await other.log.append(message(['a'], 'live'))
  assert.deepEqual(data(await away.hears(4)).at(-1), 'live')
})

natsTest('… and one that was away for a moment is given each, though the room forgets sooner', async t => {
  const server = await NatsServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const kept = { count: 1 }
  const [away, other] = [
    await startNode(t, `127.0.0.1:${wire.port}`, { kept }),
    await startNode(t, server.url, { kept }),
  ]
  await appendAll(other.log, 0, 1)
  await away.hears(1)
  wire.cut()
  await appendAll(other.log, 1, 300)
  wire.mend()
  assert.deepEqual(data(await away.hears(300)), numbers(0, 300))
  assert.equal(away.places.length, 1)
})

natsTest('rooms whose entries are too old are a gap for those who missed them, and for no others', async t => {
  const server = await NatsServer.start(t)
  const { log } = await startNode(t, server.url, { kept: { age: 50 } })
  const { position } = await log.append(message(['a'], 1))
  await log.append(message(['b'], 2))
  const page = await eventually('they are gone', async () => {
    const read = await log.read(at({ a: position, b: position, c: 0 }), 10)
    return read.gaps.size > 0 ? read : undefined
  })
  assert.deepEqual([...page.gaps.keys()], ['b'])
  assert.deepEqual(page.entries, [])
})

natsTest('what somebody else puts into the stream is passed over', async t => {
  const server = await NatsServer.start(t)
  const node = await startNode(t, server.url)
  await server.publish('palomino.r.notice', 'hello?')
  await appendAll(node.log, 0, 1)
  assert.deepEqual(data(await node.hears(1)), [0])
  assert.deepEqual(node.notices, [])
})
