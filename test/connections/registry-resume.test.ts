import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemoryEventLog, type Page } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import {
  lastIdOf,
  plenty,
  RemoteLog,
  startRegistry,
  TestConnection,
  type TestRegistry,
  turn,
} from '../support/registry-peers.js'

async function said(registry: TestRegistry, room: string | string[], ...data: unknown[]) {
  for (const each of data) await registry.to(room).send('said', each)
  await turn()
}

/** A peer that joins with the last event id of another, and ends with all that was due. */
async function comeBack(registry: TestRegistry, lastEventId: string | undefined, rooms: string | string[] = 'a') {
  const peer = new TestConnection({ lastEventId })
  await registry.join(peer, rooms)
  await turn()
  return peer
}

test('a read of the log that fails when its peer has left is nobody’s error', async () => {
  class StoppingLog extends MemoryEventLog {
    cutOff = () => {}
    override read(): Promise<Page> {
      return new Promise((_, reject) => {
        this.cutOff = () => reject(new Error('the log has stopped'))
      })
    }
  }
  const log = new StoppingLog(plenty)
  const registry = await startRegistry({ log })
  const first = new TestConnection()
  await registry.join(first, 'a')
  first.close()
  await said(registry, 'a', 1)
  const peer = new TestConnection({ lastEventId: first.lastId })
  const joined = registry.join(peer, 'a')
  await turn()
  peer.close()
  log.cutOff()
  await joined
  assert.deepEqual(peer.logged, [])
})

/** What an id says, in whatever order it names the rooms. */
function placesIn(id: string | undefined): string[] {
  return (id ?? '').replace(/^\w+-/, '').split('~').sort()
}

