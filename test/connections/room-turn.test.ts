/** What one room is sent within one turn: joined for those whom nothing else is on its way to, and in order for all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryEventLog } from '../../src/index.js'
import { LineCodec, plenty, startRegistry, TestConnection, TestRegistry, turn } from '../support/registry-peers.js'

async function members(count: number, options: ConstructorParameters<typeof TestConnection>[0] = {}) {
  const registry = await startRegistry()
  const peers = Array.from({ length: count }, () => new TestConnection(options))
  for (const peer of peers) await registry.join(peer, 'a')
  await turn()
  for (const { wire } of peers) {
    wire.frames.length = 0 // the place where it joined
    wire.writes = 0
  }
  return { registry, peers: peers as [TestConnection, TestConnection, TestConnection] }
}

test('is one write for each member, and encoded once', async () => {
  const codec = new LineCodec()
  const { registry, peers } = await members(3, { codec })
  codec.encoded = 0
  for (let number = 1; number <= 10; number++) registry.to('a').send('said', number)
  await turn()
  for (const { wire, data } of peers) {
    assert.equal(wire.writes, 1)
    assert.deepEqual(data, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  }
  assert.equal(codec.encoded, 10)
})

test('keeps its place between all else that comes to its members in the same turn', async () => {
  const { registry, peers } = await members(3)
  const [one, two, three] = peers
  const room = () => registry.to('a')
  room().send('said', 1)
  one.send('own')
  room().send('said', 2)
  registry.to(['a', 'b']).send('said', 3)
  room().send('said', 4)
  room().except(two).send('said', 5)
  room().volatile().send('said', 6)
  registry.broadcast('said', 7)
  room().send('said', 8)
  registry.leave(one, 'a')
  room().send('said', 9)
  const late = new TestConnection()
  await registry.join(late, 'a')
  room().send('said', 10)
  await turn(2)
  assert.deepEqual(one.data, [1, 'own', 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(two.data, [1, 2, 3, 4, 6, 7, 8, 9, 10])
  assert.deepEqual(three.data, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  assert.deepEqual(late.data, [10])
  const places = three.frames.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('-')[1])]))
  assert.deepEqual(places, [1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual(
    two.frames.filter(({ event, id }) => event === undefined && id !== undefined).map(({ id }) => id?.split('-')[1]),
    ['5'],
  )
})

test('is told of by what another registry sends behind it', async () => {
  const { registry, peers } = await members(1)
  const [peer] = peers
  const other = await startRegistry({ name: 'other' })
  await other.join(peer, 'a')
  registry.to('a').send('said', 1)
  other.to('a').send('said', 2)
  await turn()
  const [first, second] = peer.frames.filter(frame => 'data' in frame)
  assert.equal(first?.data, 1)
  const [told = '', ...more] = second?.id?.split(',') ?? []
  assert.equal(told, first?.id?.split(',')[0])
  assert.equal(more.length, 1)
})

test('waits in order in front of a member that is behind, while the others get it', async () => {
  const { registry, peers } = await members(3)
  const [slow, fast] = peers
  slow.wire.pause()
  registry.to('a').send('said', 1)
  await turn()
  for (const number of [2, 3]) registry.to('a').send('said', number)
  registry.to('a').volatile().send('said', 'passing')
  await turn()
  assert.deepEqual(fast.data, [1, 2, 3, 'passing'])
  assert.equal(fast.wire.writes, 2)
  slow.wire.resume()
  await turn()
  assert.deepEqual(slow.data, [1, 2, 3])
})

test('ends who is full when all have it, and leaves nothing out before', async () => {
  const { registry, peers } = await members(2, { limit: 500 })
  const [slow, fast] = peers
  slow.wire.pause()
  for (let number = 1; number <= 20; number += 5) {
    for (let more = 0; more < 5; more++) registry.to('a').send('said', number + more)
    await turn()
  }
  assert.deepEqual(slow.closeReason, { kind: 'overflow' })
  slow.wire.resume()
  assert.deepEqual(slow.data, [1, 2, 3, 4, 5])
  assert.deepEqual(
    fast.data,
    Array.from({ length: 20 }, (_, index) => index + 1),
  )
})

test('does not come again to who has read it from the log meanwhile', async () => {
  const { registry, peers } = await members(1)
  const [there] = peers
  const late = new TestConnection({ opening: true })
  await registry.join(late, 'a')
  registry.to('a').volatile().send('said', 'passing')
  registry.to('a').send('said', 1)
  late.opened()
  await turn(2)
  assert.deepEqual(there.data, ['passing', 1])
  assert.deepEqual(
    late.data.filter(data => data === 1),
    [1],
  )
})

/** Tells others of who has gone. */
class Farewells extends TestRegistry {
  say: () => void = () => {}
  protected override left(): void {
    this.say()
  }
}

