/** The logs of `node:cluster`: this process is the primary, and the nodes are workers of it. */
import assert from 'node:assert/strict'
import cluster from 'node:cluster'
import { after, before, describe, test } from 'node:test'
import { ConfigurationError, type EventLog } from '../../src/index.js'
import { clusterEventLog, serveClusterLogs } from '../../src/logs/cluster.js'
import { dataOf, message, Node, testEventLog } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { LogWorker } from '../support/log-workers.js'
import { plenty } from '../support/registry-peers.js'

const TAIL = { count: 500, bytes: 100_000 }
const local = clusterEventLog()
const serving = serveClusterLogs({ tail: TAIL })
let workers: LogWorker[] = []
let turn = 0

before(async () => {
  workers = await Promise.all([LogWorker.start(), LogWorker.start()])
})
after(async () => {
  await Promise.all(workers.map(worker => worker.end()))
  serving.close()
})

const next = () => workers[turn++ % workers.length] as LogWorker

testEventLog('ClusterEventLog, in two workers', (registry, retention) => next().open(registry, retention), {
  nodes: true,
  keys: true,
})
testEventLog('clusterEventLog() in the primary', (registry, retention) => local(registry, retention, new LogBook()), {
  nodes: true,
  keys: true,
})

describe('a log of node:cluster', () => {
  const nodes = async (registry: string): Promise<[Node, Node, LogWorker]> => {
    const [one, two] = workers as [LogWorker, LogWorker]
    const open = async (log: EventLog) => new Node(log).start()
    return [await open(await one.open(registry, plenty)), await open(await two.open(registry, plenty)), two]
  }

  test('a worker hears what the primary sends, and the primary what a worker sends', async () => {
    const [one] = await nodes('both')
    const here = await new Node(await local('both', plenty, new LogBook())).start()
    await here.log.append(message(['a'], 'from the primary'))
    await one.log.append(message(['a'], 'from a worker'))
    const texts = ['"from the primary"', '"from a worker"']
    for (const node of [one, here])
      assert.deepEqual(
        (await node.hears(2)).map(entry => entry.data),
        texts,
      )
    assert.equal(here.places[0]?.epoch, one.places[0]?.epoch)
  })

  test('what a worker of another version asks is left out, told of once, and nothing behind it waits', async t => {
    const told: string[] = []
    t.mock.method(console, 'warn', (text: string) => told.push(text))
    const [one, , asking] = await nodes('foreign')
    const wrong = [null, 7, {}, { ask: 'open' }, { ask: 'read', log: 0 }]
    for (const items of [7, {}, wrong]) cluster.emit('message', asking.worker, { palomino: 'log', items })
    for (const each of [message(['a'], 0), null, 'text']) {
      const bad = each === null || typeof each === 'string' ? each : { ...each, event: 'a\nb' }
      one.log.append(bad as never).catch(() => {})
      one.log.notify(bad as never).catch(() => {})
    }
    await one.log.append(message(['a'], 1))
    assert.deepEqual(dataOf(await one.hears(1)), [1])
    assert.equal(told.length, 2)
    assert.match(
      told[1] ?? '',
      /^the primary leaves out what the worker \d+ asks of its logs: the name of an event is one/,
    )
  })

  test('a worker that was frozen for a moment is given each message', async () => {
    const [one, two, frozen] = await nodes('moment')
    frozen.signal('SIGSTOP')
    for (let n = 0; n < 100; n++) await one.log.append(message(['a'], n))
    frozen.signal('SIGCONT')
    assert.deepEqual(await two.hears(100), one.entries)
    assert.equal(two.places.length, 1)
  })

  test('one that was frozen for longer is told where it stands, reads what it missed, and hears the rest', async () => {
    const [one, two, frozen] = await nodes('longer')
    frozen.signal('SIGSTOP')
    const data = 'x'.repeat(1000)
    for (let n = 0; n < 1500; n++) await one.log.append(message(['a'], [n, data]))
    await one.hears(1500)
    frozen.signal('SIGCONT')
    await eventually('it is told its place', () => two.places.length >= 2)
    await one.log.append(message(['a'], 'last'))
    await eventually('the last', () => two.entries.at(-1)?.data === '"last"')
    assert.ok(two.places.length <= 3, `${two.places.length} places`)
    assert.deepEqual(new Set(two.places.map(place => place.epoch)).size, 1)
    assert.ok(two.entries.length < 1501, 'it is given less than all')
    const { entries, gaps } = await two.log.read(new Map([['a', 0]]), 2000)
    assert.equal(gaps.size, 0)
    assert.equal(entries.length, 1501)
    const positions = two.entries.map(entry => entry.position)
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(positions).size, positions.length)
  })

  test('the epoch is that of the primary: it outlives workers that are killed', async () => {
    const [one, , killed] = await nodes('epoch')
    const { epoch, position } = await one.log.append(message(['a'], 1))
    await killed.end()
    const successor = await LogWorker.start()
    workers = [workers[0] as LogWorker, successor]
    const node = await new Node(await successor.open('epoch', plenty)).start()
    assert.deepEqual(node.places, [{ epoch, position }])
    assert.equal((await node.log.read(new Map([['a', 0]]), 10)).entries.length, 1)
    await one.log.append(message(['a'], 2))
    assert.equal((await node.hears(1))[0]?.data, '2')
  })
})

describe('the options of palomino/cluster', () => {
  const problems = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      assert.ok(error instanceof ConfigurationError)
      return error.problems
    }
    return []
  }

  test('are checked at once', () => {
    assert.equal(cluster.isPrimary, true)
    const wrong = { patience: -1, waiting: 0, patients: 1 } as object
    assert.deepEqual(
      problems(() => clusterEventLog(wrong)),
      [
        'clusterEventLog has no option patients: did you mean patience?',
        'clusterEventLog: patience should be milliseconds, from 0 to 2147483647, not -1',
        'clusterEventLog: waiting should be a whole number, above 0, not 0',
      ],
    )
    assert.deepEqual(
      problems(() => serveClusterLogs({ tail: { counts: 5, bytes: 0 } } as object)),
      [
        'serveClusterLogs: tail has no option counts: did you mean count?',
        'serveClusterLogs: tail: bytes should be a number of bytes, above 0, not 0',
      ],
    )
    assert.deepEqual(
      problems(() => serveClusterLogs(null as never)),
      ['serveClusterLogs takes an object of options, not null'],
    )
  })
})