describe('coming back', () => {
  test('a newcomer gets nothing of the past, and an id that says where it stands', async () => {
    const registry = await startRegistry()
    await said(registry, 'a', 1)
    const peer = await comeBack(registry, undefined)
    assert.deepEqual(
      peer.frames.map(frame => Object.keys(frame)),
      [['id']],
    )
    peer.close()
    await said(registry, 'a', 2)
    assert.deepEqual((await comeBack(registry, peer.lastId)).data, [2])
  })

  test('a newcomer gets as much of the past as it asks for; one that comes back only what it missed', async () => {
    const registry = await startRegistry()
    await said(registry, 'a', 1, 2, 3)
    const peer = new TestConnection()
    await registry.join(peer, 'a', { history: 2 })
    assert.deepEqual(peer.data, [2, 3])
    peer.close()
    await said(registry, 'a', 4)
    const back = new TestConnection({ lastEventId: peer.lastId })
    await registry.join(back, 'a', { history: 10 })
    assert.deepEqual(back.data, [4])
  })

  test('one last event id places a peer in all its rooms', async () => {
    const registry = await startRegistry()
    const peer = await comeBack(registry, undefined, ['a', 'b'])
    await said(registry, 'a', 1)
    peer.close()
    await said(registry, 'b', 2)
    await said(registry, ['a', 'b'], 3)
    await registry.broadcast('said', 4)
    await said(registry, 'c', 5)
    const back = await comeBack(registry, peer.lastId, ['a', 'b'])
    assert.deepEqual(back.data, [2, 3, 4])
    assert.deepEqual(back.gaps, [])
  })

  const strange: [string, (epoch: string) => string][] = [
    ['the id of another log', () => '42'],
    ['an id of another epoch', () => 'abc-1'],
    ['an id from the future', epoch => `${epoch}-1000`],
    ['an id whose number is no number', epoch => `${epoch}-x`],
    ['an id of stop', () => 'palomino-stopped'],
    ['an id that is too long', epoch => `${epoch}-${'9'.repeat(400)}`],
  ]
  for (const [what, idIn] of strange) {
    test(`${what} is answered with one gap, then all that is still known, then what is live; the next time there is no gap`, async () => {
      const registry = await startRegistry({ log: new MemoryEventLog({ ...plenty, count: 2 }) })
      const first = await comeBack(registry, undefined)
      await said(registry, 'a', 1, 2, 3)
      const epoch = first.lastId?.split('-')[0] ?? ''
      const peer = await comeBack(registry, idIn(epoch))
      await said(registry, 'a', 4)
      assert.deepEqual(peer.frames[0], { event: 'gap', data: { registry: 'test', rooms: ['a'] } })
      assert.deepEqual(peer.data, [2, 3, 4])
      assert.equal(peer.gaps.length, 1)
      peer.close()
      const back = await comeBack(registry, peer.lastId)
      assert.deepEqual(back.frames, [])
    })
  }

  test('a gap before silence leaves an id, so that the next time there is none', async () => {
    const registry = await startRegistry()
    const peer = await comeBack(registry, 'abc-1')
    assert.deepEqual(
      peer.frames.map(frame => frame.event ?? 'id'),
      ['gap', 'id'],
    )
    assert.deepEqual((await comeBack(registry, peer.lastId)).frames, [])
  })

  test('a room that forgot what was missed says so for itself, and the others give all', async () => {
    const registry = await startRegistry({ log: new MemoryEventLog({ ...plenty, count: 2 }) })
    const peer = await comeBack(registry, undefined, ['a', 'b'])
    peer.close()
    await said(registry, 'b', 'b')
    await said(registry, 'a', 1, 2, 3)
    const back = await comeBack(registry, peer.lastId, ['a', 'b'])
    assert.deepEqual(
      back.gaps.map(frame => frame.data),
      [{ registry: 'test', rooms: ['a'] }],
    )
    assert.deepEqual(back.data, ['b', 2, 3])
  })

  test('a room that is joined later resumes from the same id; the id says that the others are ahead', async () => {
    const registry = await startRegistry()
    const peer = await comeBack(registry, undefined, ['a', 'b~:,'])
    peer.close()
    await said(registry, 'b~:,', 1, 2, 3)
    await said(registry, 'a', 'a')
    const back = await comeBack(registry, peer.lastId)
    await registry.join(back, 'b~:,')
    assert.deepEqual(back.data, ['a', 1, 2, 3])
    const behind = back.frames.find(frame => frame.data === 2)?.id
    assert.deepEqual(placesIn(behind), ['%00:4', '2', 'a:4'])
    assert.deepEqual((await comeBack(registry, behind, ['a', 'b~:,'])).data, [3])
  })

  for (const room of ['', '!', '~:,', '__proto__', 'a\ud800', '\ufffd'])
    test(`an id places its peer in the room ${JSON.stringify(room)}, as in any other`, async () => {
      const registry = await startRegistry()
      const peer = await comeBack(registry, undefined)
      peer.close()
      await said(registry, room, 1, 2)
      await said(registry, 'a', 3)
      const late = await comeBack(registry, peer.lastId)
      await registry.join(late, room)
      assert.deepEqual(late.data, [3, 1, 2])
      const behind = late.frames.find(frame => frame.data === 1)?.id
      assert.deepEqual((await comeBack(registry, behind, ['a', room])).data, [2])
    })

  test('who leaves a room and joins it again missed what came between', async () => {
    const registry = await startRegistry()
    const peer = await comeBack(registry, undefined, ['a', 'b'])
    await said(registry, 'a', 1)
    registry.leave(peer, 'a')
    await said(registry, 'a', 2)
    await registry.join(peer, 'a')
    await said(registry, 'a', 3)
    assert.deepEqual(peer.data, [1, 3])
    assert.deepEqual(peer.gaps, [])
  })

  test('who leaves while it is being given the past gets no more of it', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined, ['a', 'b'])
    peer.close()
    await said(registry, 'a', 1)
    await said(registry, 'b', 2)
    log.slow(2)
    const back = new TestConnection({ lastEventId: peer.lastId })
    const joined = registry.join(back, ['a', 'b'])
    registry.leave(back, 'a')
    await joined
    assert.deepEqual(back.data, [2])
    registry.leave(back)
    await registry.join(back, 'b')
    await said(registry, 'b', 3)
    assert.deepEqual(back.data, [2, 3])
  })

  test('a newcomer that asks for more of the past than there is missed nothing: it is told of no gap', async () => {
    const registry = await startRegistry({ log: new MemoryEventLog({ ...plenty, count: 3 }) })
    await registry.broadcast('said', 0)
    await said(registry, 'a', 1, 2, 3, 4)
    const newcomer = new TestConnection({ opening: true })
    await registry.join(newcomer, 'a', { history: 10 })
    const asked = new TestConnection({ opening: true })
    await registry.join(asked, 'a', { history: 3 })
    await said(registry, 'a', 5)
    for (const peer of [newcomer, asked]) peer.opened()
    await turn(2)
    assert.deepEqual([newcomer.data, newcomer.gaps], [[0, 3, 4, 5], []])
    assert.deepEqual([asked.data, asked.gaps], [[3, 4, 5], []])
  })

  test('a newcomer is told of a gap in what was sent since it joined', async () => {
    const registry = await startRegistry({ log: new MemoryEventLog({ ...plenty, count: 3 }) })
    await said(registry, 'a', 1, 2)
    const newcomer = new TestConnection({ opening: true })
    await registry.join(newcomer, 'a', { history: 1 })
    await said(registry, 'a', 3, 4, 5, 6)
    newcomer.opened()
    await turn(2)
    assert.deepEqual([newcomer.data, newcomer.gaps.length], [[4, 5, 6], 1])
  })

  test('what went to two rooms comes through the one whose past is given, though the other is joined behind it', async () => {
    const registry = await startRegistry()
    await said(registry, 'a', 1)
    await said(registry, ['a', 'b'], 2)
    await said(registry, 'a', 3)
    const newcomer = new TestConnection({ opening: true })
    await registry.join(newcomer, 'a', { history: 3 })
    await registry.join(newcomer, 'b')
    newcomer.opened()
    await turn(2)
    await said(registry, ['a', 'b'], 4)
    assert.deepEqual(newcomer.data, [1, 2, 3, 4])
  })

  test('the past of several rooms is the last events of each, those that went to two of them once', async () => {
    const registry = await startRegistry()
    await said(registry, 'b', 1)
    await said(registry, ['a', 'b'], 2)
    await said(registry, 'a', 3, 4)
    const newcomer = new TestConnection({ opening: true })
    await registry.join(newcomer, ['a', 'b'], { history: 2 })
    newcomer.opened()
    await turn(2)
    assert.deepEqual(newcomer.data, [1, 2, 3, 4])
    assert.deepEqual((await comeBack(registry, newcomer.lastId, ['a', 'b'])).data, [])
  })

  test('who leaves one room while it is being given the past, and joins it again, misses nothing of the others', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined, ['a', 'b'])
    peer.close()
    await said(registry, 'a', 1)
    await said(registry, ['a', 'b'], 2)
    await said(registry, 'b', 3)
    log.slow(2)
    const back = new TestConnection({ lastEventId: peer.lastId })
    const joined = registry.join(back, ['a', 'b'])
    registry.leave(back, 'b')
    await Promise.all([registry.join(back, 'b'), joined])
    await said(registry, 'b', 4)
    await eventually('all has come', () => back.data.length === 3)
    assert.deepEqual(back.data, [1, 2, 4])
    assert.deepEqual(back.gaps, [])
  })

  test('a join right behind the moment another one is done waits for nothing in vain', async () => {
    const registry = await startRegistry()
    const peer = new TestConnection()
    await Promise.all([registry.join(peer, 'a'), registry.join(peer, 'b', { history: 1 }), registry.join(peer, 'c')])
    await Promise.all(
      ['d', 'e', 'f'].map(async (room, n) => {
        for (let left = n; left > 0; left--) await undefined
        await registry.join(peer, room)
      }),
    )
    for (const room of 'abcdef') await said(registry, room, room)
    assert.deepEqual(peer.data, [...'abcdef'])
  })

  test('a peer that does not read is given the past at its own pace', async () => {
    const registry = await startRegistry()
    const peer = await comeBack(registry, undefined)
    peer.close()
    await said(registry, 'a', ...Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(100)))
    const back = new TestConnection({ lastEventId: peer.lastId, limit: 1000, highWaterMark: 500 })
    back.wire.pause()
    const joined = registry.join(back, 'a')
    await turn(3)
    assert.ok(back.queue.size <= 1000, `${back.queue.size} bytes wait`)
    await said(registry, 'a', 'live')
    while (back.data.length < 1001) {
      back.wire.resume()
      back.wire.pause()
      await turn()
      assert.ok(back.queue.size <= 1000)
    }
    back.wire.resume()
    await joined
    assert.deepEqual(
      back.data.map(each => Number.parseInt(`${each}`, 10)),
      [...Array(1000).keys(), Number.NaN],
    )
    assert.equal(back.closed, false)
  })
})

