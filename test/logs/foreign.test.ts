/** Another program has written wrongly into a log: that is left out, told of once, and nothing behind it waits. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { LeftOut } from '../../src/logs/left-out.js'
import { natsEventLog } from '../../src/logs/nats.js'
import { redisEventLog } from '../../src/logs/redis.js'
import { dataOf, message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { NatsServer, natsTest } from '../support/nats-server.js'
import { RedisServer, redisTest } from '../support/redis-server.js'
import { plenty } from '../support/registry-peers.js'

const head = (...parts: unknown[]) => JSON.stringify(parts)
const said = head(['a'], 'said', [])
const notice = (members: object) => ['', JSON.stringify(members)] as const
const ofNode = (members: object) => notice({ kind: 'node', from: 'n', ...members })

/** Heads and data of entries, and notices, which have no head; and what is wrong with each. */
const WRONG: readonly (readonly [head: string, data: string, why: string])[] = [
  [head(['a'], 'a\nid: 7', []), '1', 'the name of an event is one line: "a\\nid: 7" has a CR, LF or NUL in it'],
  [head(['a'], 'a\rb', []), '1', 'the name of an event is one line: "a\\rb" has a CR, LF or NUL in it'],
  [head(['a'], 'a\0b', []), '1', 'the name of an event is one line: "a\\u0000b" has a CR, LF or NUL in it'],
  [head(['a'], 7, []), '1', 'the name of an event is a string, not 7'],
  [head(['a'], null, []), '1', 'the name of an event is a string, not null'],
  [head(['a']), '1', 'the name of an event is a string, not undefined'],
  [head('a', 'said', []), '1', "its list of rooms is 'a', and not a list"],
  [head([7], 'said', []), '1', '7 is no room: a room is named by a string'],
  [head(['\0'], 'said', []), '1', 'NUL is no room: it stands for all rooms, use broadcast'],
  [head(['a'], 'said'), '1', 'its list of those passed over is undefined, and not a list'],
  [head(['a'], 'said', 'all'), '1', "its list of those passed over is 'all', and not a list"],
  [head(['a'], 'said', [1]), '1', 'one who is passed over is 1, and not text'],
  ['{}', '1', 'its head is an object, and not a list'],
  ['null', '1', 'its head is null, and not a list'],
  ['said', '1', 'its head is no JSON'],
  [said, '{"a":', 'its data is no JSON'],
  [said, '', 'its data is no JSON'],
  [said, '1,"id":"x"', 'its data is no JSON'],
  ['', 'null', 'it is null, and not an object'],
  ['', '7', 'it is 7, and not an object'],
  ['', '{', 'it is no JSON'],
  [...notice({}), 'undefined is no kind of notice'],
  [...notice({ kind: 'event', event: 'said', data: 1, except: [] }), 'its data is 1, and not text'],
  [...notice({ kind: 'event', event: 'a\nb', data: '1', except: [] }), 'the name of an event is one line'],
  [...notice({ kind: 'event', event: 'said', data: '1' }), 'its list of those passed over is undefined'],
  [...notice({ kind: 'tell', data: 'x' }), 'its data is no JSON'],
  [...notice({ kind: 'tell', data: '1', rooms: 'a' }), "its list of rooms is 'a', and not a list"],
  [...notice({ kind: 'tell', data: '1', rooms: [], user: 7 }), '7 is no user: a user is named by a string'],
  [...notice({ kind: 'disconnect' }), 'whom it ends is undefined, and not text'],
  [...notice({ kind: 'disconnect', target: 'a', code: 1005 }), '1005 is no close code that may be sent'],
  [...notice({ kind: 'disconnect', target: 'a', text: 7 }), 'its text is 7, and not text'],
  [...notice({ kind: 'disconnect', target: 'a', text: 'x'.repeat(124) }), 'the text of a close is 123 bytes'],
  [...notice({ kind: 'node', say: 'here', version: 1, period: 1 }), 'the node that says it is undefined'],
  [...ofNode({ say: 'hello' }), "'hello' is nothing that nodes say"],
  [...ofNode({ say: 'here', version: '1', period: 5 }), "a version is '1', and not a whole number from 0"],
  [...ofNode({ say: 'here', version: 1, period: 1e12 }), 'its period is 1000000000000, and not milliseconds'],
  [...ofNode({ say: 'changes', version: 1, changes: 5 }), 'its changes is 5, and not a list'],
  [...ofNode({ say: 'changes', version: 1, changes: [['a']] }), 'who is where has too few parts'],
  [...ofNode({ say: 'changes', version: 1, changes: [['a', 'b', '', 1]] }), '"" is no user'],
  [...ofNode({ say: 'set', version: 1, part: 0, last: true, stays: [['a', 'b']] }), 'who is where has too few parts'],
  [...ofNode({ say: 'set', version: 1, part: -1, last: true, stays: [] }), 'a part is -1, and not a whole number'],
  [...ofNode({ say: 'ask', of: 7 }), 'a node is 7, and not text'],
  [...ofNode({ say: 'bye', linger: -1 }), 'its time is -1, and not milliseconds'],
  [...ofNode({ say: 'count' }), 'a question is undefined, and not text'],
  [...ofNode({ say: 'counted', question: 'q', count: null }), 'a count is null, and not a whole number from 0'],
]

