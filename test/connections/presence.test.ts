import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RegistryEvent } from '../../src/connections/codec.js'
import {
  type Connection,
  ConnectionRegistry,
  type JoinOptions,
  MemoryEventLog,
  type Presence,
  type PresenceDiff,
  type PresenceEvent,
  type PresenceOptions,
} from '../../src/index.js'
import { Bus, startBusNode, TestClock } from '../support/node-bus.js'
import {
  lineCodec,
  type PeerOptions,
  plenty,
  startRegistry,
  TestConnection,
  TestRegistry,
  turn,
} from '../support/registry-peers.js'
import { WatchingPeer } from '../support/watching-peer.js'

const HEARTBEAT = 1000
const LINGER = 500

async function joined(
  registry: Pick<ConnectionRegistry, 'join'>,
  room: string,
  options: JoinOptions,
  peer: PeerOptions = {},
): Promise<TestConnection> {
  const connection = new TestConnection(peer)
  await registry.join(connection, room, options)
  return connection
}

/** What a peer that watches saw, in words. */
function seen(connection: TestConnection): string[] {
  const peer = new WatchingPeer()
  for (const { event, data } of connection.frames) if (event === 'presence') peer.take(data as PresenceEvent)
  return peer.seen
}

class Hearing extends TestRegistry {
  readonly users: string[] = []
  protected override userJoined({ user, metas }: Presence, room: string): void {
    this.users.push(`${user} joined ${room} ${JSON.stringify(metas)}`)
  }
  protected override userChanged({ user, metas }: Presence, room: string): void {
    this.users.push(`${user} changed ${room} ${JSON.stringify(metas)}`)
  }
  protected override userLeft({ user, metas }: Presence, room: string): void {
    this.users.push(`${user} left ${room} ${JSON.stringify(metas)}`)
  }
}

/** A registry with a log of its own, and what is said there. */
async function listened(presence: PresenceOptions) {
  const log = new MemoryEventLog(plenty)
  const said: string[] = []
  const notify = log.notify.bind(log)
  log.notify = async notice => {
    said.push(notice.kind === 'node' ? notice.say : notice.kind)
    await notify(notice)
  }
  const clock = new TestClock()
  const registry = new TestRegistry()
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  await registry.start({ name: 'test', log, history: true, logger, clock, presence })
  return { registry, said, clock }
}