describe('rooms that are joined late', () => {
  /** A peer that has missed 1 in b, 2 in a and b, and 3 in c. */
  async function behind() {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined, ['a', 'b', 'c'])
    peer.close()
    await said(registry, 'b', 1)
    await said(registry, ['a', 'b'], 2)
    await said(registry, 'c', 3)
    return { log, registry, lastId: peer.lastId }
  }

  test('what came through a room that was left since does not come through another one', async () => {
    const { registry, lastId } = await behind()
    const back = await comeBack(registry, lastId, ['a', 'c'])
    registry.leave(back, 'a')
    await registry.join(back, 'b')
    assert.deepEqual(back.data, [2, 3, 1])
  })

  test('nor does it on the next connection, which has the id of what came in between', async () => {
    const { registry, lastId } = await behind()
    const back = await comeBack(registry, lastId, ['a', 'c'])
    registry.leave(back, 'a')
    await registry.join(back, 'b')
    const id = back.frames.find(frame => frame.data === 1)?.id
    assert.deepEqual(placesIn(id), ['%00:3', '1', 'a:3', 'c:3'])
    assert.deepEqual((await comeBack(registry, id, ['b', 'c'])).data, [])
    assert.deepEqual((await comeBack(registry, id, ['b', 'd'])).data, [])
  })

  test('a room that was entered behind what went to it and another one does not keep that from the other', async () => {
    const { registry, lastId } = await behind()
    const back = await comeBack(registry, lastId, 'c')
    await registry.join(back, 'a')
    registry.leave(back, 'a')
    await registry.join(back, 'a')
    await registry.join(back, 'b')
    assert.deepEqual(back.data, [3, 2, 1])
    const newcomer = await comeBack(registry, undefined, 'a')
    await registry.join(newcomer, 'b', { history: 5 })
    assert.deepEqual(newcomer.data, [1, 2])
  })

  test('a room that is joined again with its past brings what the peer does not have', async () => {
    const { registry, lastId } = await behind()
    const back = await comeBack(registry, lastId, ['a', 'b'])
    registry.leave(back, 'a')
    await said(registry, 'a', 4)
    await registry.join(back, 'a', { history: 5 })
    assert.deepEqual(back.data, [1, 2, 4])
  })

  test('a newcomer to a room begins where its other rooms were read to, so that all come in one order', async () => {
    const { log, registry } = await behind()
    log.lag()
    await said(registry, 'a', 4)
    await said(registry, 'b', 5)
    await said(registry, 'a', 6)
    const newcomer = new TestConnection()
    await registry.join(newcomer, 'a', { history: 1 })
    await registry.join(newcomer, 'b')
    log.lag(false)
    log.hear()
    await said(registry, 'b', 7)
    assert.deepEqual(newcomer.data, [6, 7])
  })

  test('an id that would be too long says that something may be missing', async () => {
    const { registry, lastId } = await behind()
    const rooms = Array.from({ length: 200 }, (_, n) => `a room with a long name, ${n}`)
    const back = await comeBack(registry, lastId, rooms)
    await registry.join(back, 'b')
    assert.equal(back.data.at(-1), 2)
    const id = back.frames.find(frame => frame.data === 1)?.id ?? ''
    assert.match(id, /-far$/)
    const next = await comeBack(registry, id, 'b')
    assert.deepEqual([next.data, next.gaps.length], [[1, 2], 1])
    assert.deepEqual((await comeBack(registry, next.lastId, 'b')).frames, [])
  })

  test('who has left more rooms than anybody remembers gets nothing twice, and hears what it is not given', async () => {
    const { registry, lastId } = await behind()
    const back = await comeBack(registry, lastId, ['a', 'c'])
    registry.leave(back, 'a')
    for (let n = 0; n < 1000; n++) {
      await registry.join(back, `${n}`)
      registry.leave(back, `${n}`)
    }
    await registry.join(back, 'b')
    assert.deepEqual([back.data, back.gaps.length], [[2, 3], 1])
    await said(registry, 'b', 4)
    assert.deepEqual(back.data, [2, 3, 4])
  })
})

