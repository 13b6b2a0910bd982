/** What a registry does for one event, one room, one connection does not grow with how many there are: counted, not timed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startRegistry, TestConnection, type TestRegistry, turn } from '../support/registry-peers.js'
import { countWork } from '../support/work.js'

const FEW = 50
const MANY = 1600

const room = (index: number) => `room ${index}`

type Act = (registry: TestRegistry, connection: TestConnection, index: number) => unknown

/** One connection that is in so many rooms. */
async function member(rooms: number) {
  const registry = await startRegistry()
  const connection = new TestConnection()
  for (let index = 0; index < rooms; index++) await registry.join(connection, room(index))
  return { registry, connection }
}

/** What the last of ten costs, done by one that is in so many rooms. */
async function costOf(rooms: number, act: Act): Promise<number> {
  const { registry, connection } = await member(rooms)
  for (let index = 0; index < 9; index++) await act(registry, connection, rooms + index)
  await turn(2)
  const work = await countWork(async () => {
    await act(registry, connection, rooms + 9)
    await turn(2)
  })
  await registry.stop()
  return work
}

/** Where rooms are not equally far, ids name them, until they are too long: from here on they are. */
const TOO_MANY = 800

const acts: [string, Act, few?: number][] = [
  ['joining one more', (registry, connection, index) => registry.join(connection, room(index))],
  [
    'joining one more with its past',
    async (registry, connection, index) => {
      for (const text of ['a', 'b']) await registry.to(room(index)).send('said', text)
      await registry.join(connection, room(index), { history: 2 })
    },
    TOO_MANY,
  ],
  ['leaving one', (registry, connection, index) => registry.leave(connection, room(index % 40))],
  [
    'leaving one and coming back',
    async (registry, connection) => {
      registry.leave(connection, room(7))
      await registry.to(room(7)).send('said', 'to nobody')
      await registry.join(connection, room(7))
    },
  ],
  ['an event of one', registry => registry.to(room(7)).send('said', 1)],
  ['an event of all', registry => registry.broadcast('said', 1)],
]

describe('for one connection that is in many rooms', () => {
  for (const [what, act, rooms = FEW] of acts) {
    test(`${what} costs what it does in few`, async () => {
      const [few, many] = [await costOf(rooms, act), await costOf(MANY, act)]
      assert.ok(many < few * 1.3 + 20, `${few} in ${rooms} rooms, ${many} in ${MANY}`)
    })
  }
})

describe('for one that comes back', () => {
  /** What it costs to come back to a room of which so many of the last events were missed, of so many that are kept. */
  async function costOf(missed: number, kept: number): Promise<number> {
    const registry = await startRegistry()
    const peer = new TestConnection()
    await registry.join(peer, 'a')
    for (let number = 0; number < kept; number++) {
      if (number === kept - missed) peer.end({ kind: 'lost' })
      await registry.to('a').send('said', number)
      await turn()
    }
    const back = new TestConnection({ lastEventId: peer.lastId })
    const work = await countWork(async () => {
      await registry.join(back, 'a')
      await turn(2)
    })
    assert.equal(back.data.length, missed)
    await registry.stop()
    return work
  }

  test('what it costs goes with what was missed', async () => {
    const [few, many] = [await costOf(100, 1000), await costOf(1000, 1000)]
    assert.ok(many < few * 10 * 1.3, `${few} for 100, ${many} for 1,000`)
  })

  test('and not with what is kept', async () => {
    const [few, many] = [await costOf(10, 100), await costOf(10, 2000)]
    assert.ok(many < few * 1.3, `${few} of 100, ${many} of 2,000`)
  })
})

describe('among many connections', () => {
  /** What an act costs beside so many connections, each in a room of its own and in one with all. */
  async function costOf(
    connections: number,
    act: (registry: TestRegistry, peers: TestConnection[]) => unknown,
    events = 1,
  ) {
    const registry = await startRegistry()
    const peers = Array.from({ length: connections }, () => new TestConnection())
    for (const [index, peer] of peers.entries()) await registry.join(peer, ['all', room(index)])
    await registry.to('all').send('said', 0)
    await written(peers, 1)
    const work = await countWork(async () => {
      await act(registry, peers)
      await written(peers, events)
    })
    await registry.stop()
    return work
  }

  /** Writing to many takes as many turns as the machine is slow. */
  async function written(peers: readonly TestConnection[], events: number): Promise<void> {
    do await turn(2)
    while (peers.some(({ data }) => data.length < events))
  }

  const acts: [string, (registry: TestRegistry, peers: TestConnection[]) => unknown][] = [
    ['coming', registry => registry.join(new TestConnection(), ['all', 'own'])],
    ['leaving', (registry, [peer]) => registry.leave(peer as TestConnection)],
    ['ending', (_, [peer]) => peer?.end({ kind: 'lost' })],
    ['an event for one of the rooms', registry => registry.to(room(7)).send('said', 1)],
    ['telling a room', registry => registry.tell(room(7), 'hello')],
    ['telling one by its id', (registry, [peer]) => registry.tell(peer?.id ?? '', 'hello')],
    ['disconnecting one by its id', (registry, [peer]) => registry.disconnect(peer?.id ?? '')],
    ['disconnecting nobody', registry => registry.disconnect('nobody')],
  ]
  for (const [what, act] of acts) {
    test(`${what} costs what it does among few`, async () => {
      const [few, many] = [await costOf(FEW, act), await costOf(MANY, act)]
      assert.ok(many < few * 1.3 + 20, `${few} among ${FEW}, ${many} among ${MANY}`)
    })
  }

  test('an event for all costs the same for each of them', async () => {
    const act = (registry: TestRegistry) => registry.to('all').send('said', 1)
    const [few, many] = [await costOf(FEW, act, 2), await costOf(MANY, act, 2)]
    // Past a slice of the turn it is staged before it is written.
    assert.ok(many / MANY < (few / FEW) * 2, `${few} for ${FEW}, ${many} for ${MANY}`)
  })
})
