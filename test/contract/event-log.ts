/** What every event log does: one test for all implementations. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EventLog, LogEntry, LogMessage, LogRetention, Notice, Place } from '../../src/index.js'
import { EVERYWHERE } from '../../src/index.js'
import { eventually } from '../support/eventually.js'

/** What one node heard, in order. */
export class Node {
  readonly entries: LogEntry[] = []
  readonly notices: Notice[] = []
  readonly places: Place[] = []
  /** All of it by kind, as it came. */
  readonly heard: string[] = []

  constructor(readonly log: EventLog) {}

  async start(): Promise<this> {
    await this.log.start({
      entry: entry => {
        this.entries.push(entry)
        this.heard.push('entry')
      },
      notice: notice => {
        this.notices.push(notice)
        this.heard.push('notice')
      },
      reset: place => {
        this.places.push(place)
        this.heard.push('reset')
      },
    })
    return this
  }

  async hears(entries: number): Promise<LogEntry[]> {
    await eventually(`${entries} entries`, () => this.entries.length >= entries)
    return this.entries
  }
}

export function message(rooms: readonly string[] | undefined, data: unknown, event = 'said'): LogMessage {
  return { rooms, event, data: JSON.stringify(data), except: [] }
}

export interface LogUnderTest {
  /** Opens a log of this registry for one more node. */
  open(registry: string, retention: Required<LogRetention>): Promise<EventLog> | EventLog
}

const retention = { count: 1000, bytes: 1_000_000, age: 3_600_000 }
let registries = 0

/**
 * @param open opens the log of a registry for one node
 * @param nodes whether a second `open` of the same registry is another node of the same log
 * @param keys whether it keeps what is appended with a key once
 */
