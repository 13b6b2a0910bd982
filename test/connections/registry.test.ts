import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Connection } from '../../src/index.js'
import { LineCodec, startRegistry, TestConnection, TestRegistry, turn } from '../support/registry-peers.js'

describe('rooms', () => {
  test('a room has its members, and is gone when the last one has left', async () => {
    const registry = await startRegistry()
    const [one, two] = [new TestConnection(), new TestConnection()]
    await registry.join(one, 'a')
    await registry.join(two, ['a', 'b', 'a'])
    assert.deepEqual(registry.members('a'), [one, two])
    assert.deepEqual([registry.count('a'), registry.count('b'), registry.count('c')], [2, 1, 0])
    assert.deepEqual(registry.rooms(), ['a', 'b'])
    assert.equal(registry.size, 2)
    registry.leave(two, 'a')
    assert.deepEqual(registry.members('a'), [one])
    one.close()
    assert.deepEqual(registry.rooms(), ['b'])
    registry.leave(two)
    assert.deepEqual(registry.rooms(), [])
    assert.equal(registry.size, 0)
  })

  for (const room of ['__proto__', 'constructor', '', ' ', 'a/b?c', 'é'.repeat(1000), 'a~b:1,c', '\ud800']) {
    test(`${JSON.stringify(room).slice(0, 20)} is a room like any other, and resumes`, async () => {
      const registry = await startRegistry()
      const peer = new TestConnection()
      await registry.join(peer, [room, 'other'])
      await registry.to(room).send('said', 1)
      await registry.to('other').send('said', 2)
      await turn()
      assert.deepEqual(peer.data, [1, 2])
      peer.end({ kind: 'lost' })
      assert.deepEqual(registry.rooms(), [])
      await registry.to(room).send('said', 3)
      const back = new TestConnection({ lastEventId: peer.lastId })
      await registry.join(back, [room, 'other'])
      assert.deepEqual(back.data, [3])
      assert.deepEqual(back.gaps, [])
    })
  }

  test('what is no name of a room is refused where it is said', async () => {
    const registry = await startRegistry()
    for (const room of [42, undefined, null, {}, '\0', ['\0']] as unknown as string[]) {
      await assert.rejects(registry.join(new TestConnection(), room), TypeError)
      assert.throws(() => registry.to(room), TypeError)
    }
  })

  test('a connection that has ended joins nothing', async () => {
    const registry = await startRegistry()
    const peer = new TestConnection()
    peer.close()
    await registry.join(peer, 'a')
    await registry.join(peer, 'a', { history: 5 })
    assert.equal(registry.size, 0)
  })

  test('a registry that no application has started says so', async () => {
    const registry = new TestRegistry()
    await assert.rejects(
      registry.join(new TestConnection(), 'a'),
      /TestRegistry: join before the application has started/,
    )
    assert.throws(() => registry.to('a'), /list the registry as a provider/)
    await assert.rejects(registry.disconnect('a'), /before the application has started/)
  })
})

