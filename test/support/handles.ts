import { eventually } from './eventually.js'

/** What keeps this process alive, by kind. The pipes and terminals of its own stdio are left out. */
export function activeHandles(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind === 'PipeWrap' || kind === 'TTYWrap') continue
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** Waits until nothing but what was there `before` (an `activeHandles()`) keeps the process alive. */
export async function noHandlesLeft(
  before: Record<string, number> = {},
  options?: { timeout?: number },
): Promise<void> {
  // The wait itself holds a timer, but not while the condition is looked at.
  await eventually(
    'no handles left',
    () => {
      const left = Object.entries(activeHandles()).filter(([kind, count]) => count > (before[kind] ?? 0))
      if (left.length > 0) throw new Error(`left: ${left.map(([kind, count]) => `${count} ${kind}`).join(', ')}`)
      return true
    },
    options,
  )
}