/** Sends, has all that is wrong written, and sends again: what was meant arrives, live and read, and each warning comes once. */
async function staysInOrder(log: Node['log'], book: LogBook, names: RegExp, write: Write): Promise<void> {
  const node = await new Node(log).start()
  await log.append(message(['a'], 1))
  for (const [head, data] of WRONG) await write(head, data)
  await log.append(message(['a'], 2))
  await node.hears(2)
  assert.deepEqual(dataOf(node.entries), [1, 2])
  assert.deepEqual(node.notices, [])
  assert.deepEqual(dataOf(await node.readAll('a')), [1, 2])
  assert.deepEqual(await readEach(node), [1, 2])
  assert.deepEqual([book.warnings.length, book.errors], [WRONG.length, []])
  for (const [index, [, , why]] of WRONG.entries()) {
    const warning = book.warnings[index] ?? ''
    assert.match(warning, names)
    assert.ok(warning.includes(why), `${warning}, ${why}`)
  }
}

type Write = (head: string, data: string) => Promise<unknown>

/** One at a time: a page may have nothing in it that is to be given. */
async function readEach({ log, entries }: Node): Promise<unknown[]> {
  const read: unknown[] = []
  for (let at = 0; at < (entries.at(-1)?.position ?? 0); ) {
    const page = await log.read(new Map([['a', at]]), 1)
    read.push(...dataOf(page.entries))
    at = Math.max(page.upTo, page.gaps.get('a') ?? 0)
  }
  return read
}

/** A node behind a wire that can be cut, and another's log, beside the wire. */
async function startApart(t: TestContext) {
  const server = await RedisServer.start(t)
  const wire = await CuttableWire.to(server.port)
  t.after(() => wire.close())
  const open = (port: number) => redisEventLog({ url: `redis://127.0.0.1:${port}` })('r', plenty, new LogBook())
  const [one, two] = [await open(wire.port), await open(server.port)]
  t.after(() => Promise.all([one.stop(), two.stop()]))
  const node = await new Node(one).start()
  return { server, wire, two, node }
}

