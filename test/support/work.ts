/** How much of a program is run, counted by the engine: it is the same on each machine, and whatever else that does. */
import { Session } from 'node:inspector/promises'

/**
 * How often blocks of the product were entered while `run` ran: functions, branches, turns of loops. What the engine does
 * inside of one call (a sort, a spread) is not seen.
 */
export async function countWork(run: () => unknown): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    await run()
    const { result } = await session.post('Profiler.takePreciseCoverage')
    const ours = result.filter(({ url }) => url.includes('/dist/src/'))
    const blocks = ours.flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
    return blocks.reduce((sum, { count }) => sum + count, 0)
  } finally {
    session.disconnect()
  }
}