describe('on one node', () => {
  test('several connections of one user are one presence, with the metadata of each', async () => {
    const registry = await startRegistry()
    const phone = await joined(registry, 'a', { user: 'ada', meta: { on: 'phone' } })
    await joined(registry, 'a', { user: 'ada', meta: { on: 'desk' } })
    await joined(registry, 'a', { user: 'bob' })
    await joined(registry, 'a', {})
    assert.deepEqual(registry.presence('a'), [
      { user: 'ada', metas: [{ on: 'phone' }, { on: 'desk' }] },
      { user: 'bob', metas: [null] },
    ])
    assert.deepEqual(registry.presence('b'), [])
    registry.leave(phone, 'a')
    assert.deepEqual(registry.presence('a')[0], { user: 'ada', metas: [{ on: 'desk' }] })
    assert.equal(registry.count('a'), 3)
    assert.equal(await registry.total('a'), 3)
    assert.equal(await registry.total(), 3)
  })

  test('a peer that watches gets all who are there, then what changes, in order, without ids', async () => {
    const registry = await startRegistry()
    const ada = await joined(registry, 'a', { user: 'ada', meta: 1 })
    const watcher = await joined(registry, 'a', { user: 'wim', watch: true })
    await turn(2)
    await registry.join(ada, 'a', { user: 'ada', meta: 2 })
    await turn(2)
    const bob = await joined(registry, 'a', { user: 'bob' })
    ada.end({ kind: 'stopped' })
    await turn(2)
    registry.leave(bob)
    await turn(2)
    const told = watcher.frames.filter(({ event }) => event === 'presence')
    assert.deepEqual(told, [
      {
        event: 'presence',
        data: {
          registry: 'test',
          room: 'a',
          users: [
            { user: 'ada', metas: [1] },
            { user: 'wim', metas: [null] },
          ],
        },
      },
      { event: 'presence', data: { registry: 'test', room: 'a', changed: [{ user: 'ada', metas: [2] }] } },
      {
        event: 'presence',
        data: {
          registry: 'test',
          room: 'a',
          joined: [{ user: 'bob', metas: [null] }],
          left: [{ user: 'ada', metas: [2] }],
        },
      },
      { event: 'presence', data: { registry: 'test', room: 'a', left: [{ user: 'bob', metas: [null] }] } },
    ])
  })

  test('what comes and goes within one turn is told once, or not at all', async () => {
    const registry = await startRegistry()
    const watcher = await joined(registry, 'a', { watch: true })
    await turn(2)
    const crowd = await Promise.all(
      Array.from({ length: 100 }, (_, n) => joined(registry, 'a', { user: `${n}`, watch: n % 2 === 0 })),
    )
    const ghost = await joined(registry, 'a', { user: 'ghost' })
    registry.leave(ghost)
    const [first] = crowd
    registry.leave(first as Connection)
    await registry.join(first as Connection, 'a', { user: '0' })
    await turn(2)
    const told = watcher.frames.filter(({ event }) => event === 'presence').map(({ data }) => data as PresenceEvent)
    assert.equal(told.length, 2)
    assert.equal((told[1] as PresenceDiff).joined?.length, 100)
    assert.deepEqual(seen(crowd[2] as TestConnection), [
      `all: ${crowd
        .map((_, n) => n)
        .map(String)
        .sort()
        .join()}`,
    ])
  })

  test('a room is watched until it is left, and from its own users only', async () => {
    const registry = await startRegistry()
    const watcher = await joined(registry, 'a', { watch: true })
    await registry.join(watcher, 'b', { user: 'wim' })
    await turn(2)
    await joined(registry, 'b', { user: 'ada' })
    registry.leave(watcher, 'a')
    await joined(registry, 'a', { user: 'bob' })
    await turn(2)
    assert.deepEqual(seen(watcher), ['all: '])
    await registry.join(watcher, 'a', { watch: true })
    await turn(2)
    await registry.join(watcher, 'a')
    await joined(registry, 'a', { user: 'cy' })
    await turn(2)
    await registry.join(watcher, 'a', { watch: false })
    await joined(registry, 'a', { user: 'dan' })
    await turn(2)
    assert.deepEqual(seen(watcher), ['all: ', 'all: bob', 'joined: cy'])
  })

  test('what open returns goes first', async () => {
    const registry = await startRegistry()
    const connection = await joined(registry, 'a', { user: 'ada', watch: true }, { opening: true })
    await turn(2)
    assert.equal(connection.frames.length, 0)
    connection.opened('hello')
    await turn(2)
    const said = connection.frames.filter(frame => frame.data !== undefined)
    assert.deepEqual(
      said.map(({ event, data }) => event ?? data),
      ['hello', 'presence'],
    )
  })

  for (const overflow of ['disconnect', 'drop-oldest', 'drop-newest', 'latest'] as const) {
    test(`a slow peer (${overflow}) gets no changes, costs no memory, and gets all anew when it keeps up`, async () => {
      const registry = await startRegistry()
      const watcher = await joined(registry, 'a', { watch: true }, { overflow, limit: 300, highWaterMark: 10 })
      await turn(2)
      watcher.wire.pause()
      for (let n = 0; n < 100; n++) {
        const visitor = await joined(registry, 'a', { user: `user ${n}` })
        if (n < 98) registry.leave(visitor)
        await turn()
      }
      assert.ok(watcher.queue.size < 300, `${watcher.queue.size} bytes wait`)
      assert.ok(!watcher.closed)
      watcher.wire.resume()
      await turn(4)
      assert.deepEqual(seen(watcher).at(-1), 'all: user 98,user 99')
      await joined(registry, 'a', { user: 'zoe' })
      await turn(2)
      assert.deepEqual(seen(watcher).at(-1), 'joined: zoe')
    })
  }

  test('the server is told of users by hooks of their own', async () => {
    const registry = await startRegistry({ registry: new Hearing() })
    const ada = await joined(registry, 'a', { user: 'ada', meta: 1 })
    await turn(2)
    await registry.join(ada, 'a', { user: 'ada', meta: 2 })
    await turn(2)
    ada.end({ kind: 'stopped' })
    await turn(2)
    assert.deepEqual(registry.users, ['ada joined a [1]', 'ada changed a [2]', 'ada left a [2]'])
    assert.deepEqual(registry.hooks, ['joined a', 'left a'])
  })

  test('tell and disconnect reach the connections of a user', async () => {
    const registry = await startRegistry()
    const told: unknown[] = []
    const [one, two, other] = [
      await joined(registry, 'a', { user: 'ada' }, { told }),
      await joined(registry, 'b', { user: 'ada' }, { told }),
      await joined(registry, 'a', { user: 'bob' }, { told }),
    ]
    await registry.join(one, 'b', { user: 'ada' })
    await registry.tell({ user: 'ada' }, 'hello')
    await registry.tell({ user: 'nobody' }, 'hello')
    assert.deepEqual(told, ['hello', 'hello'])
    await registry.disconnect({ user: 'ada' }, { code: 4000 })
    assert.deepEqual(
      [one, two, other].map(connection => connection.closeReason),
      [{ kind: 'disconnected', code: 4000 }, { kind: 'disconnected', code: 4000 }, undefined],
    )
    assert.deepEqual(
      registry.presence('a').map(({ user }) => user),
      ['bob'],
    )
  })

  test('who is told, or disconnected, and cannot be meant is refused, and no node hears of it', async () => {
    const { registry, said } = await listened({ heartbeat: HEARTBEAT })
    const wrong: [unknown, string][] = [
      [{ user: undefined }, 'undefined is no user: a user is named by a string'],
      [{ user: 7 }, '7 is no user: a user is named by a string'],
      [{ usr: 'ada' }, '{"usr":"ada"} names nobody: give a room, the id of a connection, or { user }'],
      [['a'], '["a"] names nobody: give a room, the id of a connection, or { user }'],
      [undefined, 'undefined names nobody: give a room, the id of a connection, or { user }'],
    ]
    for (const [whom, message] of wrong)
      await assert.rejects(registry.disconnect(whom as string), { name: 'TypeError', message })
    for (const [whom, message] of wrong.slice(0, 2))
      await assert.rejects(registry.tell(whom as string, 'hello'), { name: 'TypeError', message })
    assert.deepEqual(
      said.filter(kind => kind === 'tell' || kind === 'disconnect'),
      [],
    )
    await registry.stop()
  })

  test('one who joins as another user is that user', async () => {
    const registry = await startRegistry()
    const connection = await joined(registry, 'a', { user: 'ada' })
    await registry.join(connection, 'a', { user: 'bob' })
    await registry.join(connection, 'a')
    assert.deepEqual(registry.presence('a'), [{ user: 'bob', metas: [null] }])
    await registry.disconnect({ user: 'ada' })
    assert.ok(!connection.closed)
  })

  test('metadata are copied, and what JSON cannot say, or what is too much of it, is refused', async () => {
    const registry = await startRegistry()
    const connection = new TestConnection()
    const meta = { at: 1 }
    await registry.join(connection, 'a', { user: 'ada', meta })
    meta.at = 2
    assert.deepEqual(registry.presence('a'), [{ user: 'ada', metas: [{ at: 1 }] }])
    const refused: [JoinOptions, string][] = [
      [{ user: '' }, '"" is no user: a user is named by a string'],
      [{ user: 7 as never }, '7 is no user: a user is named by a string'],
      [{ meta: 1 }, 'meta says something of a user: join with { user, meta }'],
      [
        { user: 'ada', meta: { tags: new Set() } },
        'what is sent must have a JSON form (JSON makes {} of a Set at .tags): send [...set]',
      ],
      [{ user: 'ada', meta: () => 1 }, 'function cannot be sent: what is sent must have a JSON form'],
      [{ user: 'ada', meta: 'x'.repeat(4095) }, 'the meta of ada is too large: it is JSON of 4096 bytes at the most'],
    ]
    for (const [options, message] of refused)
      await assert.rejects(registry.join(connection, 'b', options), { name: 'TypeError', message })
    assert.deepEqual(registry.rooms(), ['a'])
  })

  test('users of whom a hook makes a mess are present all the same, and it is logged', async () => {
    class Messy extends TestRegistry {
      protected override userJoined({ user }: Presence): Promise<unknown> {
        if (user === 'ada') throw new Error('it threw')
        return user === 'bob' ? Promise.reject(new Error('it rejected')) : (7 as never)
      }
    }
    const errors: unknown[] = []
    const logger = { debug() {}, info() {}, warn() {}, error: (_: string, error: unknown) => errors.push(error) }
    const registry = new Messy()
    await registry.start({ name: 'test', log: new MemoryEventLog(plenty), history: true, logger })
    for (const user of ['ada', 'bob', 'cid']) await joined(registry, 'a', { user })
    await turn()
    assert.deepEqual(
      registry.presence('a').map(({ user }) => user),
      ['ada', 'bob', 'cid'],
    )
    assert.deepEqual(errors.map(String), ['Error: it threw', 'Error: it rejected'])
    await registry.stop()
  })

  test('a hook that takes a connection out at once leaves nothing behind', async () => {
    class Refusing extends TestRegistry {
      protected override joined(connection: Connection, room: string): void {
        this.leave(connection, room)
      }
    }
    const registry = await startRegistry({ registry: new Refusing() })
    await joined(registry, 'a', { user: 'ada', watch: true })
    assert.deepEqual(registry.presence('a'), [])
  })

  test('nobody who is not tracked costs a heartbeat, and nothing is said where there is nobody to hear it', async () => {
    const { registry, said, clock } = await listened({ heartbeat: HEARTBEAT })
    await clock.pass(60 * HEARTBEAT)
    assert.deepEqual(said, ['ask', 'here'])
    const connection = await joined(registry, 'a', { user: 'ada' })
    registry.leave(connection)
    await clock.pass(60 * HEARTBEAT)
    assert.ok(said.length <= 3, 'the last heartbeat was due')
    await registry.stop()
  })
})

