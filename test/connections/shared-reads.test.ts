/** What peers of one registry ask at the same time is asked of its log once, and each answer is one that the log gave it. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SharedReads } from '../../src/connections/shared-reads.js'
import { EventLogUnavailableError, MemoryEventLog, type Page, type Place } from '../../src/index.js'
import { message } from '../contract/event-log.js'
import { fc } from '../support/properties.js'
import { lastIdOf, plenty, RemoteLog, startRegistry, TestConnection, turn } from '../support/registry-peers.js'

/** A log whose answers wait until they are let go, behind shared reads, on a node that was given all of it. */
class SlowLog {
  readonly log = new MemoryEventLog(plenty)
  place: Place = { epoch: '', position: 0 }
  /** What was asked, the place of the node then, and what was answered. */
  readonly asked: { readonly what: string; readonly from: number; answer?: Page | number }[] = []
  readonly reads: SharedReads
  most = 0
  readonly #held: (() => void)[] = []
  #running = 0
  #failure: Error | undefined

  constructor() {
    const read = (after: ReadonlyMap<string, number>, limit: number) =>
      this.#answer(JSON.stringify([limit, ...after]), () => this.log.read(after, limit))
    const before = (room: string, count: number) =>
      this.#answer(JSON.stringify([room, count]), () => this.log.before(room, count))
    this.reads = new SharedReads({ read, before }, () => this.place)
  }

  async start(): Promise<this> {
    await this.log.start({
      entry: ({ position }) => {
        this.place = { ...this.place, position }
      },
      notice() {},
      reset: place => {
        this.place = place
      },
    })
    return this
  }

