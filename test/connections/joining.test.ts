import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RemoteLog, startRegistry, TestConnection, turn } from '../support/registry-peers.js'

describe('who leaves while the past is asked for', () => {
  const asking = async () => {
    const log = new RemoteLog()
    const registry = await startRegistry({ log })
    for (const room of ['a', 'b']) await registry.to(room).send('said', `past of ${room}`)
    const connection = new TestConnection()
    return { registry, connection, join: registry.join(connection, ['a', 'b'], { history: 5, user: 'ada' }) }
  }

  test('does not come in, and is not present', async () => {
    const { registry, connection, join } = await asking()
    registry.leave(connection)
    await join
    await registry.to('a').send('said', 'for others')
    await turn()
    assert.deepEqual([registry.rooms(), registry.hooks, registry.presence('a'), connection.data], [[], [], [], []])
    await registry.stop()
  })

  test('comes into the rooms that it did not leave', async () => {
    const { registry, connection, join } = await asking()
    registry.leave(connection, 'b')
    await join
    await turn()
    assert.deepEqual([registry.rooms(), connection.data], [['a'], ['past of a']])
    await registry.stop()
  })

  test('and joins again is in, with what it asks for then', async () => {
    const { registry, connection, join } = await asking()
    registry.leave(connection)
    await registry.join(connection, 'b', { history: 1 })
    await join
    await turn()
    assert.deepEqual([registry.rooms(), connection.data, registry.presence('b')], [['b'], ['past of b'], []])
    await registry.stop()
  })

  test('leaves other connections alone', async () => {
    const { registry, join } = await asking()
    registry.leave(new TestConnection())
    await join
    assert.deepEqual(registry.rooms(), ['a', 'b'])
    await registry.stop()
  })
})

describe('what join cannot mean', () => {
  const wrong: [string, unknown, string][] = [
    ['a slip', { histroy: 5 }, 'join has no option histroy: did you mean history?'],
    ['a number in words', { history: '5' }, "join: history should be a whole number of events, from 0, not '5'"],
    ['less than nothing', { history: -1 }, 'join: history should be a whole number of events, from 0, not -1'],
    ['no end', { history: 1 / 0 }, 'join: history should be a whole number of events, from 0, not Infinity'],
    ['a word for yes', { watch: 'yes' }, "join: watch should be true or false, not 'yes'"],
    ['no options', 5, 'join takes an object of options, not 5'],
    ['nothing', null, 'join takes an object of options, not null'],
    ['a user by number', { user: 7 }, '7 is no user: a user is named by a string'],
  ]
  for (const [what, options, message] of wrong) {
    test(`${what} is refused, with its cure, and nobody comes in`, async () => {
      const registry = await startRegistry()
      await assert.rejects(registry.join(new TestConnection(), 'a', options as never), { name: 'TypeError', message })
      assert.deepEqual(registry.rooms(), [])
      await registry.stop()
    })
  }

  test('an option that is undefined is not given', async () => {
    const registry = await startRegistry()
    await registry.join(new TestConnection(), 'a', { history: undefined, watch: undefined } as never)
    assert.equal(registry.count('a'), 1)
    await registry.stop()
  })
})

test('who joins a list of no rooms is in none', async () => {
  const registry = await startRegistry()
  for (const options of [undefined, { history: 5 }]) await registry.join(new TestConnection(), [], options)
  assert.deepEqual([registry.rooms(), registry.size, registry.hooks], [[], 0, []])
  await registry.stop()
})
