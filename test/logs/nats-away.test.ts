/** While NATS is away: who sends waits for a while, and is told the truth; nothing is kept twice, nothing is left behind. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { EventLogUnavailableError, type LogEntry, type LogHealth } from '../../src/index.js'
import { type NatsEventLogOptions, natsEventLog } from '../../src/logs/nats.js'
import { message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { NatsServer, natsTest } from '../support/nats-server.js'
import { plenty } from '../support/registry-peers.js'

async function behindWire(t: TestContext, options: NatsEventLogOptions = {}) {
  const server = await NatsServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const book = new LogBook()
  const opened = natsEventLog({ servers: `127.0.0.1:${wire.port}`, patience: 15_000, ...options })
  const log = await opened('r', plenty, book)
  t.after(() => log.stop())
  /** What was said, the pin aside. */
  const kept = async () => ((await server.streams())[0]?.last ?? 1) - 1
  return { server, wire, log, kept, book }
}

const data = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

function isUnavailable(outcome: 'refused' | 'unknown') {
  return (error: unknown) => {
    assert.ok(error instanceof EventLogUnavailableError, String(error))
    assert.equal(error.outcome, outcome)
    assert.equal(error.registry, 'r')
    assert.equal(error.status, 503)
    return true
  }
}

natsTest('what was kept, and not answered, is not kept again, and its sender hears its place', async t => {
  const { log, wire, kept } = await behindWire(t)
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  await node.hears(1)
  wire.hush()
  const sent = [1, 2, 3].map(n => log.append(message(['a'], n)))
  const told = log.notify({ kind: 'tell', rooms: ['a'], data: '4' })
  await eventually('all are kept', async () => (await kept()) === 5)
  wire.cut()
  wire.mend()
  const places = await Promise.all(sent)
  await told
  await node.hears(4)
  await log.append(message(['a'], 5))
  await node.hears(5)
  assert.deepEqual(data(node.entries), [0, 1, 2, 3, 5])
  assert.deepEqual(
    places.map(place => place.position),
    node.entries.slice(1, 4).map(entry => entry.position),
  )
  assert.equal(node.notices.length, 1)
  assert.equal(await kept(), 6)
})

natsTest('what was not kept before the connection broke is kept when it is back', async t => {
  const { log, wire } = await behindWire(t)
  const node = await new Node(log).start()
  wire.cut()
  const sent = [1, 2, 3].map(n => log.append(message(['a'], n)))
  await eventually('the node has noticed', () => !log.health.ready)
  wire.mend()
  await Promise.all(sent)
  assert.deepEqual(data(await node.hears(3)), [1, 2, 3])
})

natsTest('patience ends: a send is told that it was refused, or that nobody knows', async t => {
  const { log, wire, kept, server } = await behindWire(t, { patience: 300 })
  await log.append(message(['a'], 0))
  wire.hush()
  const unknown = log.append(message(['a'], 1))
  await eventually('it is kept', async () => (await kept()) === 2)
  wire.cut()
  await assert.rejects(unknown, isUnavailable('unknown'))
  await assert.rejects(log.append(message(['a'], 2)), isUnavailable('refused'))
  assert.equal(await kept(), 2)
  wire.mend()
  await eventually('it can be had again', () => log.append(message(['a'], 3)))
  await server.stop()
})

natsTest('an application without NATS does not start, and says why', async t => {
  const server = await NatsServer.start(t)
  await server.stop()
  const log = await natsEventLog({ servers: server.url, patience: 100 })('r', plenty, new LogBook())
  t.after(() => log.stop())
  await assert.rejects(new Node(log).start(), (error: Error) => {
    isUnavailable('refused')(error)
    assert.match(String(error.cause), /connection refused/i)
    return true
  })
})

natsTest('without patience, and where too many wait, a send is refused at once', async t => {
  const { log, wire } = await behindWire(t, { waiting: 2 })
  await log.append(message(['a'], 0))
  wire.cut()
  const waiting = [1, 2].map(n => log.append(message(['a'], n)))
  await assert.rejects(log.append(message(['a'], 3)), isUnavailable('refused'))
  wire.mend()
  await Promise.all(waiting)
  const hasty = await behindWire(t, { patience: 0 })
  await eventually('it is connected', () => hasty.log.append(message(['a'], 0)))
  await hasty.log.append(message(['a'], 1))
  hasty.wire.cut()
  await assert.rejects(hasty.log.append(message(['a'], 2)), EventLogUnavailableError)
})

natsTest('what NATS refuses is no NATS that is away: the sender hears why at once', async t => {
  const { log } = await behindWire(t)
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  await assert.rejects(log.append(message(['a'], 'x'.repeat(2_000_000))), (error: Error) => {
    isUnavailable('refused')(error)
    assert.match(String(error.cause), /max_payload/)
    return true
  })
  const { entries } = await node.log.read(new Map([['a', 0]]), 10)
  assert.deepEqual(data(entries), [0])
})

natsTest('a NATS without JetStream is a log that cannot be had, and its sender hears why', async t => {
  const server = await NatsServer.start(t, [])
  const log = await natsEventLog({ servers: server.url, patience: 100 })('r', plenty, new LogBook())
  t.after(() => log.stop())
  await assert.rejects(log.append(message(['a'], 0)), (error: Error) => {
    isUnavailable('refused')(error)
    assert.match(String(error.cause), /jetstream is not enabled/)
    return true
  })
})

natsTest('a NATS that hangs is left, and come back to', async t => {
  const { log, server, wire } = await behindWire(t, { patience: 10_000 })
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  server.freeze()
  const sent = log.append(message(['a'], 1))
  wire.cut()
  wire.mend()
  await eventually('the node has noticed', () => !log.health.ready)
  server.thaw()
  await sent
  assert.deepEqual(data(await node.hears(2)), [0, 1])
})

natsTest('health is told as it changes, and logged once', async t => {
  const heard: [string, LogHealth][] = []
  const { log, wire, book } = await behindWire(t, { onHealth: (...told) => heard.push(told) })
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

natsTest('an onHealth that throws is logged, and harms nothing', async t => {
  const onHealth = () => {
    throw new Error('too ill to tell')
  }
  const { log, book } = await behindWire(t, { onHealth })
  const node = await new Node(log).start()
  await log.append(message(['a'], 0))
  await node.hears(1)
  await eventually('it is logged', () => book.messages.length === 1)
  assert.deepEqual(book.messages, ['onHealth of the registry r failed'])
})

for (const when of ['connected', 'away'] as const) {
  natsTest(`stop leaves nothing behind, while NATS is ${when}`, async t => {
    const { log, wire } = await behindWire(t)
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

natsTest('while NATS is away, peers that come back are answered from what the node remembers', async t => {
  const { log, wire } = await behindWire(t, { patience: 300 })
  const node = await new Node(log).start()
  for (let n = 0; n < 3; n++) await log.append(message(['a'], n))
  const [first] = await node.hears(3)
  wire.cut()
  await eventually('the node has noticed', () => !log.health.ready)
  const page = await log.read(new Map([['a', first?.position ?? 0]]), 10)
  assert.deepEqual(data(page.entries), [1, 2])
  assert.equal(page.gaps.size, 0)
  const ahead = new Map([['a', page.upTo + 1]])
  await assert.rejects(log.read(ahead, 10), isUnavailable('refused'), 'what is not known is not answered')
})
