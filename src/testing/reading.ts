import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { EVERYWHERE, type LogEntry, type Place } from '../index.js'
import { eventually } from './eventually.js'
import { at, dataOf, message } from './listening-node.js'
import type { Subject } from './subject.js'

/** What a log remembers, and what it says of what it does not. */
export function testReading(subject: Subject): void {
  testRooms(subject)
  testPages(subject)
  testBytesOfPages(subject)
  testGaps(subject)
  testBounds(subject)
}

function testRooms(subject: Subject): void {
  subject.node('what is sent to all is a room of its own', async ({ log }) => {
    await log.append(message(undefined, 'all'))
    await log.append(message(['a'], 'a'))
    assert.deepEqual(dataOf((await log.read(at({ [EVERYWHERE]: 0 }), 10)).entries), ['all'])
    assert.deepEqual(dataOf((await log.read(at({ [EVERYWHERE]: 0, a: 0 }), 10)).entries), ['all', 'a'])
  })

  subject.node('reading gives what lies behind the position of each room, in order', async ({ log }) => {
    const places: Place[] = []
    for (const [n, room] of ['a', 'b', 'a', 'b', 'c'].entries()) places.push(await log.append(message([room], n)))
    const [, second = 0, third = 0] = places.map(place => place.position)
    const page = await log.read(at({ a: second, b: third }), 10)
    assert.deepEqual(dataOf(page.entries), [2, 3])
    assert.equal(page.gaps.size, 0)
    assert.equal(page.upTo, places.at(-1)?.position)
  })

  subject.node('what goes to several rooms is read once, and not again through another of them', async ({ log }) => {
    const { position } = await log.append(message(['a', 'b'], 'both'))
    assert.deepEqual(dataOf((await log.read(at({ a: 0, b: 0 }), 10)).entries), ['both'])
    assert.deepEqual(dataOf((await log.read(at({ a: position, b: 0 }), 10)).entries), [])
    assert.deepEqual(dataOf((await log.read(at({ b: 0 }), 10)).entries), ['both'])
  })
}