describe('who is reached', () => {
  test('a room, several rooms with each member once, all', async () => {
    const registry = await startRegistry()
    const peers = {
      a: new TestConnection(),
      b: new TestConnection(),
      ab: new TestConnection(),
      none: new TestConnection(),
    }
    await registry.join(peers.a, 'a')
    await registry.join(peers.b, 'b')
    await registry.join(peers.ab, ['a', 'b'])
    await registry.to('a').send('said', 'a')
    await registry.to(['a', 'b', 'a']).send('said', 'both')
    await registry.broadcast('said', 'all')
    await registry.to([]).send('said', 'nobody')
    await turn()
    assert.deepEqual(peers.a.data, ['a', 'both', 'all'])
    assert.deepEqual(peers.b.data, ['both', 'all'])
    assert.deepEqual(peers.ab.data, ['a', 'both', 'all'])
    assert.deepEqual(peers.none.data, [])
  })

  test('except passes connections over, and they do not get it when they come back', async () => {
    const registry = await startRegistry()
    const [sender, other] = [new TestConnection(), new TestConnection()]
    await registry.join(sender, 'a')
    await registry.join(other, 'a')
    const target = registry.to('a').except(sender)
    await target.send('said', 1)
    await target.except(other).send('said', 2)
    await turn()
    assert.deepEqual([sender.data, other.data], [[], [1]])
    sender.end({ kind: 'lost' })
    const back = new TestConnection({ lastEventId: sender.lastId })
    await registry.join(back, 'a')
    await registry.to('a').send('said', 3)
    await turn()
    assert.deepEqual(back.data, [3])
  })

  test('who is passed over by nobody is given no id for that', async () => {
    const registry = await startRegistry()
    const [sender, others] = [new TestConnection(), [new TestConnection(), new TestConnection(), new TestConnection()]]
    for (const each of [sender, ...others]) await registry.join(each, 'a')
    // Ids are numbered, behind the name of the node.
    const number = ({ id }: TestConnection) => Number.parseInt(id.slice(8), 36)
    const before = number(sender)
    await registry.to('a').except(sender).send('said', 1)
    await turn()
    assert.deepEqual(
      [sender, ...others].map(({ data }) => data),
      [[], [1], [1], [1]],
    )
    assert.equal(number(new TestConnection()), before + 1)
  })

  test('an exception that is made after a send does not change what was sent', async () => {
    const registry = await startRegistry()
    const [first, second] = [new TestConnection(), new TestConnection()]
    await registry.join(first, 'a')
    const target = registry.to('a')
    await target.send('said', 1)
    target.except(second)
    await registry.join(second, 'a', { history: 1 })
    assert.deepEqual(second.data, [1])
  })

  test('volatile events reach who keeps up, have no id, and are kept for nobody', async () => {
    const registry = await startRegistry()
    const [fast, slow] = [new TestConnection(), new TestConnection()]
    await registry.join(fast, 'a')
    await registry.join(slow, 'a')
    slow.wire.pause()
    await registry.to('a').send('said', 'kept')
    await turn()
    assert.equal(await registry.to('a').volatile().send('said', 'stale'), undefined)
    await turn()
    slow.wire.resume()
    await turn()
    assert.deepEqual(fast.data, ['kept', 'stale'])
    assert.equal(fast.frames.at(-1)?.id, undefined)
    assert.deepEqual(slow.data, ['kept'])
    const late = new TestConnection()
    await registry.join(late, 'a', { history: 10 })
    assert.deepEqual(late.data, ['kept'])
  })

  test('what is sent with a key is kept once, and every send of it answers the same id', async () => {
    const registry = await startRegistry()
    const peer = new TestConnection()
    await registry.join(peer, 'a')
    const ids = [await registry.to('a').once('order 1').send('said', 1), await registry.to('b').send('said', 2)]
    const again = await registry.to(['a', 'b']).once('order 1').send('said', 1)
    assert.equal(again, ids[0])
    const other = await registry.to('a').once('order 2').send('said', 3)
    await turn()
    assert.equal(other, peer.lastId)
    assert.deepEqual(peer.data, [1, 3])
  })

  test('a key is for what is kept', async () => {
    const registry = await startRegistry()
    for (const key of ['', 'x'.repeat(201), '\ud800', 5 as never])
      assert.throws(() => registry.to('a').once(key), TypeError)
    await assert.rejects(registry.to('a').volatile().once('k').send('said', 1), {
      message: "once('k') is for what is kept: a volatile send is not",
    })
    const forgetful = await startRegistry({ history: false })
    await assert.rejects(forgetful.to('a').once('k').send('said', 1), {
      message: "once('k') is for what is kept: a registry without history is not",
    })
  })

  test('tell runs info on the members of a room, each with a copy of its own', async () => {
    const registry = await startRegistry()
    const told: { n: number }[][] = [[], [], []]
    const peers = told.map(each => new TestConnection({ told: each }))
    for (const peer of peers.slice(0, 2)) await registry.join(peer, 'a')
    await registry.tell('a', { n: 1 })
    assert.deepEqual(told, [[{ n: 1 }], [{ n: 1 }], []])
    assert.notEqual(told[0]?.[0], told[1]?.[0])
    await assert.rejects(registry.tell('a', undefined), TypeError)
  })

  test('disconnect ends a room, or one connection by its id, with a code and a text', async () => {
    const registry = await startRegistry()
    const [a, b, c] = [new TestConnection(), new TestConnection(), new TestConnection()]
    await registry.join(a, 'a')
    await registry.join(b, 'a')
    await registry.join(c, 'c')
    await registry.disconnect(c.id)
    await registry.disconnect('a', { code: 4001, text: 'full' })
    assert.deepEqual(c.closeReason, { kind: 'disconnected' })
    for (const peer of [a, b]) assert.deepEqual(peer.closeReason, { kind: 'disconnected', code: 4001, text: 'full' })
    await assert.rejects(registry.disconnect('a', { code: 1005 }), RangeError)
    assert.equal(registry.size, 0)
  })
})

