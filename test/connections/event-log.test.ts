import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryEventLog } from '../../src/index.js'
import { message, outlivesKeys, testEventLog } from '../contract/event-log.js'
import { eventually } from '../support/eventually.js'
import { activeHandles } from '../support/handles.js'
import { plenty, RemoteLog } from '../support/registry-peers.js'

testEventLog('MemoryEventLog', (_registry, retention) => new MemoryEventLog(retention))
testEventLog('P49: RemoteLog, which the tests use', (_registry, retention) => new RemoteLog(retention))

describe('the bounds of MemoryEventLog', () => {
  test('a room holds as many events as it may, and none that are too old', async () => {
    const log = new MemoryEventLog({ ...plenty, count: 5, age: 100 })
    for (let n = 0; n < 10; n++) await log.append(message(['a'], n))
    log.sweep()
    assert.equal(log.held.entries, 5)
    await eventually('all are old', () => {
      log.sweep()
      return log.held.entries === 0
    })
    assert.ok((await log.read(new Map([['a', 9]]), 10)).gaps.has('a'))
  })

  test('a clock that is set makes nothing old', async t => {
    const log = new MemoryEventLog({ ...plenty, age: 1000 })
    let now = 1_000_000_000
    t.mock.method(Date, 'now', () => now)
    await log.append(message(['a'], 1))
    for (now of [9_000_000_000, 1]) {
      log.sweep()
      assert.equal(log.held.entries, 1)
    }
  })

  test('rooms that nobody sends to are swept by a timer of its own, which keeps no process alive', async () => {
    const log = new MemoryEventLog({ ...plenty, age: 10 })
    await log.start({ entry() {}, notice() {}, reset() {} })
    await log.append(message(['a'], 1))
    assert.deepEqual(activeHandles().Timeout, undefined)
    await eventually('the sweep', () => log.held.entries === 0)
    await log.stop()
  })

  test('the last ten thousand keys are remembered, whatever became of what was sent with them', () =>
    outlivesKeys(new MemoryEventLog({ ...plenty, count: 1 })))

  test('bytes are those of UTF-8, the name of the event included', async () => {
    const log = new MemoryEventLog({ ...plenty, bytes: 1000 })
    await log.append(message(['a'], '€'.repeat(100), 'née'))
    assert.equal(log.held.bytes, 302 + 4)
  })

  test('an event that is larger than a room may be is not kept, and missed with a gap', async () => {
    const log = new MemoryEventLog({ ...plenty, bytes: 100 })
    await log.append(message(['a'], 'x'.repeat(200)))
    assert.equal(log.held.bytes, 0)
    assert.ok((await log.read(new Map([['a', 0]]), 10)).gaps.has('a'))
  })

  test('rooms are forgotten when there are too many, and then what they had is a gap, never silence', async () => {
    const log = new MemoryEventLog({ ...plenty, age: 1 })
    for (let n = 0; n < 12_000; n++) log.append(message([`room ${n}`], n))
    await eventually('all are old', () => {
      log.sweep()
      return log.held.entries === 0
    })
    assert.equal(log.held.rooms, 10_000)
    const { position } = await log.append(message(['new'], 'new'))
    const gapsAt = async (at: number, room: string) => (await log.read(new Map([[room, at]]), 10)).gaps.has(room)
    assert.equal(await gapsAt(0, 'room 0'), true)
    assert.equal(await gapsAt(11_999, 'room 11999'), true)
    assert.equal(await gapsAt(position, 'room 0'), false)
    assert.equal(await gapsAt(position - 1, 'new'), false)
    assert.equal(await gapsAt(0, '\u0000'), false, 'nothing was ever sent to all')
  })

  test('a listener that appends while it is told hears that next, in order', async () => {
    const log = new MemoryEventLog(plenty)
    const heard: string[] = []
    await log.start({
      entry(entry) {
        heard.push(entry.data)
        if (entry.data === '1') {
          log.append(message(['a'], 2))
          log.notify({ kind: 'tell', rooms: undefined, data: '3' })
        }
        heard.push(`${entry.data} done`)
      },
      notice: notice => void heard.push(notice.kind),
      reset() {},
    })
    await log.append(message(['a'], 1))
    assert.deepEqual(heard, ['1', '1 done', '2', '2 done', 'tell'])
    await log.stop()
  })
})
