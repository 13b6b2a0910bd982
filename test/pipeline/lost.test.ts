import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findLost } from '../../src/pipeline/lost.js'

const lost = (value: unknown) => findLost(value, JSON.stringify(value))

test('what says {} and loses nothing passes: empty objects, instances without fields, and what has a form of its own', () => {
  class Nothing {}
  class Named extends Map<number, number> {
    toJSON() {
      return {}
    }
  }
  class Tagged {
    get [Symbol.toStringTag]() {
      return 'Thing'
    }
  }
  const values = [
    {},
    [{}, [{}]],
    '{}',
    { a: '{}' },
    new Nothing(),
    new Named().set(1, 2),
    new Tagged(),
    Object.create(null),
  ]
  for (const value of values) assert.equal(lost(value), undefined)
  assert.equal(
    lost({ at: new Date(0), bytes: Buffer.from('a'), error: Object.assign(new Error(), { code: 1 }) }),
    undefined,
  )
})

test('a value as deep as JSON goes is walked through, and of a shared one each place is named', () => {
  let deep: unknown = new Map()
  for (let level = 0; level < 3000; level++) deep = [deep]
  assert.equal(lost(deep)?.path.length, 9000)
  const shared = new Set([1])
  assert.equal(lost({ first: {}, one: shared, two: shared })?.path, '.one')
})

test('a member that is called toJSON hides nothing, and a DOMException is an error, too', () => {
  assert.equal(lost({ toJSON: 5, seen: new Set([1]) })?.path, '.seen')
  assert.deepEqual(lost([new DOMException('away', 'AbortError')]), {
    kind: 'DOMException',
    path: '[0]',
    cure: 'its message',
  })
})
