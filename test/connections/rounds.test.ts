/** What goes to very many is given in turns of the event loop: others have theirs, and nobody sees a difference. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { Controller, Get, Registry } from '../../src/index.js'
import { serve } from '../support/app.js'
import { collectGarbage } from '../support/garbage.js'
import { startRegistry, TestConnection, TestRegistry, turn } from '../support/registry-peers.js'

/** More than a turn is for, several times. */
const VERY_MANY = 25_000

@Registry('crowd')
class Crowd extends TestRegistry {}

test('a request is answered, and immediates run, while a very large room is given an event', async t => {
  let isGiven: boolean | undefined
  let sent = false
  @Controller('/asked')
  class Asked {
    @Get()
    meanwhile() {
      isGiven = sent
      return 'here'
    }
  }
  const { app, port } = await serve(t, [Asked], { providers: [Crowd] })
  const crowd = app.get(Crowd)
  const peers = Array.from({ length: VERY_MANY }, () => new TestConnection())
  for (const peer of peers) await crowd.join(peer, 'all')
  const asker = connect(port, '127.0.0.1')
  const ask = () => new Promise(resolve => asker.once('data', resolve).write('GET /asked HTTP/1.1\r\nHost: a\r\n\r\n'))
  await ask()
  await turn(2)

  const answered = ask()
  const sending = crowd
    .to('all')
    .send('said', 1)
    .then(() => {
      sent = true
    })
  let turns = 0
  while (!sent) {
    await turn()
    turns++
  }
  await Promise.all([sending, answered])
  asker.destroy()
  assert.equal(isGiven, false, 'the request came in between')
  assert.ok(turns >= 2, `${turns} turns`)
  while (peers.at(-1)?.data.length === 0) await turn()
  assert.ok(peers.every(peer => peer.data.length === 1))
})

/** How many of them were counted after each turn, until all were. */
async function perTurn(all: number, count: () => number): Promise<number[]> {
  const steps: number[] = []
  for (let before = 0, now = count(); before < all; before = now, now = count()) {
    steps.push(now - before)
    await turn()
  }
  return steps
}

describe('a turn ends no more than eighty connections: each takes as long as a hundred messages', () => {
  async function room(members: number) {
    const registry = await startRegistry()
    const peers = Array.from({ length: members }, () => new TestConnection())
    for (const peer of peers) await registry.join(peer, 'a')
    await turn(2)
    return { registry, peers, ended: () => peers.filter(peer => peer.closed).length }
  }

  test('of a room', async () => {
    const { registry, ended } = await room(400)
    registry.disconnect('a')
    const steps = await perTurn(400, ended)
    assert.ok(Math.max(...steps) <= 80, `${steps}`)
  })

  test('of more than a thousand that are named one after the other, each once', async () => {
    const { registry, peers, ended } = await room(1500)
    const codes = (index: number) => 3000 + Math.floor(index / 500)
    const ending = peers.map((peer, index) => registry.disconnect(peer.id, { code: codes(index) }))
    const steps = await perTurn(1500, ended)
    assert.ok(Math.max(...steps) <= 80, `${steps}`)
    await Promise.all(ending)
    assert.deepEqual(
      peers.map(peer => peer.closeReason),
      peers.map((_, index) => ({ kind: 'disconnected', code: codes(index) })),
    )
  })

  test('what comes before one that is named is given to it', async () => {
    const { registry, peers } = await room(200)
    const last = peers.at(-1) as TestConnection
    for (const peer of peers.slice(0, -1)) registry.disconnect(peer.id)
    registry.to('a').send('said', 1)
    await registry.disconnect(last.id)
    assert.deepEqual(last.data, [1])
  })

  test('who has moved since those were named that wait is ended, too', async () => {
    const { registry, peers } = await room(200)
    const last = peers.at(-1) as TestConnection
    for (const peer of peers.slice(0, -1)) registry.disconnect(peer.id)
    registry.leave(last, 'a')
    await registry.join(last, 'b')
    await registry.disconnect(last.id)
    assert.ok(last.closed)
  })
})

test('a turn runs handlers for some milliseconds, however many they are', async () => {
  const registry = await startRegistry()
  let told = 0
  const info = () => {
    for (const until = performance.now() + 0.2; performance.now() < until; );
    told++
  }
  for (let left = 200; left > 0; left--) {
    const peer = new TestConnection()
    peer.handlers = { info }
    await registry.join(peer, 'a')
  }
  await turn(2)
  registry.tell('a', 'work')
  const steps = await perTurn(200, () => told)
  assert.ok(Math.max(...steps) <= 32, `${steps}`)
})