function testPages(subject: Subject): void {
  subject.node('a page ends at its limit, and the next goes on behind it', async ({ log }) => {
    for (let n = 0; n < 10; n++) await log.append(message([n % 2 === 0 ? 'a' : 'b'], n))
    const read: unknown[] = []
    let upTo = 0
    for (let pages = 0; pages < 4; pages++) {
      const page = await log.read(at({ a: upTo, b: upTo }), 3)
      assert.ok(page.entries.length <= 3)
      read.push(...dataOf(page.entries))
      upTo = page.upTo
    }
    assert.deepEqual(read, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert.deepEqual((await log.read(at({ a: upTo, b: upTo }), 3)).entries, [])
  })

  subject.node('a page misses nothing up to where it says that it was read, whatever is sent meanwhile', async node => {
    let isSent = false
    const sending = Promise.all(Array.from({ length: 200 }, (_, n) => node.log.append(message(['a'], n)))).then(() => {
      isSent = true
    })
    const read: LogEntry[] = []
    for (let upTo = 0, isLast = false; !isLast; await turn()) {
      const wasSent = isSent
      const heard = node.entries.at(-1)?.position ?? 0
      const page = await node.log.read(at({ a: upTo }), 7)
      assert.equal(page.gaps.size, 0)
      assert.ok(page.entries.length === 7 || page.upTo >= heard, 'a page reaches as far as was heard')
      read.push(...page.entries)
      upTo = page.upTo
      isLast = wasSent && page.entries.length === 0
    }
    await sending
    assert.deepEqual(read, await node.hears(200))
  })

  subject.node('the last events of a room can be asked for, what was sent to all included', async ({ log }) => {
    for (let n = 0; n < 5; n++) await log.append(message(['a'], n))
    await log.append(message(undefined, 'all'))
    await log.append(message(['b'], 'b'))
    const last = async (count: number) => {
      const position = await log.before('a', count)
      return dataOf((await log.read(at({ a: position, [EVERYWHERE]: position }), 10)).entries)
    }
    assert.deepEqual(await last(3), [3, 4, 'all'])
    assert.deepEqual(await last(100), [0, 1, 2, 3, 4, 'all'])
    assert.deepEqual(await last(0), [])
  })
}

function testBytesOfPages(subject: Subject): void {
  subject.node(
    'a page holds as many bytes as are asked for, or one entry, and the next goes on behind it',
    async ({ log }) => {
      const size = 10_000
      const large = (n: number) => `${n}`.padEnd(n === 20 ? 5 * size : size, '.')
      for (let n = 0; n < 40; n++) await log.append(message([n % 2 === 0 ? 'a' : 'b'], large(n)))
      const read: unknown[] = []
      let upTo = 0
      for (let pages = 0; read.length < 40; pages++) {
        assert.ok(pages < 40, 'each page goes on')
        const page = await log.read(at({ a: upTo, b: upTo }), 100, 3 * size + 100)
        const bytes = page.entries.reduce((sum, { data }) => sum + data.length, 0)
        assert.ok(
          bytes <= 3 * size + 100 || page.entries.length === 1,
          `${page.entries.length} entries of ${bytes} bytes`,
        )
        read.push(...dataOf(page.entries))
        upTo = page.upTo
      }
      assert.deepEqual(
        read,
        Array.from({ length: 40 }, (_, n) => large(n)),
      )
    },
  )
}

function testGaps(subject: Subject): void {
  subject.node(
    'what a room has forgotten is a gap, in that room alone, with all that is still known',
    async ({ log }) => {
      const places = [await log.append(message(['quiet'], 'quiet'))]
      for (let n = 0; n < 10; n++) places.push(await log.append(message(['a'], n)))
      const page = await log.read(at({ a: places[1]?.position ?? 0, quiet: 0 }), 100)
      assert.deepEqual([...page.gaps.keys()], ['a'])
      const known = page.gaps.get('a') ?? 0
      assert.deepEqual(dataOf(page.entries), ['quiet', 7, 8, 9])
      const again = await log.read(at({ a: known }), 100)
      assert.equal(again.gaps.size, 0)
      assert.deepEqual(dataOf(again.entries), [7, 8, 9])
    },
    { count: 3 },
  )

  subject.node(
    'a gap is exact: who has seen the last that was forgotten has missed nothing',
    async ({ log }) => {
      const places: Place[] = []
      for (let n = 0; n < 6; n++) places.push(await log.append(message(['a', 'b'], n)))
      const gapsAt = async (n: number) => (await log.read(at({ a: places[n]?.position ?? 0 }), 10)).gaps.size
      assert.equal(await gapsAt(1), 1)
      assert.equal(await gapsAt(2), 0)
    },
    { count: 3 },
  )

  subject.node('a position that the log has not reached is a gap', async ({ log }) => {
    const { position } = await log.append(message(['a'], 1))
    const page = await log.read(at({ a: position + 100 }), 10)
    assert.ok(page.gaps.has('a'))
    assert.deepEqual(dataOf(page.entries), [1])
    assert.equal(page.upTo, position)
    assert.equal((await log.read(at({ a: position }), 10)).gaps.size, 0)
  })
}

function testBounds(subject: Subject): void {
  subject.node(
    'a room is bounded by its bytes',
    async ({ log }) => {
      for (let n = 0; n < 100; n++) await log.append(message(['a'], `${n}`.padStart(1000, '0')))
      const { entries, gaps } = await log.read(at({ a: 0 }), 1000)
      assert.ok(entries.length >= 1 && entries.length <= 10, `${entries.length} of 1 kB are held`)
      assert.ok(gaps.has('a'))
    },
    { bytes: 10_000 },
  )

  subject.node(
    'what is larger than a room may be is heard, and missed with a gap',
    async node => {
      const { position } = await node.log.append(message(['a'], 'x'.repeat(200)))
      assert.equal((await node.hears(1)).length, 1)
      const page = await node.log.read(at({ a: position - 1 }), 10)
      assert.deepEqual(page.entries, [])
      assert.ok(page.gaps.has('a'))
    },
    { bytes: 100 },
  )

  subject.node(
    'what is too old is a gap to those who missed it, and to no others',
    async ({ log }) => {
      const { position } = await log.append(message(['a'], 1))
      await log.append(message(['b'], 2))
      const page = await eventually('it is forgotten', async () => {
        const read = await log.read(at({ a: position, b: position, c: 0 }), 10)
        return read.gaps.size > 0 ? read : undefined
      })
      assert.deepEqual([...page.gaps.keys()], ['b'])
      assert.deepEqual(page.entries, [])
    },
    { age: 50 },
  )
}