test('loses nothing that another registry sends while it is brought to members', async () => {
  const registry = await startRegistry({ registry: new Farewells() })
  const other = await startRegistry({ name: 'other' })
  const [slow, there, elsewhere] = [new TestConnection({ limit: 200 }), new TestConnection(), new TestConnection()]
  await registry.join(slow, 'a')
  await registry.join(there, 'b')
  await other.join(elsewhere, 'a')
  await turn()
  slow.wire.pause()
  registry.say = () => void other.to('a').send('said', 'gone')
  for (const text of ['x'.repeat(100), 'y'.repeat(100)]) registry.to('a').send('said', text)
  registry.to('b').send('said', 'here')
  assert.equal(slow.closeReason?.kind, 'overflow')
  await turn(2)
  assert.deepEqual([there.data, elsewhere.data], [['here'], ['gone']])
})

test('passes over whom it is to pass over, also where it is sent while another turn is written', async () => {
  const registry = await startRegistry({ registry: new Farewells() })
  const [slow, one, two] = [new TestConnection({ limit: 200 }), new TestConnection(), new TestConnection()]
  for (const peer of [slow, one, two]) await registry.join(peer, 'a')
  await turn()
  slow.wire.pause()
  registry.say = () => void registry.to('a').except(one).send('said', 'gone')
  for (const text of ['x'.repeat(100), 'y'.repeat(100)]) registry.to('a').send('said', text)
  await turn(2)
  assert.equal(slow.closeReason?.kind, 'overflow')
  assert.deepEqual([one.data.at(-1), two.data.at(-1)], ['y'.repeat(100), 'gone'])
})

test('is encoded and joined once for each wire format, whoever stands beside whom', async () => {
  const registry = await startRegistry()
  const codecs = [new LineCodec(), new LineCodec()]
  const peers = Array.from({ length: 6 }, (_, index) => new TestConnection({ codec: codecs[index % 2] as LineCodec }))
  for (const peer of peers) await registry.join(peer, 'a')
  await turn()
  const written = new Set<Buffer>()
  for (const { wire } of peers) {
    const write = wire.write.bind(wire)
    wire.write = bytes => write(written.add(bytes) && bytes)
  }
  for (const number of [1, 2, 3]) registry.to('a').send('said', number)
  await turn()
  assert.ok(peers.every(({ data }) => data.length === 3))
  assert.equal(written.size, 2)
})

test('comes before who catches up is live: what it brings about then is not undone', async () => {
  const log = new MemoryEventLog(plenty)
  const registry = await startRegistry({ log })
  const other = await startRegistry({ name: 'other', registry: new Farewells() })
  const [slow, late] = [new TestConnection({ limit: 200 }), new TestConnection()]
  await other.join(slow, 's')
  await turn()
  slow.wire.pause()
  const read = log.read.bind(log)
  let reads = 0
  log.read = async (...asked) => {
    const page = await read(...asked)
    reads++
    if (reads === 1) registry.to('a').except(late).send('said', 2)
    if (reads === 2) for (const text of ['x'.repeat(100), 'y'.repeat(100)]) other.to('s').send('said', text)
    return page
  }
  other.say = () => void registry.join(late, 'b')
  const joined = registry.join(late, 'a')
  registry.to('a').send('said', 1)
  await joined
  assert.equal(slow.closeReason?.kind, 'overflow')
  await registry.to('b').send('said', 3)
  await turn(2)
  assert.deepEqual(late.data, [1, 3])
})

test('is had by who leaves for what is sent behind another turn', async () => {
  const registry = await startRegistry({ registry: new Farewells() })
  const [slow, leaver] = [new TestConnection({ limit: 200 }), new TestConnection()]
  await registry.join(slow, 'a')
  await registry.join(leaver, 'b')
  await turn()
  slow.wire.pause()
  registry.say = () => {
    registry.say = () => {}
    registry.leave(leaver, 'b')
  }
  for (const text of ['x'.repeat(100), 'y'.repeat(100)]) registry.to('a').send('said', text)
  registry.to('b').send('said', 'last')
  registry.to('b').send('said', 'too late')
  await turn(2)
  assert.equal(slow.closeReason?.kind, 'overflow')
  assert.deepEqual(leaver.data, ['last'])
})
