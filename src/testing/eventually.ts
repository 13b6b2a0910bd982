import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until `condition` answers something truthy, and answers that. A condition that throws is not met yet.
 * For what no event or promise tells; say what is waited for, it is the failure's message.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeout = 20_000 } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout
  let last: unknown
  do {
    try {
      const value = await condition()
      if (value) return value
      last = value
    } catch (error) {
      last = error
    }
    await sleep(2)
  } while (performance.now() < deadline)
  const seen = (last instanceof Error ? last.message : String(last)).split('\n')[0]
  throw new Error(`Not within ${timeout} ms: ${what} (last: ${seen})`, { cause: last })
}
