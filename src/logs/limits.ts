/** What logs are bounded by, where nothing else is said. */
import { type Checks, check, withDefaults, wrongOptions } from '../declare/options.js'

/** How long who asks a log waits for its server, in milliseconds, and how many may. */
export const waits = { patience: 5000, waiting: 10_000 }

/** How far a node may fall behind and still be given each message as it came. */
export interface Tail {
  readonly count: number
  readonly bytes: number
}

const tailChecks: Checks<Tail> = { count: check.count, bytes: check.bytes }

export function tailOf(given: Partial<Tail> | undefined): Tail {
  return withDefaults({ count: 10_000, bytes: 33_554_432 }, given)
}

/** What is wrong with the option `tail` of a function. */
export function wrongTail(where: string, tail: unknown): string[] {
  return typeof tail === 'object' && tail !== null ? wrongOptions(`${where}: tail`, tail, tailChecks) : []
}
