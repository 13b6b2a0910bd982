/** What is sent to two logs that are to answer alike, and what they are asked. */
import { EVERYWHERE } from '../../src/index.js'
import { fc } from '../support/properties.js'

const rooms = ['a', 'b', 'c']

export const append = fc.record({
  rooms: fc.option(fc.uniqueArray(fc.constantFrom(...rooms), { minLength: 1 }), { nil: undefined }),
  size: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constant(300)),
})

/** @param furthest the highest position that is asked for */
export const question = (furthest: number) =>
  fc.record({
    after: fc.dictionary(fc.constantFrom(...rooms, EVERYWHERE), fc.integer({ min: 0, max: furthest }), { minKeys: 1 }),
    limit: fc.integer({ min: 1, max: 12 }),
  })

export const bounds = fc.record({ count: fc.integer({ min: 1, max: 6 }), bytes: fc.integer({ min: 40, max: 400 }) })
