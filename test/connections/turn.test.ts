import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Batch, beginBatch, flushAtEndOfTurn } from '../../src/connections/turn.js'

const bytes = ['a', 'b', 'c'].map(text => Buffer.from(text)) as [Buffer, Buffer, Buffer]

describe('what a turn brings to a room', () => {
  test('is one batch for all members that were brought the same, and one buffer', () => {
    const [a, b, c] = bytes
    const batches = Array.from({ length: 3 }, () => beginBatch(a, 'e').add(b, 'e').add(c, undefined))
    assert.equal(new Set(batches).size, 1)
    assert.equal(batches[0]?.joined.toString(), 'abc')
    assert.equal(batches[0]?.joined, batches[1]?.joined)
    assert.equal(batches[0]?.size, 3)
  })

  test('is another batch for a member that was brought something else, or under another key', () => {
    const [a, b, c] = bytes
    const one = new Batch(a, 'e', undefined)
    assert.equal(one.add(b, 'e').joined.toString(), 'ab')
    assert.equal(one.add(c, 'e').joined.toString(), 'ac')
    assert.notEqual(one.add(c, 'e'), one.add(c, 'f'))
    assert.deepEqual(
      one
        .add(b, 'f')
        .add(c, undefined)
        .items()
        .map(({ key }) => key),
      ['e', 'f', undefined],
    )
  })

  test('is written past a budget in several turns, each queue once and in order; others have their turn between', async () => {
    const written: number[] = []
    let heard = 0
    const busy = () => {
      for (const until = performance.now() + 1; performance.now() < until; );
    }
    for (let queue = 0; queue < 640; queue++)
      flushAtEndOfTurn({
        flushStaged() {
          written.push(queue)
          if (queue % 64 === 0) for (let ms = 0; ms < 6; ms++) busy()
        },
      })
    while (written.length < 640) {
      await new Promise(setImmediate)
      heard++
    }
    assert.deepEqual(written, [...written.keys()])
    assert.ok(heard > 3, `others had ${heard} turns`)
  })
})