export function testEventLog(name: string, open: LogUnderTest['open'], { nodes = false, keys = false } = {}): void {
  const withNode = (title: string, run: (node: Node) => Promise<void>, kept = retention) =>
    test(title, async () => {
      const node = await new Node(await open(`registry${registries++}`, kept)).start()
      try {
        await run(node)
      } finally {
        await node.log.stop()
      }
    })
  const at = (positions: Record<string, number>) => new Map(Object.entries(positions))
  const data = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

  describe(name, () => {
    withNode('a node is told its place before anything else', async ({ log, heard, places }) => {
      assert.deepEqual(heard, ['reset'])
      assert.match(places[0]?.epoch ?? '', /^[A-Za-z0-9]+$/)
      await log.append(message(['a'], 1))
    })

    withNode('an entry is heard as it was appended, with the position that the sender was told', async node => {
      const sent = { rooms: ['a', '__proto__', ''], event: 'sä\u2028d', data: '{"x":"é\\n"}', except: ['x', 'y'] }
      const place = await node.log.append(sent)
      const [entry] = await node.hears(1)
      assert.deepEqual(entry, { ...sent, position: place.position })
      assert.equal(place.epoch, node.places[0]?.epoch)
      assert.ok(place.position > (node.places[0]?.position ?? 0))
      const page = await node.log.read(at({ a: 0 }).set('__proto__', 0), 10)
      assert.deepEqual(page.entries, [entry])
    })

    withNode('what is appended at the same time has one order, in which it is heard and read', async node => {
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

    withNode('what is sent to all is a room of its own', async ({ log }) => {
      await log.append(message(undefined, 'all'))
      await log.append(message(['a'], 'a'))
      assert.deepEqual(data((await log.read(at({ [EVERYWHERE]: 0 }), 10)).entries), ['all'])
      assert.deepEqual(data((await log.read(at({ [EVERYWHERE]: 0, a: 0 }), 10)).entries), ['all', 'a'])
    })

    withNode('reading gives what lies behind the position of each room, in order', async ({ log }) => {
      const places: Place[] = []
      for (const [n, room] of ['a', 'b', 'a', 'b', 'c'].entries()) places.push(await log.append(message([room], n)))
      const [, second = 0, third = 0] = places.map(place => place.position)
      const page = await log.read(at({ a: second, b: third }), 10)
      assert.deepEqual(data(page.entries), [2, 3])
      assert.equal(page.gaps.size, 0)
      assert.equal(page.upTo, places.at(-1)?.position)
    })

    withNode('what goes to several rooms is read once, and not again through another of them', async ({ log }) => {
      const { position } = await log.append(message(['a', 'b'], 'both'))
      assert.deepEqual(data((await log.read(at({ a: 0, b: 0 }), 10)).entries), ['both'])
      assert.deepEqual(data((await log.read(at({ a: position, b: 0 }), 10)).entries), [])
      assert.deepEqual(data((await log.read(at({ b: 0 }), 10)).entries), ['both'])
    })

    withNode('a page ends at its limit, and the next goes on behind it', async ({ log }) => {
      for (let n = 0; n < 10; n++) await log.append(message([n % 2 === 0 ? 'a' : 'b'], n))
      const read: unknown[] = []
      let upTo = 0
      for (let pages = 0; pages < 4; pages++) {
        const page = await log.read(at({ a: upTo, b: upTo }), 3)
        assert.ok(page.entries.length <= 3)
        read.push(...data(page.entries))
        upTo = page.upTo
      }
      assert.deepEqual(read, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      assert.deepEqual((await log.read(at({ a: upTo, b: upTo }), 3)).entries, [])
    })

    const small = { ...retention, count: 3 }
    const forgets = async ({ log }: Node) => {
      const places = [await log.append(message(['quiet'], 'quiet'))]
      for (let n = 0; n < 10; n++) places.push(await log.append(message(['a'], n)))
      const page = await log.read(at({ a: places[1]?.position ?? 0, quiet: 0 }), 100)
      assert.deepEqual([...page.gaps.keys()], ['a'])
      const known = page.gaps.get('a') ?? 0
      assert.deepEqual(data(page.entries), ['quiet', 7, 8, 9])
      const again = await log.read(at({ a: known }), 100)
      assert.equal(again.gaps.size, 0)
      assert.deepEqual(data(again.entries), [7, 8, 9])
    }
    withNode('what a room has forgotten is a gap, in that room alone, with all that is still known', forgets, small)

    withNode(
      'a room is bounded by its bytes',
      async ({ log }) => {
        for (let n = 0; n < 100; n++) await log.append(message(['a'], `${n}`.padStart(1000, '0')))
        const { entries, gaps } = await log.read(at({ a: 0 }), 1000)
        assert.ok(entries.length >= 1 && entries.length <= 10, `${entries.length} of 1 kB are held`)
        assert.ok(gaps.has('a'))
      },
      { ...retention, bytes: 10_000 },
    )

    withNode('a position that the log has not reached is a gap', async ({ log }) => {
      const { position } = await log.append(message(['a'], 1))
      const page = await log.read(at({ a: position + 100 }), 10)
      assert.ok(page.gaps.has('a'))
      assert.deepEqual(data(page.entries), [1])
      assert.equal(page.upTo, position)
      assert.equal((await log.read(at({ a: position }), 10)).gaps.size, 0)
    })

    withNode('the last events of a room can be asked for, what was sent to all included', async ({ log }) => {
      for (let n = 0; n < 5; n++) await log.append(message(['a'], n))
      await log.append(message(undefined, 'all'))
      await log.append(message(['b'], 'b'))
      const last = async (count: number) => {
        const position = await log.before('a', count)
        return data((await log.read(at({ a: position, [EVERYWHERE]: position }), 10)).entries)
      }
      assert.deepEqual(await last(3), [3, 4, 'all'])
      assert.deepEqual(await last(100), [0, 1, 2, 3, 4, 'all'])
      assert.deepEqual(await last(0), [])
    })

    withNode('notices are heard once, as they were sent, and kept nowhere', async node => {
      const notices: Notice[] = [
        { kind: 'event', volatile: true, ...message(['a'], 1) },
        { kind: 'tell', rooms: ['a'], data: '{"n":1}' },
        { kind: 'disconnect', target: 'a', code: 4000, text: 'bye' },
      ]
      for (const notice of notices) await node.log.notify(notice)
      await eventually('the notices', () => node.notices.length === 3)
      assert.deepEqual(JSON.parse(JSON.stringify(node.notices)), JSON.parse(JSON.stringify(notices)))
      assert.deepEqual((await node.log.read(at({ a: 0 }), 10)).entries, [])
    })

    test('nothing is heard after stop', async () => {
      const node = await new Node(await open(`registry${registries++}`, retention)).start()
      await node.log.append(message(['a'], 1))
      await node.hears(1)
      await node.log.stop()
      await node.log.append(message(['a'], 2)).catch(() => {})
      await new Promise(resolve => setImmediate(resolve))
      assert.equal(node.entries.length, 1)
    })

    test('what is appended before start is kept, and not heard', async () => {
      const log = await open(`registry${registries++}`, retention)
      const { position } = await log.append(message(['a'], 1))
      const node = await new Node(log).start()
      assert.equal(node.places[0]?.position, position)
      await log.append(message(['a'], 2))
      assert.deepEqual(data(await node.hears(1)), [2])
      assert.deepEqual(data((await log.read(at({ a: 0 }), 10)).entries), [1, 2])
      await log.stop()
    })

    test('the logs of two registries are told apart by their epochs', async () => {
      const two = [await open(`registry${registries++}`, retention), await open(`registry${registries++}`, retention)]
      const started = await Promise.all(two.map(log => new Node(log).start()))
      assert.notEqual(started[0]?.places[0]?.epoch, started[1]?.places[0]?.epoch)
      for (const log of two) await log.stop()
    })

    if (nodes) testNodes(open)
    if (keys) testKeys(withNode)
  })
}

function testKeys(withNode: (title: string, run: (node: Node) => Promise<void>) => void): void {
  const data = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

  withNode('what is appended with a key is kept once, and each time its place is that of the first', async node => {
    const first = await node.log.append(message(['a'], 1), 'key')
    await node.log.append(message(['a'], 2))
    const again = await Promise.all([1, 2].map(() => node.log.append(message(['b', 'a'], 'again'), 'key')))
    const other = await Promise.all([1, 2].map(() => node.log.append(message(['a'], 3), 'other')))
    await node.log.append(message(['a'], 4))
    assert.deepEqual(again, [first, first])
    assert.deepEqual(other[0], other[1])
    assert.deepEqual(data(await node.hears(4)), [1, 2, 3, 4])
    assert.deepEqual(Object.keys(node.entries[0] ?? {}).sort(), ['data', 'event', 'except', 'position', 'rooms'])
    assert.deepEqual(data((await node.log.read(new Map([['a', 0]]), 10)).entries), [1, 2, 3, 4])
  })
}

function testNodes(open: LogUnderTest['open']): void {
  test('all nodes hear all messages in one order', async () => {
    const registry = `registry${registries++}`
    const pair = await Promise.all([0, 1].map(async () => new Node(await open(registry, retention)).start()))
    await Promise.all(
      pair.flatMap(({ log }, of) => Array.from({ length: 20 }, (_, n) => log.append(message(['a'], [of, n])))),
    )
    const [first, second] = await Promise.all(pair.map(node => node.hears(40)))
    assert.deepEqual(first, second)
    for (const { log } of pair) await log.stop()
  })
}

/** Ten thousand keys are remembered, and no more. */
export async function outlivesKeys(log: EventLog): Promise<void> {
  const first = await log.append(message(['a'], 1), 'key')
  for (let n = 0; n < 9999; n += 33) {
    await Promise.all(Array.from({ length: 33 }, (_, i) => log.append(message(['b'], n), `${n + i}`)))
  }
  assert.deepEqual(await log.append(message(['a'], 2), 'key'), first)
  await log.append(message(['b'], 0), 'one more')
  const second = await log.append(message(['a'], 2), 'key')
  assert.ok(second.position > first.position)
}
