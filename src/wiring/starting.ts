import { ConfigurationError, StartError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { Definition } from './definitions.js'

/** Milliseconds after which it is told that somebody has not come to an end, since nothing says so else. */
const LONG = 10_000

/** What it says is wrong stands by itself; all else is told with what failed, and where that is listed. */
export function startError({ from }: Definition, what: string, cause: unknown): unknown {
  return cause instanceof ConfigurationError ? cause : new StartError(from, what, { cause })
}

/** Waits for one step of the start, for as long as it takes. @throws StartError that names it, where it fails */
export async function takeStep<T>(
  definition: Definition,
  what: string,
  logger: Logger,
  run: () => T | PromiseLike<T>,
): Promise<T> {
  const tell = () =>
    logger.warn(
      `${definition.from}: ${what} has not settled for ${LONG / 1000} seconds, and nothing that comes behind it starts before: give what it waits for a limit of time`,
    )
  const timer = setTimeout(tell, LONG)
  try {
    return await run()
  } catch (error) {
    throw startError(definition, what, error)
  } finally {
    clearTimeout(timer)
  }
}