describe('while a message is on its way, two members at a time', () => {
  async function room(count = 7) {
    const registry = await startRegistry({ most: 2 })
    const peers = Array.from({ length: count }, () => new TestConnection())
    for (const peer of peers) await registry.join(peer, 'a')
    const given = () => peers.filter(peer => peer.queue.size > 0 || peer.data.length > 0).length
    return { registry, peers, last: peers.at(-1) as TestConnection, given, all: () => peers.map(peer => peer.data) }
  }

  test('it goes to two each turn, and who sent it goes on when all have it', async () => {
    const { registry, given } = await room(6)
    await turn()
    const sending = registry.to('a').send('said', 1)
    const seen: number[] = []
    for (let turns = 0; turns < 3; turns++) {
      seen.push(given())
      await turn()
    }
    await sending
    assert.deepEqual(seen, [2, 4, 6])
  })

  test('what follows keeps its order, whatever rooms it is for, and whoever is passed over', async () => {
    const { registry, peers, last, all } = await room()
    await registry.join(last, 'b')
    registry.to('a').send('said', 1)
    registry.to('b').send('said', 2)
    registry.to(['b', 'a']).except(last).send('said', 3)
    registry.broadcast('said', 4)
    await registry.to('b').volatile().send('said', 5)
    await turn()
    assert.deepEqual(all(), [...peers.slice(1).map(() => [1, 3, 4]), [1, 2, 4, 5]])
  })

  test('who leaves gets what was sent before, who leaves and comes back too, and nothing twice', async () => {
    const { registry, last, peers } = await room()
    const back = peers.at(-2) as TestConnection
    registry.to('a').send('said', 1)
    registry.leave(back, 'a')
    registry.leave(last)
    registry.to('a').send('said', 2)
    await registry.join(back, 'a')
    await registry.to('a').send('said', 3)
    await turn()
    assert.deepEqual([last.data, back.data, peers[0]?.data], [[1], [1, 3], [1, 2, 3]])
  })

  test('who comes gets what is sent after that, and what it missed where it resumes', async () => {
    const { registry, last } = await room()
    await registry.to('a').send('said', 1)
    await turn()
    last.end({ kind: 'lost' })
    registry.to('a').send('said', 2)
    const [newcomer, back] = [new TestConnection(), new TestConnection({ lastEventId: last.lastId })]
    await Promise.all([newcomer, back].map(peer => registry.join(peer, 'a')))
    await registry.to('a').send('said', 3)
    await turn()
    assert.deepEqual([newcomer.data, back.data], [[3], [2, 3]])
  })

  test('who is in another room of it, and comes into the one that it is for, is not given it', async () => {
    const registry = await startRegistry({ most: 2, history: false })
    const peers = Array.from({ length: 5 }, () => new TestConnection())
    for (const peer of peers) await registry.join(peer, 'a')
    const other = new TestConnection()
    await registry.join(other, 'b')
    registry.to('a').send('said', 1)
    await registry.join(other, 'a')
    await registry.to('b').send('said', 2)
    await turn()
    assert.deepEqual([other.data, peers.map(peer => peer.data)], [[2], peers.map(() => [1])])
  })

  test('who is closed has been given it', async () => {
    const { registry, last } = await room()
    registry.to('a').send('said', 1)
    const { size } = last.queue
    last.close()
    assert.equal(size, 0)
    assert.deepEqual(last.data, [1])
  })

  test('tell and disconnect wait for their turn, and come once to each', async () => {
    const told: unknown[][] = []
    const registry = await startRegistry({ most: 2 })
    const peers = Array.from({ length: 5 }, (_, index) => {
      told[index] = []
      return new TestConnection({ told: told[index] })
    })
    for (const peer of peers) await registry.join(peer, 'a')
    registry.to('a').send('said', 1)
    registry.tell('a', 'hello')
    registry.to('a').send('said', 2)
    const disconnecting = registry.disconnect('a')
    assert.deepEqual(
      peers.map(peer => peer.closed),
      peers.map(() => false),
    )
    await disconnecting
    assert.ok(peers.every(peer => peer.closed))
    assert.deepEqual(
      told,
      peers.map(() => ['hello']),
    )
    assert.deepEqual(registry.rooms(), [])
  })

  test('who does not take it is ended before it is given more', async () => {
    const { registry, peers } = await room()
    const slow = new TestConnection({ limit: 60 })
    await registry.join(slow, 'a')
    slow.wire.pause()
    for (const text of ['x'.repeat(50), 'y'.repeat(50), 'z']) registry.to('a').send('said', text)
    while (!slow.closed) await turn()
    assert.equal(slow.closeReason?.kind, 'overflow')
    slow.wire.resume()
    assert.ok(slow.data.every(text => String(text).startsWith('x')))
    await registry.to('a').send('said', 'on')
    await turn()
    assert.ok(peers.every(peer => peer.data.length === 4))
  })

  test('who goes, and could not take one of those that wait, gets none of what comes behind it', async () => {
    const { registry } = await room()
    const slow = new TestConnection({ limit: 200, highWaterMark: 100 })
    await registry.join(slow, 'a')
    await turn(2)
    slow.wire.pause()
    slow.push('w'.repeat(40))
    const nobody = new TestConnection()
    for (const text of ['x'.repeat(120), 'small', 'y'.repeat(120)]) registry.to('a').except(nobody).send('said', text)
    registry.leave(slow)
    assert.equal(slow.closeReason?.kind, 'overflow')
    slow.wire.resume()
    assert.deepEqual(slow.data, ['w'.repeat(40)])
  })

  test('what waits for a large room keeps no list of it', async () => {
    const MEMBERS = 2000
    const { registry } = await room(MEMBERS)
    const heap = () => {
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    await turn()
    const before = heap()
    for (let number = 0; number < 500; number++) registry.tell('a', number)
    const each = (heap() - before) / 500
    assert.ok(each < 5 * MEMBERS, `${each} bytes`)
  })

  test('however many one turn brings, each turn gives no more than others do', async () => {
    const { registry, given, all } = await room(6)
    const texts = Array.from({ length: 3000 }, (_, index) => index)
    const nobody = new TestConnection()
    for (const text of texts) registry.to('a').except(nobody).send('said', text)
    assert.equal(given(), 2)
    await turn()
    assert.equal(given(), 4)
    await turn(9000)
    assert.deepEqual(
      all(),
      all().map(() => texts),
    )
  })

  test('who brings more in each turn than it gives is slowed down: not much more than a thousand messages wait', async () => {
    const { registry, last, all } = await room(6)
    const nobody = new TestConnection()
    let sent = 0
    let most = 0
    for (let turns = 0; turns < 1000; turns++) {
      for (let left = 20; left > 0; left--) registry.to('a').except(nobody).send('said', sent++)
      await turn()
      most = Math.max(most, sent - last.frames.length)
    }
    assert.ok(most > 1000 && most < 1300, `${most}`)
    await registry.to('a').except(nobody).send('said', sent++)
    await turn()
    assert.deepEqual(new Set(all().map(data => data.length)), new Set([sent]))
  })

  test('nothing waits any more when the registry stops', async () => {
    const { registry, last } = await room()
    registry.to('a').send('said', 1)
    await registry.stop()
    await turn()
    assert.deepEqual(last.data, [1])
  })

  test('who leaves has been told before, as in a small room', async () => {
    const { registry, last } = await room()
    last.handlers = { info: message => void registry.hooks.push(`told ${message}`) }
    registry.hooks.length = 0
    registry.tell('a', 'hello')
    registry.leave(last)
    assert.deepEqual(registry.hooks, ['told hello', 'left a'])
  })

  test('who tells its room whenever it is told may leave it', async () => {
    const { registry, last } = await room()
    let told = 0
    last.handlers = {
      info: () => {
        told++
        registry.tell('a', 'again')
      },
    }
    const telling = registry.tell('a', 'hello')
    registry.leave(last)
    await telling
    await turn(9)
    assert.equal(registry.count('a'), 6)
    const heard = told
    await turn(9)
    assert.equal(told, heard)
  })

  describe('where who is told sends more than may wait', () => {
    const MANY = 1500
    const numbers = Array.from({ length: MANY }, (_, number) => number)

    /** The last of them is told when it goes or comes, and then sends. */
    async function telling(to: 'a' | 'b') {
      const { registry, last } = await room()
      const nobody = new TestConnection()
      const other = new TestConnection()
      await registry.join(last, 'b')
      await registry.join(other, 'b')
      await turn()
      const send = () => {
        for (const number of numbers) registry.to(to).except(nobody).send('said', number)
      }
      last.handlers = { info: send }
      const telling = registry.tell('a', 'send')
      return { registry, last, other, telling }
    }

    test('who leaves the room has no hole in what it got', async () => {
      const { registry, last, telling: told } = await telling('a')
      registry.leave(last)
      await told
      await turn(2)
      assert.deepEqual(last.data, numbers.slice(0, last.data.length))
    })

    test('who leaves it gets all that is sent to another, in order', async () => {
      const { registry, last, other, telling: told } = await telling('b')
      registry.leave(last, 'a')
      await told
      while (other.data.length < MANY) await turn()
      await turn(2)
      assert.deepEqual([other.data, last.data], [numbers, numbers])
    })

    test('who comes into one more gets all, in order', async () => {
      const { registry, last, other, telling: told } = await telling('b')
      registry.join(last, 'c')
      await told
      while (other.data.length < MANY) await turn()
      await turn(2)
      assert.deepEqual([other.data, last.data], [numbers, numbers])
    })
  })

  test('what is sent while all that waits is given at once comes to all', async () => {
    const { registry, peers, last } = await room()
    const nobody = new TestConnection()
    const sendMany = () => {
      for (let number = 0; number < 1005; number++) registry.to('a').except(nobody).send('said', number)
    }
    last.handlers = { info: sendMany }
    await registry.tell('a', 'send')
    await registry.to('a').send('said', 1005)
    await turn(2)
    const texts = Array.from({ length: 1006 }, (_, index) => index)
    assert.deepEqual(
      peers.map(({ data }) => data),
      peers.map(() => texts),
    )
  })
})
