/** What an id says of a peer is all that is to be known of it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatId, parseId } from '../../src/connections/cursor.js'
import { Progress } from '../../src/connections/progress.js'
import { fc } from '../support/properties.js'

const ROOMS = ['a', 'b~:,', '\ud800']
const room = fc.constantFrom(...ROOMS)
const step = fc.oneof(
  fc.record({ enter: room, past: fc.option(fc.nat(40), { nil: undefined }) }),
  fc.record({ leave: room }),
  fc.record({ reads: fc.nat(8) }),
)
const message = { event: 'said', data: '0', except: [] }

/** The rooms that are furthest behind are read, up to where the next one stands. */
function read({ fronts }: Progress, count: number): void {
  const { lowest } = fronts
  if (lowest === undefined) return
  const next = fronts.after(lowest.to) ?? Number.POSITIVE_INFINITY
  fronts.advance(lowest, Math.min(lowest.to + count, next))
}

/** The rooms that it is in. */
function roomsOf({ fronts }: Progress): string[] {
  return [...fronts.beyond(Number.NEGATIVE_INFINITY)].flatMap(front => Array.from(front, ({ room }) => room))
}

test('who comes back with its id misses what it missed, and has what it had', () => {
  const property = fc.property(
    fc.option(fc.nat(20), { nil: undefined }),
    fc.array(step, { maxLength: 20, size: 'max' }),
    (position, steps) => {
      const before = new Progress(position === undefined ? undefined : { position, beyond: [] })
      before.enter('home', 20)
      for (const each of steps) {
        if ('reads' in each) read(before, each.reads)
        else if ('leave' in each) before.leave(each.leave, 0)
        else if (!roomsOf(before).includes(each.enter)) before.enter(each.enter, 20, each.past)
      }
      const id = formatId('e', before.cursor)
      const after = new Progress(parseId(id, 'e'))
      for (const room of roomsOf(before)) after.enter(room, 20)
      const had = (name: string, at: number) => before.has({ ...message, rooms: [name], position: at })
      for (let at = before.cursor.position + 1; at < 60; at++)
        for (const rooms of [...ROOMS.map(name => [name]), ROOMS, ROOMS.slice(1)]) {
          const entry = { ...message, rooms, position: at }
          const told = `${rooms} at ${at}, with ${id}`
          if (before.misses(entry)) assert.ok(after.misses(entry), `lost: ${told}`)
          if (rooms.some(name => had(name, at))) assert.ok(!after.misses(entry), `twice: ${told}`)
        }
    },
  )
  fc.assert(property, { numRuns: 500 })
})