describe('a peer that is cut anywhere behind a gap', () => {
  /** Comes back from right behind the gap, and from behind each event after it. */
  async function comesBack(registry: TestRegistry, { frames }: TestConnection): Promise<void> {
    const gap = frames.findIndex(frame => frame.event === 'gap')
    assert.deepEqual(Object.keys(frames[gap + 1] ?? {}), ['id'], 'where it goes on is said with the gap')
    for (let end = gap + 2; end <= frames.length; end++) {
      const back = await comeBack(registry, lastIdOf(frames.slice(0, end)))
      assert.deepEqual(back.gaps, [], `cut behind ${JSON.stringify(frames[end - 1])}`)
      const missed = frames.slice(end).filter(frame => frame.event === 'said')
      assert.deepEqual(
        back.data,
        missed.map(frame => frame.data),
      )
    }
  }

  for (const [what, count] of [
    ['all', 100],
    ['only the newest', 2],
  ] as const) {
    test(`is not told of it again, where the log knows ${what}`, async () => {
      const registry = await startRegistry({ log: new MemoryEventLog({ ...plenty, count }) })
      await said(registry, 'a', 1, 2, 3)
      const peer = await comeBack(registry, 'abc-1')
      assert.deepEqual(peer.data, [1, 2, 3].slice(-count))
      await comesBack(registry, peer)
    })
  }

  test('… nor where the data of the log was lost', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined)
    await said(registry, 'a', 1)
    await log.lose()
    await said(registry, 'a', 2, 3)
    assert.deepEqual(peer.data, [1, 2, 3])
    await comesBack(registry, peer)
  })
})

