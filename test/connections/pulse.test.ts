import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pulse } from '../../src/connections/pulse.js'

/** Longer than a slice of a turn: beats of so many members take several. */
function busy(): void {
  for (const until = performance.now() + 6; performance.now() < until; );
}

test('a beat of very many takes several turns, comes to each once, and not to who has gone', async () => {
  const members = Array.from({ length: 640 }, (_, index) => index)
  const there = new Set(members)
  const beaten: number[] = []
  const pulse = new Pulse<number>(20, member => {
    beaten.push(member)
    if (member % 64 === 63) busy()
    if (member === 100) there.delete(600)
    if (member === 639) pulse.stop()
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
    members.filter(member => member !== 600),
  )
  assert.ok(turns > 5, `others had ${turns} turns`)
})