  /** Lets go of some of what is held, or of all. */
  release(count = this.#held.length): void {
    for (const go of this.#held.splice(0, count)) go()
  }

  /** Answers that are let go from now on are this failure. */
  fail(error: Error | undefined): void {
    this.#failure = error
  }

  /** Lets go of all until nothing more is asked. */
  async settle(): Promise<void> {
    for (let asked = -1; asked !== this.asked.length || this.#held.length > 0; ) {
      asked = this.asked.length
      this.release()
      await turn()
    }
  }

  async #answer<T extends Page | number>(what: string, ask: () => Promise<T>): Promise<T> {
    const asked: (typeof this.asked)[number] = { what, from: this.place.position }
    this.asked.push(asked)
    this.most = Math.max(this.most, ++this.#running)
    await new Promise<void>(go => this.#held.push(go))
    this.#running--
    if (this.#failure !== undefined) throw this.#failure
    const answer = await ask()
    asked.answer = answer
    return answer
  }
}

const at = (positions: Record<string, number>) => new Map(Object.entries(positions))

describe('shared reads', () => {
  test('what is asked while the same is on its way has the same answer', async () => {
    const slow = await new SlowLog().start()
    await slow.log.append(message(['a'], 1))
    const answers = Array.from({ length: 1000 }, () => slow.reads.read(at({ a: 0 }), 10))
    await slow.settle()
    const pages = await Promise.all(answers)
    assert.equal(slow.asked.length, 1)
    assert.ok(pages.every(page => page === pages[0] && page.entries.length === 1))
  })

  test('what was answered a moment ago is answered again, until the node is given more', async () => {
    const slow = await new SlowLog().start()
    const ask = async () => {
      const answer = slow.reads.read(at({ a: 0 }), 10)
      await slow.settle()
      return (await answer).entries.length
    }
    assert.deepEqual([await ask(), await ask()], [0, 0])
    assert.equal(slow.asked.length, 1)
    await slow.log.append(message(['a'], 1))
    assert.deepEqual([await ask(), await ask()], [1, 1])
    assert.equal(slow.asked.length, 2)
  })

  test('what is on its way and may be too old is asked for once more, for all who came since', async () => {
    const slow = await new SlowLog().start()
    const early = slow.reads.before('a', 1)
    await turn()
    await slow.log.append(message(['a'], 1))
    const late = Array.from({ length: 100 }, () => slow.reads.before('a', 5))
    const later = Array.from({ length: 100 }, () => slow.reads.before('a', 1))
    await slow.settle()
    await Promise.all([early, ...late, ...later])
    assert.deepEqual(
      slow.asked.map(({ what, from }) => [what, from]),
      [
        ['["a",1]', 0],
        ['["a",5]', 1],
        ['["a",1]', 1],
      ],
    )
  })

  test('a log is asked for sixteen at a time', async () => {
    const slow = await new SlowLog().start()
    const answers = Array.from({ length: 100 }, (_, n) => slow.reads.read(at({ [`room ${n}`]: 0 }), 10))
    await slow.settle()
    await Promise.all(answers)
    assert.equal(slow.asked.length, 100)
    assert.equal(slow.most, 16)
  })

  test('a log that is away is so for all who wait; an error of another kind is that of its own readers', async () => {
    const slow = await new SlowLog().start()
    const ask = () => Array.from({ length: 20 }, (_, n) => slow.reads.read(at({ [`room ${n}`]: 0 }), 10))
    slow.fail(new EventLogUnavailableError('r', 'refused'))
    const away = Promise.allSettled(ask())
    await slow.settle()
    assert.ok((await away).every(({ status }) => status === 'rejected'))
    assert.equal(slow.asked.length, 16)
    slow.fail(new Error('only this one'))
    const wrong = Promise.allSettled(ask())
    await turn()
    slow.release(1)
    await turn()
    slow.fail(undefined)
    await slow.settle()
    const outcomes = (await wrong).map(({ status }) => status)
    assert.deepEqual(outcomes, ['rejected', ...Array(19).fill('fulfilled')])
  })

  test('a failure is not remembered', async () => {
    const slow = await new SlowLog().start()
    slow.fail(new Error('for now'))
    const failing = [1, 2].map(() => slow.reads.read(at({ a: 0 }), 10))
    const failed = Promise.allSettled(failing)
    await slow.settle()
    assert.deepEqual(
      (await failed).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    slow.fail(undefined)
    const again = slow.reads.read(at({ a: 0 }), 10)
    await slow.settle()
    assert.equal((await again).upTo, 0)
  })

  const room = fc.constantFrom('a', 'b')
  const command = fc.oneof(
    fc.record({ append: fc.uniqueArray(room, { minLength: 1 }) }),
    fc.record({
      read: fc.dictionary(room, fc.integer({ min: 0, max: 8 }), { minKeys: 1 }),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({ release: fc.integer({ min: 1, max: 3 }) }),
    fc.constant('turn' as const),
  )

  test('every answer is one that the log gave to this question, with all that the node had been given', async () => {
    const property = fc.asyncProperty(fc.array(command, { maxLength: 60, size: 'max' }), async commands => {
      const slow = await new SlowLog().start()
      const checks: Promise<void>[] = []
      for (const each of commands) {
        if (each === 'turn') await turn()
        else if ('append' in each) await slow.log.append(message(each.append, 0))
        else if ('release' in each) slow.release(each.release)
        else {
          const after = at(each.read)
          const given = slow.place.position
          const what = JSON.stringify([each.limit, ...after])
          const check = slow.reads.read(after, each.limit).then(page => {
            const asked = slow.asked.filter(known => known.answer === page)
            assert.ok(asked.some(known => known.what === what && known.from >= given))
            assert.ok(page.upTo >= given || page.entries.length === each.limit)
          })
          checks.push(check)
        }
      }
      await slow.settle()
      await Promise.all(checks)
      await slow.log.stop()
    })
    await fc.assert(property, { numRuns: 300 })
  })
})

test('a thousand peers that come back to one room read it once, and each gets all that it missed', async () => {
  const log = new RemoteLog(plenty)
  const registry = await startRegistry({ log })
  const first = new TestConnection()
  await registry.join(first, 'a')
  await registry.to('a').send('said', 0)
  await turn()
  const lastEventId = lastIdOf(first.frames)
  first.end({ kind: 'lost' })
  for (let n = 1; n <= 50; n++) await registry.to('a').send('said', n)
  await turn()
  let reads = 0
  const read = log.read.bind(log)
  log.read = (after, limit) => {
    reads++
    return read(after, limit)
  }
  const back = Array.from({ length: 1000 }, () => new TestConnection({ lastEventId }))
  await Promise.all(back.map(connection => registry.join(connection, 'a')))
  for (const { frames } of back) {
    const heard = frames.filter(frame => frame.event === 'said').map(frame => frame.data)
    assert.deepEqual(
      heard,
      Array.from({ length: 50 }, (_, n) => n + 1),
    )
  }
  assert.equal(reads, 1)
})