test('options that are undefined are as if they were not given', async () => {
  const { registry, said, clock } = await listened({ heartbeat: undefined, linger: undefined } as never)
  const connection = await joined(registry, 'a', { user: 'ada' })
  await clock.pass(20_010)
  assert.equal(said.filter(say => say === 'here').length, 5)
  connection.end({ kind: 'lost' })
  await clock.pass(4999)
  assert.equal(registry.presence('a').length, 1)
  await clock.pass(2)
  assert.equal(registry.presence('a').length, 0)
  await registry.stop()
})

test('who stops to watch while very many are told who is there is not told', async () => {
  const registry = await startRegistry({ most: 1 })
  const peers = await Promise.all(Array.from({ length: 4 }, () => joined(registry, 'a', { watch: true })))
  const told = () => peers.map(({ frames }) => frames.filter(({ event }) => event === 'presence').length)
  while (told()[0] === 0) await turn()
  assert.deepEqual(told(), [1, 0, 0, 0])
  await registry.join(peers[2] as TestConnection, 'a', { watch: false })
  registry.leave(peers[3] as TestConnection, 'a')
  await turn(10)
  assert.deepEqual(told(), [1, 1, 0, 0])
  await registry.stop()
})

describe('on several nodes', () => {
  async function nodes(count: number) {
    const clock = new TestClock()
    const bus = new Bus(clock)
    const start = () => startBusNode(bus, { heartbeat: HEARTBEAT, linger: LINGER })
    const started = await Promise.all(Array.from({ length: count }, start))
    await clock.pass(100)
    const [one, two, three] = started as [(typeof started)[0], (typeof started)[0], (typeof started)[0]]
    const users = (node: typeof one) => node.registry.presence('a').map(({ user }) => user)
    return { clock, bus, start, one, two, three, users }
  }

  test('who joins on one is present on all, and a node that starts learns of all', async () => {
    const { clock, one, two, start, users } = await nodes(2)
    await joined(one.registry, 'a', { user: 'ada', meta: 1 })
    await joined(two.registry, 'a', { user: 'ada', meta: 2 })
    assert.deepEqual(users(one), ['ada'])
    await clock.pass(20)
    for (const node of [one, two])
      assert.deepEqual(
        node.registry
          .presence('a')
          .flatMap(({ metas }) => metas)
          .sort(),
        [1, 2],
      )
    const late = await start()
    await clock.pass(50)
    assert.deepEqual(users(late), ['ada'])
  })

  test('a set of thousands is learnt in parts', async () => {
    const { clock, one, two, start } = await nodes(2)
    for (let n = 0; n < 2345; n++) await joined(one.registry, `room ${n % 3}`, { user: `${n}` })
    await clock.pass(100)
    const late = await start()
    await clock.pass(300)
    for (const { registry } of [one, two, late])
      assert.deepEqual(
        [0, 1, 2].map(n => registry.presence(`room ${n}`).length),
        [782, 782, 781],
      )
  })

  test('no message is larger than logs take, however long the names are', async () => {
    const { bus, clock, one, two, start } = await nodes(2)
    for (let n = 0; n < 150; n++) await joined(one.registry, 'a', { user: `${n}`.padEnd(12_000, 'é') })
    await clock.pass(100)
    const late = await start()
    await clock.pass(300)
    for (const { registry } of [two, late]) assert.equal(registry.presence('a').length, 150)
    const largest = Math.max(...bus.said.map(({ notice }) => Buffer.byteLength(JSON.stringify(notice))))
    assert.ok(largest < 600_000, `${largest} bytes`)
  })

  test('whom a killed node had are gone within two heartbeats, and not before one', async () => {
    const { clock, one, two, three, users } = await nodes(3)
    await joined(three.registry, 'a', { user: 'ada' })
    const watcher = await joined(one.registry, 'a', { watch: true })
    await clock.pass(5 * HEARTBEAT + 1)
    three.log.freeze()
    await three.log.stop()
    await clock.pass(HEARTBEAT)
    assert.deepEqual([users(one), users(two)], [['ada'], ['ada']])
    await clock.pass(HEARTBEAT + 50)
    assert.deepEqual([users(one), users(two)], [[], []])
    assert.deepEqual(seen(watcher), ['all: ', 'joined: ada', 'left: ada'])
  })

  test('a node that always hears late, as a busy one does, knows in the end whom a killed node had', async () => {
    const { clock, one, two, three, users } = await nodes(3)
    await joined(three.registry, 'a', { user: 'ada' })
    await joined(two.registry, 'a', { user: 'bob' })
    await clock.pass(5 * HEARTBEAT + 1)
    for (const { log } of [one, two]) log.latency = HEARTBEAT / 2
    await three.log.stop()
    await clock.pass(6 * HEARTBEAT)
    assert.deepEqual([users(one), users(two)], [['bob'], ['bob']])
  })

  test('a node that was frozen is taken back, and has taken nobody for gone', async () => {
    const { clock, one, two, users } = await nodes(2)
    await joined(one.registry, 'a', { user: 'ada' })
    await joined(two.registry, 'a', { user: 'bob' })
    await clock.pass(100)
    two.log.freeze()
    await clock.pass(5 * HEARTBEAT)
    assert.deepEqual(users(one), ['ada'])
    const ada = await joined(one.registry, 'a', { user: 'cy' })
    two.log.thaw()
    await clock.pass(100)
    assert.deepEqual(users(one).sort(), ['ada', 'bob', 'cy'])
    assert.deepEqual(users(two).sort(), ['ada', 'bob', 'cy'])
    assert.deepEqual(
      two.registry.told.filter(told => told.includes('left')),
      [],
    )
    one.registry.leave(ada)
    await clock.pass(100)
    assert.deepEqual(users(two).sort(), ['ada', 'bob'])
  })

  test('a log that all have lost for a while makes nobody leave', async () => {
    for (const away of [HEARTBEAT / 2, HEARTBEAT, 1.9 * HEARTBEAT, 2.5 * HEARTBEAT, 10 * HEARTBEAT]) {
      for (const skips of [false, true]) {
        const all = await nodes(3)
        const { clock, one, two, three } = all
        for (const [n, node] of [one, two, three].entries()) await joined(node.registry, 'a', { user: `${n}` })
        await clock.pass(HEARTBEAT * 1.5)
        for (const node of [one, two, three]) node.log.cut()
        await clock.pass(away)
        for (const node of [one, two, three]) {
          node.log.mend(skips)
          await clock.pass(HEARTBEAT / 3)
        }
        await clock.pass(5 * HEARTBEAT)
        for (const node of [one, two, three]) {
          assert.deepEqual(all.users(node).sort(), ['0', '1', '2'])
          assert.deepEqual(
            node.registry.told.filter(told => told.includes('left')),
            [],
            `away for ${away}`,
          )
        }
      }
    }
  })

  test('who is drained and comes back elsewhere in time has never left; who does not is gone after the linger', async () => {
    const { clock, one, two, users } = await nodes(2)
    const watcher = await joined(one.registry, 'a', { watch: true })
    const drained = [
      await joined(two.registry, 'a', { user: 'ada', meta: 'here' }),
      await joined(two.registry, 'a', { user: 'bob' }),
    ]
    await clock.pass(100)
    for (const connection of drained) connection.end({ kind: 'drain' })
    const stopping = two.registry.stop()
    await clock.pass(LINGER - 100)
    await stopping
    await joined(one.registry, 'a', { user: 'ada', meta: 'here' })
    await turn(2)
    assert.deepEqual(one.registry.presence('a').find(({ user }) => user === 'ada')?.metas, ['here'])
    assert.deepEqual(users(one).sort(), ['ada', 'bob'])
    await clock.pass(LINGER)
    assert.deepEqual(users(one), ['ada'])
    assert.deepEqual(seen(watcher), ['all: ', 'joined: ada', 'joined: bob', 'left: bob'])
  })

  test('who is cut and comes back in time, on any node, has never left', async () => {
    const { clock, one, two } = await nodes(2)
    const watchers = await Promise.all([one, two].map(({ registry }) => joined(registry, 'a', { watch: true })))
    await turn(2)
    for (const node of [one, two, one]) {
      const connection = await joined(node.registry, 'a', { user: 'ada' })
      await clock.pass(100)
      connection.end({ kind: 'lost' })
      await clock.pass(LINGER - 100)
    }
    await clock.pass(LINGER + 100)
    for (const watcher of watchers) {
      const told = seen(watcher).filter(word => !word.startsWith('changed'))
      assert.deepEqual(told, ['all: ', 'joined: ada', 'left: ada'])
    }
  })

  test('who loses all connections at once, on two nodes, has time to come back', async () => {
    const { clock, one, two, users } = await nodes(2)
    const lost = [await joined(one.registry, 'a', { user: 'ada' }), await joined(two.registry, 'a', { user: 'ada' })]
    await clock.pass(100)
    for (const connection of lost) connection.end({ kind: 'lost' })
    await clock.pass(LINGER - 100)
    assert.deepEqual([users(one), users(two)], [['ada'], ['ada']])
    await joined(two.registry, 'a', { user: 'ada', meta: 'back' })
    await clock.pass(100)
    assert.deepEqual(one.registry.presence('a'), [{ user: 'ada', metas: ['back'] }])
    assert.ok(![...one.registry.told, ...two.registry.told].includes('ada left a'))
  })

  test('who says goodbye, or is sent away, is gone at once', async () => {
    const { one, users } = await nodes(1)
    for (const reason of [
      { kind: 'peer', code: 1000 },
      { kind: 'stopped' },
      { kind: 'disconnected' },
      { kind: 'idle' },
    ] as const) {
      const connection = await joined(one.registry, 'a', { user: 'ada' })
      connection.end(reason)
      assert.deepEqual(users(one), [])
    }
  })

  test('total counts all nodes, and does not wait for dead ones', async () => {
    const { clock, one, two, three } = await nodes(3)
    for (const node of [one, two, two, three]) await joined(node.registry, 'a', {})
    await joined(two.registry, 'b', {})
    const ask = async (room?: string) => {
      const asked = one.registry.total(room)
      await clock.pass(2000)
      return asked
    }
    assert.deepEqual([await ask('a'), await ask('b'), await ask('c'), await ask()], [4, 1, 0, 5])
    three.log.freeze()
    assert.deepEqual([await ask('a'), await ask()], [3, 4])
    one.log.cut()
    await assert.rejects(one.registry.total('a'), /the bus is away/)
  })

  test('total waits for no log that does not answer', async () => {
    const { clock, one, two } = await nodes(2)
    for (const node of [one, two]) await joined(node.registry, 'a', {})
    one.log.notify = () => new Promise<never>(() => {})
    const asked = one.registry.total('a')
    await clock.pass(2000)
    assert.equal(await asked, 1)
  })

  test('one that watches and cannot be told fails by itself: the others are told, of this and of what comes', async () => {
    const { clock, one } = await nodes(1)
    const broken = { encode: (event: RegistryEvent) => lineCodec.encode({ ...event, event: checked(event.event) }) }
    const checked = (event = '') => (event === 'presence' ? assert.fail('no such event') : event)
    const before = await joined(one.registry, 'a', { watch: true })
    const bad = await joined(one.registry, 'a', { watch: true }, { codec: broken })
    const behind = await joined(one.registry, 'a', { watch: true })
    await joined(one.registry, 'a', { user: 'ada' })
    await clock.pass(0)
    await joined(one.registry, 'a', { user: 'bob' })
    await clock.pass(0)
    assert.equal(bad.closeReason?.kind, 'failed')
    for (const peer of [before, behind]) assert.deepEqual(seen(peer).at(-1), 'joined: bob')
  })

  test('tell and disconnect reach a user on any node', async () => {
    const { clock, one, two } = await nodes(2)
    const told: unknown[] = []
    const near = await joined(one.registry, 'a', { user: 'ada' }, { told })
    const far = await joined(two.registry, 'b', { user: 'ada' }, { told })
    await one.registry.tell({ user: 'ada' }, 'hello')
    await clock.pass(50)
    assert.deepEqual(told, ['hello', 'hello'])
    await two.registry.disconnect({ user: 'ada' })
    await clock.pass(50)
    assert.deepEqual([near.closed, far.closed], [true, true])
  })
})
