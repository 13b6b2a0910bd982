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
