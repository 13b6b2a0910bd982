/** A large room, a few members at a time, whose handlers send, tell, come, go and end others while they are given something. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fc } from '../support/properties.js'
import { startRegistry, TestConnection, type TestRegistry, turn } from '../support/registry-peers.js'

/** Members that stay, and do nothing; behind them those that act. */
const STEADY = 4
const MEMBERS = 9
/** Acts of handlers: each may bring about others. */
const ACTS = 60

class Crowd {
  readonly members: TestConnection[] = []
  readonly all: TestConnection[] = []
  /** What went to the room that all steady ones are in. */
  readonly sent: number[] = []
  #count = 0
  #acts = 0
  #at = 0

  constructor(
    private readonly registry: TestRegistry,
    private readonly choices: readonly number[],
  ) {}

  begin(): void {
    for (let at = 0; at < MEMBERS; at++) this.come(at)
  }

  pick(count: number): number {
    return (this.choices[this.#at++ % this.choices.length] ?? 0) % count
  }

  come(at: number): void {
    const member = new TestConnection()
    if (at >= STEADY) member.handlers = { info: () => this.act(), close: () => this.act() }
    this.members[at] = member
    this.all.push(member)
    void this.registry.join(member, at % 2 === 0 ? 'a' : ['a', 'b'])
  }

  act(): void {
    if (this.#acts++ >= ACTS) return
    const at = STEADY + this.pick(MEMBERS - STEADY)
    const member = this.members[at] as TestConnection
    const { registry } = this
    const acts: (() => unknown)[] = [
      () => registry.to('a').send('said', this.#next(this.sent)),
      () => registry.broadcast('said', this.#next(this.sent)),
      () => registry.to('b').send('said', this.#next()),
      () => registry.tell(this.pick(2) === 0 ? 'a' : 'b', 'act'),
      () => registry.leave(member, this.pick(2) === 0 ? 'a' : undefined),
      () => registry.join(member, this.pick(2) === 0 ? 'a' : ['a', 'b']),
      () => registry.disconnect(member.id),
      () => {
        member.end({ kind: 'lost' })
        this.come(at)
      },
    ]
    acts[this.pick(acts.length)]?.()
  }

  #next(sent: number[] = []): number {
    sent.push(++this.#count)
    return this.#count
  }

  check(): void {
    for (const member of this.members.slice(0, STEADY)) {
      const ofRoom = member.data.filter(number => this.sent.includes(number as number))
      assert.deepEqual(ofRoom, this.sent)
    }
    for (const { data, logged } of this.all) {
      assert.deepEqual(
        data,
        [...new Set(data as number[])].sort((a, b) => a - b),
      )
      assert.deepEqual(logged, [])
    }
  }
}

test('whatever handlers do meanwhile, who stays is given all, in order, and nobody anything twice', async () => {
  const choices = fc.array(fc.nat({ max: 5039 }), { minLength: 200, maxLength: 200 })
  const most = fc.constantFrom(1, 2, 5, 10_000)
  const property = fc.asyncProperty(choices, most, fc.boolean(), async (choices, most, history) => {
    const registry = await startRegistry({ most, history })
    const crowd = new Crowd(registry, choices)
    crowd.begin()
    await turn(2)
    for (let step = 0; step < 40; step++) {
      crowd.act()
      if (crowd.pick(3) === 0) await turn()
    }
    await turn(300)
    crowd.check()
    await registry.stop()
  })
  await fc.assert(property, { numRuns: 300, seed: 4 })
})