describe('several registries', () => {
  test('the ids of a peer in several registries resume it in each, and who shares them shares the bytes', async () => {
    const [x, y, quiet] = [
      await startRegistry({ name: 'x' }),
      await startRegistry({ name: 'y' }),
      await startRegistry({ name: 'quiet', history: false }),
    ]
    const join = async (lastEventId?: string) => {
      const peer = new TestConnection({ lastEventId })
      for (const registry of [quiet, x, y]) await registry.join(peer, 'a')
      await turn()
      return peer
    }
    const peer = await join()
    await said(x, 'a', 'x1')
    await said(y, 'a', 'y1')
    const ids = peer.lastId?.split(',') ?? []
    assert.equal(ids.length, 2, 'one for each registry with a history')
    await said(x, 'a', 'x2')
    peer.close()
    await said(y, 'a', 'y2')
    await said(x, 'a', 'x3')
    const back = await join(peer.lastId)
    assert.deepEqual(back.data.sort(), ['x3', 'y2'])
    assert.deepEqual(back.gaps, [])
    const older = await join(peer.frames.find(frame => frame.data === 'y1')?.id)
    assert.deepEqual(older.data.sort(), ['x2', 'x3', 'y2'])
  })
})

describe('a log elsewhere', () => {
  test('when its data is lost, every live peer is told one gap, and gets all that comes after it', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peers = [await comeBack(registry, undefined), await comeBack(registry, undefined, ['a', 'b'])]
    await said(registry, 'a', 1, 2, 3)
    await log.lose()
    await said(registry, 'a', 4)
    for (const peer of peers) {
      assert.deepEqual(peer.data, [1, 2, 3, 4])
      assert.equal(peer.gaps.length, 1)
      assert.equal('id' in (peer.gaps[0] ?? {}), false)
    }
    const back = await comeBack(registry, peers[0]?.lastId)
    assert.deepEqual(back.frames, [])
  })

  test('when its data is lost while a page is being read, that page is void', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined)
    peer.close()
    await said(registry, 'a', 1, 2, 3)
    log.slow(2)
    const back = new TestConnection({ lastEventId: peer.lastId })
    const joined = registry.join(back, 'a')
    await log.lose()
    await said(registry, 'a', 4)
    await joined
    await turn()
    assert.deepEqual(back.data, [4])
    assert.equal(back.gaps.length, 1)
  })

  test('when the node was away for a while, its peers read what they missed, without a gap', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined)
    await said(registry, 'a', 1)
    log.lag()
    await said(registry, 'a', 2, 3)
    log.lag(false)
    log.skip()
    await said(registry, 'a', 4)
    assert.deepEqual(peer.data, [1, 2, 3, 4])
    assert.deepEqual(peer.gaps, [])
  })

  test('who comes from a node that was ahead gets nothing twice', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const first = await comeBack(registry, undefined)
    log.lag()
    const id = await registry.to('a').send('said', 1)
    await said(registry, 'a', 2)
    const back = await comeBack(registry, id)
    log.lag(false)
    log.hear()
    await said(registry, 'a', 3)
    assert.deepEqual(back.data, [2, 3])
    assert.deepEqual(first.data, [1, 2, 3])
  })

  test('when it cannot take an event, the sender is told, and nobody gets it', async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    const peer = await comeBack(registry, undefined)
    log.fail()
    await assert.rejects(registry.to('a').send('said', 1), /the log is away/)
    log.fail(false)
    await said(registry, 'a', 2)
    assert.deepEqual(peer.data, [2])
  })

  for (const [what, options] of [
    ['what was missed', {}],
    ['the last events', { history: 5 }],
  ] as const) {
    test(`when it cannot read ${what}, the peer is cut, so that it comes back, and join rejects nothing`, async () => {
      const log = new RemoteLog()
      const registry = await startRegistry({ log })
      const peer = await comeBack(registry, undefined)
      peer.close()
      await said(registry, 'a', 1)
      log.fail()
      const back = new TestConnection(what === 'what was missed' ? { lastEventId: peer.lastId } : {})
      await registry.join(back, 'a', options)
      assert.equal(back.closeReason?.kind, 'failed')
      assert.equal(back.logged.length, 1)
      assert.equal(registry.size, 0)
    })
  }
})

test('what was lost with the log is not given behind that: a peer that is cut then is told of the gap when it is back', async () => {
  const log = new RemoteLog()
  const registry = await startRegistry({ log })
  const first = await comeBack(registry, undefined)
  first.close()
  await said(registry, 'a', 1, 2, 3)
  const peer = new TestConnection({ lastEventId: first.lastId })
  peer.wire.pause()
  const joined = registry.join(peer, 'a')
  await turn(3)
  await log.lose()
  registry.to('a').send('said', 'new')
  peer.wire.resume()
  await joined
  await turn()
  assert.deepEqual(
    peer.frames.map(({ event, data }) => (event === 'gap' ? 'gap' : data)).filter(data => data !== undefined),
    [1, 'gap', 'new'],
  )
})