describe('what is sent', () => {
  test('data is encoded once for each wire format, however many peers there are', async () => {
    const registry = await startRegistry()
    const codecs = [new LineCodec(), new LineCodec()]
    const peers = Array.from({ length: 50 }, (_, n) => new TestConnection({ codec: codecs[n % 2] as LineCodec }))
    for (const peer of peers) await registry.join(peer, 'a')
    for (const codec of codecs) codec.encoded = 0
    await registry.to('a').send('said', 1)
    await turn()
    assert.ok(peers.every(peer => peer.data.length === 1))
    assert.deepEqual(
      codecs.map(codec => codec.encoded),
      [1, 1],
    )
  })

  test('peers that come back together share what is encoded for them', async () => {
    const registry = await startRegistry()
    const seen = new TestConnection()
    await registry.join(seen, 'a')
    for (let n = 0; n < 20; n++) await registry.to('a').send('said', n)
    const codec = new LineCodec()
    const back = Array.from({ length: 50 }, () => new TestConnection({ codec, lastEventId: seen.frames[0]?.id }))
    await Promise.all(back.map(peer => registry.join(peer, 'a')))
    assert.ok(back.every(peer => peer.data.length === 20))
    assert.equal(codec.encoded, 20)
  })

  test('events of one turn leave in one write', async () => {
    const registry = await startRegistry()
    const peer = new TestConnection()
    await registry.join(peer, 'a')
    const { writes } = peer.wire
    for (let n = 0; n < 10; n++) await registry.to('a').send('said', n)
    await turn()
    assert.deepEqual(peer.data, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert.equal(peer.wire.writes, writes + 1)
  })

  test('own sends and those to the room keep their order', async () => {
    const registry = await startRegistry()
    const peer = new TestConnection()
    await registry.join(peer, 'a')
    for (let n = 0; n < 10; n += 2) {
      await registry.to('a').send('said', n)
      await peer.send(n + 1)
    }
    await turn()
    assert.deepEqual(peer.data, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('a blank event has null data', async () => {
    const registry = await startRegistry()
    const peer = new TestConnection()
    await registry.join(peer, 'a')
    const id = await registry.to('a').send('blank')
    await registry.broadcast('blank', null)
    await turn()
    assert.deepEqual(peer.frames.at(-2), { event: 'blank', data: null, id })
    assert.deepEqual(peer.frames.at(-1)?.data, null)
  })

  const circle: Record<string, unknown> = {}
  circle.again = circle
  for (const [what, data] of [
    ['undefined', undefined],
    ['a function', () => {}],
    ['a symbol', Symbol('x')],
    ['a cycle', circle],
    ['a BigInt', 1n],
  ] as const) {
    test(`${what} is rejected where it is sent, and reaches nobody`, async () => {
      const registry = await startRegistry()
      const peer = new TestConnection()
      await registry.join(peer, 'a')
      await assert.rejects(registry.to('a').send('said', data), TypeError)
      await assert.rejects(registry.broadcast('said', data), TypeError)
      await turn()
      assert.deepEqual(peer.data, [])
    })
  }

  test('the name of an event that would break a stream is rejected where it is sent', async () => {
    const registry = await startRegistry()
    for (const name of ['a\nb', 'a\rb', 'a\0b'] as unknown as 'said'[])
      await assert.rejects(registry.to('a').send(name, 1), /the name of an event is one line/)
    await assert.rejects(registry.to('a').send(42 as unknown as 'said', 1), /the name of an event is a string, not 42/)
  })
})

describe('hooks', () => {
  test('joined and left are called once for each room, in order, on every end', async () => {
    const registry = await startRegistry()
    const ends: ((peer: TestConnection) => void)[] = [
      peer => registry.leave(peer),
      peer => peer.close(),
      peer => peer.end({ kind: 'lost' }),
      peer => peer.failed(new Error('x')),
    ]
    for (const end of ends) {
      registry.hooks.length = 0
      const peer = new TestConnection()
      await registry.join(peer, ['a', 'b'])
      await registry.join(peer, 'a')
      end(peer)
      peer.close()
      registry.leave(peer, 'a')
      assert.deepEqual(registry.hooks, ['joined a', 'joined b', 'left a', 'left b'])
    }
  })

  for (const history of [true, false]) {
    test(`who is sent away by the hook that greets it is in no room, and hears nothing (history: ${history})`, async () => {
      class Strict extends TestRegistry {
        protected override joined(connection: Connection): void {
          this.leave(connection)
        }
      }
      const registry = await startRegistry({ history, registry: new Strict() })
      const peer = new TestConnection()
      await registry.join(peer, ['a', 'b'])
      await registry.broadcast('said', 'for others')
      await turn()
      assert.deepEqual([registry.rooms(), registry.size, peer.data], [[], 0, []])
    })
  }

  test('who is sent out of all rooms as it enters the first of them enters none of the others', async () => {
    class Picky extends TestRegistry {
      protected override joined(connection: Connection, room: string): void {
        if (room === 'a') this.leave(connection)
      }
    }
    const registry = await startRegistry({ registry: new Picky() })
    await registry.join(new TestConnection(), ['a', 'b'])
    assert.deepEqual(registry.rooms(), [])
  })

  test('who has ended is in no room any more when the first hook hears of that', async () => {
    const seen: unknown[] = []
    class Parting extends TestRegistry {
      protected override left(_connection: Connection, room: string): void {
        seen.push(`${room}: ${this.rooms()}`)
        this.broadcast('said', `left ${room}`)
      }
    }
    const registry = await startRegistry({ registry: new Parting() })
    const [peer, other] = [new TestConnection(), new TestConnection()]
    await registry.join(peer, ['a', 'b'])
    await registry.join(other, 'c')
    peer.close()
    await turn()
    assert.deepEqual(seen, ['a: c', 'b: c'])
    assert.deepEqual([peer.data, other.data], [[], ['left a', 'left b']])
  })

  test('P36: a hook that throws or rejects is logged, and nothing else; what it publishes reaches who is there', async () => {
    class Loud extends TestRegistry {
      protected override async joined(connection: Connection, room: string): Promise<void> {
        await this.to('watchers').send('said', `${room} +1`)
        if (connection.params.x === undefined) throw new Error('joined')
      }
      protected override left(): void {
        throw new Error('left')
      }
    }
    const logged: unknown[] = []
    const registry = await startRegistry({ registry: new Loud(), logged })
    const [watcher, peer] = [new TestConnection(), new TestConnection()]
    await registry.join(watcher, 'watchers')
    await registry.join(peer, 'remotes')
    peer.close()
    await turn()
    assert.deepEqual(watcher.data, ['watchers +1', 'remotes +1'])
    assert.deepEqual(logged.map(error => (error as Error).message).sort(), ['joined', 'joined', 'left'])
    assert.equal(watcher.closed, false)
  })

  test('a peer whose queue overflows while a room is served leaves no other member out, whatever its hooks do', async () => {
    class Moving extends TestRegistry {
      moved: TestConnection | undefined
      protected override left(): void {
        if (this.moved !== undefined) this.join(this.moved, 'b')
      }
    }
    const registry = await startRegistry({ registry: new Moving() })
    const [full, other] = [new TestConnection({ limit: 100 }), new TestConnection()]
    await registry.join(full, 'a')
    await registry.join(other, 'a')
    registry.moved = other
    full.wire.pause()
    for (let n = 0; n < 10; n++) {
      await registry.to('a').send('said', `${n}`.padStart(60))
      await turn()
    }
    assert.equal(full.closeReason?.kind, 'overflow')
    assert.equal(other.data.length, 10)
    assert.deepEqual(registry.rooms().sort(), ['a', 'b'])
  })
})

describe('without history', () => {
  test('events reach who is there, have no id, and are kept for nobody', async () => {
    const registry = await startRegistry({ history: false })
    const [peer, late] = [new TestConnection({ lastEventId: 'x-1' }), new TestConnection()]
    await registry.join(peer, 'a')
    assert.equal(await registry.to('a').send('said', 1), undefined)
    await registry.join(late, 'a', { history: 10 })
    registry.leave(peer)
    await registry.join(peer, 'a')
    await registry.to('a').send('said', 2)
    await turn()
    assert.deepEqual(peer.frames, [
      { event: 'said', data: 1 },
      { event: 'said', data: 2 },
    ])
    assert.deepEqual(late.data, [2])
  })

  for (const history of [true, false]) {
    test(`P37: what is published while open runs follows what open returns (history: ${history})`, async () => {
      const registry = await startRegistry({ history })
      const peer = new TestConnection({ opening: true })
      await registry.join(peer, 'a')
      await registry.to('a').send('said', 1)
      await turn()
      await registry.to('a').send('said', 2)
      peer.opened('opened')
      await registry.to('a').send('said', 3)
      await turn()
      assert.deepEqual(peer.data, ['opened', 1, 2, 3])
    })
  }
})
