import { stat } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { eventually } from './eventually.js'

/** Rounds in which whatever is ready comes to its turn: sockets by those of the event loop, compressors by those of its threads. */
const ROUNDS = 100

/** Waits until a count stands still, and answers it. */
export async function standstill(what: string, count: () => number): Promise<number> {
  let seen = 0
  await eventually(
    what,
    async () => {
      const before = seen
      for (let round = 0; round < ROUNDS; round++) await Promise.all([turn(), stat('/')])
      seen = count()
      return seen > 0 && seen === before
    },
    { timeout: 30_000 },
  )
  return seen
}
