/** Random interleavings against a model: what each peer is owed, and what it got. */
import { test } from 'node:test'
import { fc } from '../support/properties.js'
import {
  connects,
  cuts,
  exactly,
  kinds,
  lates,
  logs,
  losses,
  moves,
  neverSilent,
  nothingElse,
  onceAtMost,
  openPair,
  play,
  skips,
  slows,
  tight,
} from '../support/registry-model.js'
import { plenty } from '../support/registry-peers.js'
import type { Peer } from '../support/registry-world.js'

test('every peer sees every event of its rooms exactly once, in order, however it is cut and comes back', async () => {
  await fc.assert(play([connects, connects, tight, cuts, slows, logs, skips], plenty, exactly), { numRuns: 600 })
})

test('rooms that are joined and left while all goes on: nothing twice, nothing lost, nothing from elsewhere', async () => {
  await fc.assert(play([connects, connects, cuts, slows, logs, moves], plenty, nothingElse), { numRuns: 600 })
  const all = [connects, tight, lates, lates, cuts, cuts, slows, logs, skips, moves, moves, kinds]
  await fc.assert(play(all, plenty, nothingElse), { numRuns: 600 })
  await fc.assert(play(all, plenty, nothingElse, openPair), { numRuns: 600 })
})

test('where the log forgets, no event goes missing without a gap', async () => {
  const retention = { ...plenty, count: 2 }
  const check = (peer: Peer) => {
    onceAtMost(peer)
    neverSilent(peer)
  }
  await fc.assert(play([connects, connects, cuts, slows, logs, skips], retention, check), { numRuns: 600 })
})

test('where the log loses its data, no event goes missing without a gap', async () => {
  await fc.assert(play([connects, connects, cuts, slows, logs, skips, losses], plenty, neverSilent), { numRuns: 500 })
})
