/** While the server is away: who sends waits for a while, and is told the truth; nothing is kept twice, nothing is left behind. */
import assert from 'node:assert/strict'
import { EventLogUnavailableError, type LogHealth } from '../../src/index.js'
import { dataOf, isUnavailable, message, Node } from '../contract/event-log.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { behindWire, type LogKind, openLog } from '../support/log-kinds.js'

/** Milliseconds within which a busy machine has tried to connect, and knows why it could not. */
export const LONG_ENOUGH = 1500

export function testAway(kind: LogKind): void {
  kind.test('what was kept, and not answered, is not kept again, and its sender hears its place', async t => {
    const { log, wire, server } = await behindWire(t, kind)
    const node = await new Node(log).start()
    await log.append(message(['a'], 0))
    await node.hears(1)
    wire.hush()
    const sent = [1, 2, 3].map(n => log.append(message(['a'], n)))
    const told = log.notify({ kind: 'tell', rooms: ['a'], data: '4' })
    await eventually('all are kept', async () => (await server.said()) === 5)
    wire.cut()
    wire.mend()
    const places = await Promise.all(sent)
    await told
    await node.hears(4)
    await log.append(message(['a'], 5))
    await node.hears(5)
    assert.deepEqual(dataOf(node.entries), [0, 1, 2, 3, 5])
    assert.deepEqual(
      places.map(place => place.position),
      node.entries.slice(1, 4).map(entry => entry.position),
    )
    assert.equal(node.notices.length, 1)
    assert.equal(await server.said(), 6)
  })

  kind.test('what was not kept before the connection broke is kept when it is back', async t => {
    const { log, wire } = await behindWire(t, kind)
    const node = await new Node(log).start()
    wire.cut()
    const sent = [1, 2, 3].map(n => log.append(message(['a'], n)))
    await eventually('the node has noticed', () => !log.health.ready)
    wire.mend()
    await Promise.all(sent)
    assert.deepEqual(dataOf(await node.hears(3)), [1, 2, 3])
  })

  kind.test('patience ends: a send is told that it was refused, or that nobody knows', async t => {
    const { log, wire, server } = await behindWire(t, kind, { patience: 300 })
    await log.append(message(['a'], 0))
    wire.hush()
    const unknown = log.append(message(['a'], 1))
    await eventually('it is kept', async () => (await server.said()) === 2)
    wire.cut()
    await assert.rejects(unknown, isUnavailable('unknown'))
    await assert.rejects(log.append(message(['a'], 2)), isUnavailable('refused'))
    await assert.rejects(log.read(new Map([['a', 0]]), 10), isUnavailable('refused'))
    await assert.rejects(log.before('a', 1), isUnavailable('refused'))
    assert.equal(await server.said(), 2)
    wire.mend()
    await eventually('it can be had again', () => log.append(message(['a'], 3)))
    await server.stop()
  })

  kind.test(`an application without ${kind.name} does not start, and says why`, async t => {
    const server = await kind.start(t)
    await server.stop()
    const log = await openLog(t, kind, server.port, { patience: LONG_ENOUGH })
    await assert.rejects(new Node(log).start(), isUnavailable('refused', /ECONNREFUSED|connection refused/i))
  })

  kind.test('without patience, and where too many wait, a send is refused at once', async t => {
    const { log, wire } = await behindWire(t, kind, { waiting: 2 })
    await log.append(message(['a'], 0))
    wire.cut()
    const waiting = [1, 2].map(n => log.append(message(['a'], n)))
    await assert.rejects(log.append(message(['a'], 3)), isUnavailable('refused'))
    wire.mend()
    await Promise.all(waiting)
    const hasty = await behindWire(t, kind, { patience: 0 })
    await eventually('it is connected', () => hasty.log.append(message(['a'], 0)))
    await hasty.log.append(message(['a'], 1))
    hasty.wire.cut()
    await assert.rejects(hasty.log.append(message(['a'], 2)), EventLogUnavailableError)
  })

  kind.test(`a ${kind.name} that hangs is left, and come back to`, async t => {
    const { log, server, wire } = await behindWire(t, kind, { patience: 10_000 })
    const node = await new Node(log).start()
    await log.append(message(['a'], 0))
    server.freeze()
    const sent = log.append(message(['a'], 1))
    wire.cut()
    wire.mend()
    await eventually('the node has noticed', () => !log.health.ready)
    server.thaw()
    await sent
    assert.deepEqual(dataOf(await node.hears(2)), [0, 1])
  })

  kind.test('health is told as it changes, and logged once', async t => {
    const heard: [string, LogHealth][] = []
    const { log, wire, book } = await behindWire(t, kind, { onHealth: (...told) => heard.push(told) })
    assert.equal(log.health.ready, false)
    await new Node(log).start()
    await eventually('it is ready', () => log.health.ready && heard.length === 1)
    wire.cut()
    await eventually('it is away', () => heard.length === 2 && !log.health.ready)
    assert.ok(log.health.error instanceof Error)
    wire.mend()
    await eventually('it is back', () => heard.length === 3 && log.health.ready)
    assert.deepEqual(
      heard.map(([registry, { ready }]) => [registry, ready]),
      [
        ['r', true],
        ['r', false],
        ['r', true],
      ],
    )
    assert.deepEqual(book.warnings, ['the event log of the registry r is away'])
  })

  const fail = () => {
    throw new Error('too ill to tell')
  }
  for (const [how, onHealth] of [
    ['throws', fail],
    ['rejects', async () => fail()],
  ] as const) {
    kind.test(`an onHealth that ${how} is logged, and harms nothing`, async t => {
      const { log, book } = await behindWire(t, kind, { onHealth })
      const node = await new Node(log).start()
      await log.append(message(['a'], 0))
      await node.hears(1)
      await eventually('it is logged', () => book.messages.length === 1)
      assert.deepEqual(book.messages, ['onHealth of the registry r failed'])
    })
  }

  for (const when of ['connected', 'away'] as const) {
    kind.test(`stop leaves nothing behind, while ${kind.name} is ${when}`, async t => {
      const { log, wire } = await behindWire(t, kind)
      const before = activeHandles()
      await new Node(log).start()
      await log.append(message(['a'], 0))
      if (when === 'away') wire.cut()
      const late = when === 'away' ? log.append(message(['a'], 1)).catch(error => error) : undefined
      await log.stop()
      if (late !== undefined) assert.ok((await late) instanceof EventLogUnavailableError)
      assert.equal(log.health.ready, false)
      await assert.rejects(log.append(message(['a'], 2)), isUnavailable('refused'))
      await noHandlesLeft(before)
    })
  }
}
