import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { LogEntry, Notice } from '../index.js'
import { eventually } from './eventually.js'
import { at, dataOf, ListeningNode, message } from './listening-node.js'
import type { Subject } from './subject.js'

/** What one node hears. */
export function testDelivery(subject: Subject): void {
  testEntries(subject)
  testNotices(subject)
  testStarting(subject)
}

function testEntries(subject: Subject): void {
  subject.node('a node is told its place before anything else', async ({ log, heard, places }) => {
    assert.deepEqual(heard, ['reset'])
    assert.match(places[0]?.epoch ?? '', /^[A-Za-z0-9]+$/)
    await log.append(message(['a'], 1))
  })

  subject.node('a log that has started is ready', async ({ log }) => {
    await eventually('it is ready', () => log.health.ready)
  })

  subject.node('an entry is heard as it was appended, with the position that the sender was told', async node => {
    const sent = { rooms: ['a', '__proto__', ''], event: 'sä\u2028d', data: '{"x":"é\\n"}', except: ['x', 'y'] }
    const place = await node.log.append(sent)
    const [entry] = await node.hears(1)
    assert.deepEqual(entry, { ...sent, position: place.position })
    assert.equal(place.epoch, node.places[0]?.epoch)
    assert.ok(place.position > (node.places[0]?.position ?? 0))
    const page = await node.log.read(at({ a: 0 }).set('__proto__', 0), 10)
    assert.deepEqual(page.entries, [entry])
  })

  subject.node('what is appended at the same time has one order, in which it is heard and read', async node => {
    const places = await Promise.all(Array.from({ length: 50 }, (_, n) => node.log.append(message(['a'], n))))
    const heard = (await node.hears(50)).map(entry => entry.position)
    assert.deepEqual(
      heard,
      heard.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(heard).size, 50)
    assert.deepEqual(
      places.map(place => place.position).sort((a, b) => a - b),
      heard,
    )
    assert.deepEqual((await node.log.read(at({ a: 0 }), 100)).entries, node.entries)
  })
}

function testNotices(subject: Subject): void {
  subject.node('notices are heard once, as they were sent, and kept nowhere', async node => {
    const notices: Notice[] = [
      { kind: 'event', volatile: true, ...message(['a'], 1) },
      { kind: 'event', volatile: false, ...message(undefined, 2) },
      { kind: 'tell', rooms: ['a'], data: '{"n":1}' },
      { kind: 'disconnect', target: 'a', code: 4000, text: 'bye' },
    ]
    for (const notice of notices) await node.log.notify(notice)
    await eventually('the notices', () => node.notices.length === notices.length)
    assert.deepEqual(JSON.parse(JSON.stringify(node.notices)), JSON.parse(JSON.stringify(notices)))
    assert.deepEqual((await node.log.read(at({ a: 0 }), 10)).entries, [])
  })

  subject.node('entries and notices are heard in the order in which they were sent', async node => {
    for (let n = 0; n < 20; n += 2) {
      await node.log.append(message(['a'], n))
      await node.log.notify({ kind: 'tell', rooms: ['a'], data: `${n + 1}` })
    }
    await eventually('all', () => node.messages.length === 20)
    const heard = node.messages as (LogEntry | Extract<Notice, { kind: 'tell' }>)[]
    assert.deepEqual(
      dataOf(heard),
      Array.from({ length: 20 }, (_, n) => n),
    )
  })
}

function testStarting(subject: Subject): void {
  subject.nodes('nothing is heard after stop', async opened => {
    const node = await opened.node()
    await node.log.append(message(['a'], 1))
    await node.hears(1)
    await node.log.stop()
    await node.log.append(message(['a'], 2)).catch(() => {})
    await turn()
    assert.equal(node.entries.length, 1)
  })

  subject.nodes('what is appended before start is kept, and not heard', async opened => {
    const log = await opened.log()
    const { position } = await log.append(message(['a'], 1))
    const node = await new ListeningNode(log).start()
    assert.equal(node.places[0]?.position, position)
    await log.append(message(['a'], 2))
    assert.deepEqual(dataOf(await node.hears(1)), [2])
    assert.deepEqual(dataOf((await log.read(at({ a: 0 }), 10)).entries), [1, 2])
  })

  subject.nodes('two registries share nothing, and their epochs tell them apart', async opened => {
    const [one, other] = [await opened.node(), await opened.stranger()]
    assert.notEqual(one.places[0]?.epoch, other.places[0]?.epoch)
    await one.log.append(message(['a'], 1))
    await other.log.append(message(['a'], 2))
    assert.deepEqual(dataOf(await one.hears(1)), [1])
    assert.deepEqual(dataOf(await other.hears(1)), [2])
    assert.deepEqual(dataOf(await one.readAll('a')), [1])
  })
}
