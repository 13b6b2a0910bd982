/** One value of a query is what it is among all of them, whatever the query looks like. */

import assert from 'node:assert/strict'
import { parse } from 'node:querystring'
import { test } from 'node:test'
import { readQueryValue } from '../../src/pipeline/query-value.js'
import { fc } from '../support/properties.js'

const piece = fc.constantFrom(
  'a',
  'b',
  'ab',
  '=',
  '&',
  '&',
  '+',
  '%',
  '%61',
  '%3D',
  '%zz',
  '%C3%A9',
  '%ff',
  'ÿ',
  '__proto__',
)
const query = fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join(''))
const name = fc.constantFrom('a', 'b', 'ab', '', 'a b', 'é', '__proto__', 'toString')

test('one value of a query is the one that a parser of all finds', () => {
  fc.assert(
    fc.property(query, name, (text, asked) => {
      assert.deepEqual(readQueryValue(text, asked), parse(text)[asked])
    }),
    { numRuns: 20_000 },
  )
})

test('of more fields than a parser takes, none is read', () => {
  const many = `${'a&'.repeat(1000)}b=1`
  assert.equal(parse(many).b, undefined)
  assert.equal(readQueryValue(many, 'b'), undefined)
})