describe('what another program wrote wrongly', () => {
  redisTest('in Redis', async t => {
    const server = await RedisServer.start(t)
    const book = new LogBook()
    const log = await redisEventLog({ url: server.url })('r', plenty, book)
    t.after(() => log.stop())
    const key = (name: string) => `palomino:{r}:${name}`
    await staysInOrder(log, book, /^the event log of the registry r leaves out \d+-0 of palomino:\{r\}:tail: /, write)

    /** As our own script does. */
    async function write(head: string, data: string): Promise<void> {
      const [epoch, last] = (await server.command('HMGET', key('meta'), 'epoch', 'last')) as [string, string]
      const at = `${Number(last) + 1}`
      const fields = ['h', head, 'd', data, 'p', last, 's', '0', 'e', epoch]
      if (head !== '') await server.command('XADD', key('room:a'), `${at}-0`, ...fields, 'z', '1', 't', `${Date.now()}`)
      await server.command('XADD', key('tail'), `${at}-0`, ...fields)
      await server.command('HSET', key('meta'), 'position', at, 'last', at)
    }
  })

  redisTest('in the streams of Redis, past our own script: what is sent goes on, and peers read on', async t => {
    const server = await RedisServer.start(t)
    const log = await redisEventLog({ url: server.url })('r', plenty, new LogBook())
    t.after(() => log.stop())
    const node = await new Node(log).start()
    await log.append(message(['a'], 1))
    await node.hears(1)
    for (const name of ['tail', 'room:a']) await server.command('XADD', `palomino:{r}:${name}`, '*', 'x', 'y')
    assert.deepEqual(dataOf(await node.readAll('a')), [1])
    await log.append(message(['a'], 2))
    await log.append(message(['a'], 3))
    await node.hears(3)
    assert.deepEqual(dataOf(node.entries), [1, 2, 3])
    assert.deepEqual(dataOf(await node.readAll('a', node.entries[0]?.position)), [2, 3])
    assert.equal(node.places.length, 1)
  })

  redisTest('in the midst of the tail, where it comes to be the oldest: what is sent goes on', async t => {
    const server = await RedisServer.start(t)
    const book = new LogBook()
    const log = await redisEventLog({ url: server.url, tail: { bytes: 2000 } })('r', plenty, book)
    t.after(() => log.stop())
    const node = await new Node(log).start()
    await log.append(message(['a'], 0))
    await server.command('XADD', 'palomino:{r}:tail', '1-1', 'x', 'y')
    for (let n = 1; n < 20; n++) {
      await log.append(message(['a'], 'x'.repeat(200)))
      await node.hears(n + 1)
    }
    assert.deepEqual([node.places.length, book.errors], [1, []])
    assert.equal((await node.readAll('a', 1)).length, 19)
  })

  redisTest('into a tail that had ended: a node that was away reads on', async t => {
    const { server, wire, two, node } = await startApart(t)
    wire.cut()
    await two.append(message(['a'], 1))
    await server.command('DEL', 'palomino:{r}:tail')
    await server.command('XADD', 'palomino:{r}:tail', '*', 'x', 'y')
    wire.mend()
    await eventually('it has moved', () => node.places.length === 2)
    await two.append(message(['a'], 2))
    await node.hears(1)
    assert.deepEqual(node.heard, ['reset', 'reset', 'entry'])
    assert.deepEqual(dataOf(await node.readAll('a')), [1, 2])
  })

  redisTest('many at the end of the tail: a node that waits looks once for all of them', async t => {
    const server = await RedisServer.start(t)
    const log = await redisEventLog({ url: server.url })('r', plenty, new LogBook())
    t.after(() => log.stop())
    await new Node(log).start()
    await log.append(message(['a'], 1))
    for (let n = 0; n < 100; n++) await server.command('XADD', 'palomino:{r}:tail', '*', 'x', 'y')
    const calls = async (name: string) => {
      const text = String(await server.command('INFO', 'commandstats'))
      return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(text)?.[1] ?? 0)
    }
    const [reads, looks] = [await calls('xread'), await calls('evalsha')]
    await eventually('it has read them again', async () => (await calls('xread')) >= reads + 5)
    const looked = (await calls('evalsha')) - looks
    assert.ok(looked <= 10, `${looked} looks`)
  })

  redisTest('with the epoch alone: it is read and sent to as before', async t => {
    const server = await RedisServer.start(t)
    const book = new LogBook()
    const log = await redisEventLog({ url: server.url })('r', plenty, book)
    t.after(() => log.stop())
    const node = await new Node(log).start()
    const { epoch } = await log.append(message(['a'], 1))
    await server.command('XADD', 'palomino:{r}:room:a', '1-1', 'e', epoch)
    assert.deepEqual(dataOf(await node.readAll('a')), [1])
    await server.command('XADD', 'palomino:{r}:tail', '*', 'e', epoch)
    await eventually('both are told of', () => book.warnings.length === 2)
    await log.append(message(['a'], 2))
    await node.hears(2)
    assert.deepEqual(dataOf(await node.readAll('a')), [1, 2])
    assert.deepEqual([node.places.length, book.warnings.length], [1, 2])
  })

  redisTest('an entry that somebody has taken out of the tail is read where the room remembers it', async t => {
    const { server, wire, two, node } = await startApart(t)
    await two.append(message(['a'], 1))
    await node.hears(1)
    wire.cut()
    const { position } = await two.append(message(['a'], 2))
    await two.append(message(['a'], 3))
    await server.command('XDEL', 'palomino:{r}:tail', `${position}-0`)
    wire.mend()
    await node.hears(2)
    assert.deepEqual(
      [dataOf(node.entries), node.heard],
      [
        [1, 3],
        ['reset', 'entry', 'reset', 'entry'],
      ],
    )
    assert.deepEqual(dataOf(await node.readAll('a', position - 1)), [2, 3])
  })

  test('of very much, a hundred are told of in a minute', () => {
    const book = new LogBook()
    const leftOut = new LeftOut('the log', book)
    for (let n = 1; n <= 1500; n++) leftOut.tell(`${n}-0`, new TypeError('it is no JSON'))
    assert.equal(book.warnings.length, 100)
    assert.deepEqual(
      [book.warnings[98], book.warnings[99]],
      [
        'the log leaves out 99-0: it is no JSON',
        'the log leaves out 100-0: it is no JSON (and tells of no more in this minute)',
      ],
    )
  })

  natsTest('in NATS', async t => {
    const server = await NatsServer.start(t)
    const book = new LogBook()
    const open = natsEventLog({ servers: server.url })
    const log = await open('r', plenty, book)
    t.after(() => log.stop())
    const write: Write = (head, data) => server.publish('palomino.r.to.somebody', `${head}\n${data}`)
    const names = /^the event log of the registry r leaves out \d+ of palomino-r-\w+ \(palomino\.r\.to\.somebody\): /
    await staysInOrder(log, book, names, write)
    const late = await new Node(await open('r', plenty, new LogBook())).start()
    t.after(() => late.log.stop())
    assert.deepEqual(dataOf(await late.readAll('a')), [1, 2])
  })
})
