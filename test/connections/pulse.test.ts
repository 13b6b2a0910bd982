import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pulse } from '../../src/connections/pulse.js'

/** Longer than a slice of a turn: beats of so many members take several. */
function busy(): void {
  for (const until = performance.now() + 6; performance.now() < until; );
}

class Member {
  readonly failures: unknown[] = []
  constructor(readonly index: number) {}
  failed(error: unknown): void {
    this.failures.push(error)
  }
}

test('one whose beat fails is told so, and all others have theirs, again and again', async () => {
  const members = Array.from({ length: 5 }, (_, index) => new Member(index))
  const failure = new Error('no ping')
  const beaten: number[] = []
  const pulse = new Pulse<Member>(5, ({ index }) => {
    if (index === 2) throw failure
    beaten.push(index)
  })
  pulse.start(members)
  while (beaten.length < 12) await new Promise(resolve => setTimeout(resolve, 1))
  pulse.stop()
  assert.deepEqual(beaten.slice(0, 12), [0, 1, 3, 4, 0, 1, 3, 4, 0, 1, 3, 4])
  assert.deepEqual(
    members.map(({ failures }) => failures[0]),
    [undefined, undefined, failure, undefined, undefined],
  )
})

test('a beat of very many takes several turns, comes to each once, and not to who has gone', async () => {
  const members = Array.from({ length: 640 }, (_, index) => new Member(index))
  const there = new Set(members)
  const beaten: number[] = []
  const pulse = new Pulse<Member>(20, ({ index }) => {
    beaten.push(index)
    if (index % 64 === 63) busy()
    if (index === 100) there.delete(members[600] as Member)
    if (index === 639) pulse.stop()
  })
  pulse.start(there)
  while (beaten.length === 0) await new Promise(resolve => setTimeout(resolve, 1))
  let turns = 0
  while (beaten.at(-1) !== 639) {
    await new Promise(setImmediate)
    turns++
  }
  assert.deepEqual(
    beaten,
    members.map(({ index }) => index).filter(index => index !== 600),
  )
  assert.ok(turns > 5, `others had ${turns} turns`)
})
