import assert from 'node:assert/strict'
import { eventually } from './eventually.js'
import { at, dataOf, message } from './listening-node.js'
import type { Subject } from './subject.js'

/** What the nodes of one registry share. */
export function testManyNodes(subject: Subject): void {
  testOneOrder(subject)
  testComingAndGoing(subject)
}

function testOneOrder(subject: Subject): void {
  subject.nodes('all nodes hear all messages in one order', async opened => {
    const pair = await opened.pair()
    await Promise.all(
      pair.flatMap(({ log }, of) => Array.from({ length: 20 }, (_, n) => log.append(message(['a'], [of, n])))),
    )
    const [first, second] = await Promise.all(pair.map(node => node.hears(40)))
    assert.deepEqual(first, second)
  })

  subject.nodes('… what is volatile, told and disconnected in between included', async opened => {
    const [one, two] = await opened.pair()
    const pair = [one, two]
    const say = async ({ log }: typeof one, name: string) => {
      for (let n = 0; n < 10; n++) {
        await log.append(message(['a'], n))
        await log.notify({ kind: 'event', volatile: true, ...message(['a'], n) })
        await log.notify({ kind: 'tell', rooms: undefined, data: `${n}` })
        await log.notify({ kind: 'disconnect', target: `${name}${n}` })
      }
    }
    await Promise.all(pair.map((node, of) => say(node, 'xy'[of] ?? '')))
    await eventually('all', () => pair.every(node => node.messages.length === 80))
    assert.deepEqual(JSON.parse(JSON.stringify(one.messages)), JSON.parse(JSON.stringify(two.messages)))
  })

  subject.nodes('who never starts is heard by those who did', async opened => {
    const node = await opened.node()
    const publisher = await opened.log()
    const { epoch } = await publisher.append(message(['a'], 1))
    await publisher.notify({ kind: 'tell', rooms: ['a'], data: '2' })
    assert.deepEqual(dataOf(await node.hears(1)), [1])
    await eventually('the notice', () => node.notices.length === 1)
    assert.equal(epoch, node.places[0]?.epoch)
  })
}

function testComingAndGoing(subject: Subject): void {
  subject.nodes('a peer that comes from another node has not been further than the log', async opened => {
    const [one, two] = await opened.pair()
    for (let n = 0; n < 50; n++) {
      const { position } = await one.log.append(message(['a'], n))
      const page = await two.log.read(at({ a: position }), 10)
      assert.equal(page.gaps.size, 0)
      assert.ok(page.upTo >= position)
    }
  })

  subject.nodes('a node that starts later knows what was sent, and forgotten, before', async opened => {
    const kept = { count: 3 }
    const one = await opened.node(kept)
    const { position: before } = await one.log.append(message(['quiet'], 'quiet'))
    for (let n = 0; n < 10; n++) await one.log.append(message(['a', 'b'], n))
    await one.hears(11)
    const later = await opened.node(kept)
    assert.deepEqual(later.places, [{ epoch: one.places[0]?.epoch, position: one.entries.at(-1)?.position }])
    assert.deepEqual(later.entries, [])
    for (const position of [0, before, ...one.entries.map(entry => entry.position)]) {
      const asked = at({ a: position, quiet: position, never: position })
      assert.deepEqual(await later.log.read(asked, 100), await one.log.read(asked, 100), `behind ${position}`)
    }
    await one.log.append(message(['a'], 'live'))
    assert.deepEqual(dataOf(await later.hears(1)), ['live'])
  })

  subject.nodes('a node that stops is missed by nobody, and the next one has what it has not heard', async opened => {
    const [one, two] = await opened.pair()
    await one.log.append(message(['a'], 'before'))
    const [last] = await two.hears(1)
    await two.log.stop()
    for (let n = 0; n < 10; n++) await one.log.append(message(['a'], n))
    assert.equal((await one.hears(11)).length, 11)
    const next = await opened.node()
    assert.equal(next.places[0]?.epoch, one.places[0]?.epoch)
    assert.deepEqual(dataOf(await next.readAll('a', last?.position, 4)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
}
