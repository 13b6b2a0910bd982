/** An epoch names one history of the data: one that was lost, or went back, is another, and never replayed as if it were whole. */
import assert from 'node:assert/strict'
import { appendAll, at, dataOf, message, type Node, numbers } from '../contract/event-log.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { type LogKind, startNode } from '../support/log-kinds.js'

export function testEpochs(kind: LogKind): void {
  kind.test(
    'a restart with the data is no other epoch: what is sent all the while is heard once, in order',
    async t => {
      const server = await kind.start(t, 'lasting')
      const [one, two] = await Promise.all([startNode(t, kind, server.port), startNode(t, kind, server.port)])
      const sending = appendAll(one.log, 0, 300)
      await one.hears(50)
      await server.stop()
      await server.run()
      await sending
      await Promise.all([one.hears(300), two.hears(300)])
      for (const node of [one, two]) {
        assert.deepEqual(dataOf(node.entries), numbers(0, 300))
        assert.deepEqual(new Set(node.places.map(place => place.epoch)).size, 1)
        assert.equal(node.places.length, 1, 'nobody was moved')
      }
      const [first] = one.entries
      const page = await two.log.read(at({ a: first?.position ?? 0 }), 1000)
      assert.equal(page.gaps.size, 0)
      assert.deepEqual(dataOf(page.entries), numbers(1, 300))
    },
  )

  kind.test('a restart without the data is another epoch, of which every node hears before all else', async t => {
    const server = await kind.start(t)
    const [one, two] = await Promise.all([startNode(t, kind, server.port), startNode(t, kind, server.port)])
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
    assert.deepEqual(dataOf((await one.log.read(at({ a: 0 }), 10)).entries), ['new'])
  })

  kind.test(
    'data that is deleted under load: in the new epoch every node hears all that was confirmed in it, once, in one order',
    async t => {
      const server = await kind.start(t)
      const nodes = await Promise.all([startNode(t, kind, server.port), startNode(t, kind, server.port)])
      const placed: { epoch: string; n: string }[] = []
      const send = async ({ log }: Node, name: string) => {
        for (let n = 0; n < 200; n++) {
          const { epoch } = await log.append(message(['a'], `${name}${n}`))
          placed.push({ epoch, n: `${name}${n}` })
        }
      }
      const sending = Promise.all(nodes.map((node, of) => send(node, 'xy'[of] ?? '')))
      await nodes[0]?.hears(60)
      await server.wipe()
      await sending
      const [first, last] = [placed[0]?.epoch, placed.at(-1)?.epoch]
      assert.notEqual(first, last)
      const confirmed = placed.filter(({ epoch }) => epoch === last).map(({ n }) => n)
      const heardOf = (node: Node) => {
        const reset = node.heard.lastIndexOf('reset')
        const before = node.heard.slice(0, reset).filter(kind => kind === 'entry').length
        return dataOf(node.entries.slice(before)) as string[]
      }
      for (const node of nodes) {
        await eventually('the new epoch is heard', () => heardOf(node).length === confirmed.length)
        assert.equal(node.places.at(-1)?.epoch, last)
        assert.deepEqual(heardOf(node).toSorted(), confirmed.toSorted())
        assert.deepEqual(heardOf(node), heardOf(nodes[0] as Node))
        const page = await node.log.read(at({ a: 0 }), 1000)
        assert.deepEqual(dataOf(page.entries), heardOf(node))
      }
    },
  )

  kind.test(
    `a ${kind.name} that went back is another epoch for all as soon as a node comes that knows more`,
    async t => {
      const server = await kind.start(t)
      const [one, two] = await Promise.all([startNode(t, kind, server.port), startNode(t, kind, server.port)])
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
      assert.deepEqual(dataOf((await two.log.read(at({ a: 0 }), 10)).entries), ['new'])
    },
  )

  kind.test('… also where others have sent more since than was lost', async t => {
    const server = await kind.start(t)
    const wire = await CuttableWire.to(server.port)
    t.after(() => wire.close())
    const away = await startNode(t, kind, wire.port)
    await appendAll(away.log, 0, 5)
    await server.dump()
    await appendAll(away.log, 5, 8)
    const known = await away.hears(8)
    wire.cut()
    await server.rollBack()
    const other = await startNode(t, kind, server.port)
    assert.equal(other.places[0]?.epoch, away.places[0]?.epoch, 'nobody is here who knows that anything was lost')
    await appendAll(other.log, 100, 120)
    await other.hears(20)
    const seen = (index: number) => known[index]?.position ?? 0
    const held = await other.log.read(at({ a: seen(2) }), 100)
    assert.equal(held.gaps.size, 0)
    assert.deepEqual(dataOf(held.entries), [3, 4, ...numbers(100, 120)])
    if (kind.remembersLoss) {
      const lost = await other.log.read(at({ a: seen(6) }), 100)
      assert.deepEqual([...lost.gaps.keys()], ['a'], 'a peer that saw what was lost is told')
      assert.deepEqual(dataOf(lost.entries), numbers(100, 120))
    }
    wire.mend()
    await eventually('the node that was away has moved', () => away.places.length === 2)
    await eventually('the other one has, too', () => other.places.length === 2)
    assert.notEqual(away.places[1]?.epoch, away.places[0]?.epoch)
    assert.deepEqual(other.places[1], away.places[1])
    await away.log.append(message(['a'], 'new'))
    await Promise.all([away.hears(9), other.hears(21)])
  })

  kind.test('an epoch that comes back from an old dump is over, and is not taken up again', async t => {
    const server = await kind.start(t)
    const node = await startNode(t, kind, server.port)
    await appendAll(node.log, 0, 3)
    await node.hears(3)
    await server.dump()
    await server.wipe()
    await eventually('the node has moved', () => node.places.length === 2)
    await server.rollBack()
    await eventually('the node has moved again', () => node.places.length === 3)
    assert.equal(new Set(node.places.map(place => place.epoch)).size, 3)
    assert.deepEqual(dataOf((await node.log.read(at({ a: 0 }), 10)).entries), [])
  })

  kind.test('rooms whose entries are too old are a gap for those who missed them, and for no others', async t => {
    const server = await kind.start(t)
    const { log } = await startNode(t, kind, server.port, { kept: { age: 50 } })
    const { position } = await log.append(message(['a'], 1))
    await log.append(message(['b'], 2))
    const page = await eventually('they are gone', async () => {
      const read = await log.read(at({ a: position, b: position, c: 0 }), 10)
      return read.gaps.size > 0 ? read : undefined
    })
    assert.deepEqual([...page.gaps.keys()], ['b'])
    assert.deepEqual(page.entries, [])
  })
}
