/** What a primary and its workers say to each other about the workers themselves. All of it has a JSON form. */
import type { AddressInfo } from 'node:net'
import { AddressInUseError, ConfigurationError } from '../errors.js'
import type { LeaveOptions } from '../server/leave.js'

/** From a worker: it serves; or why it does not. */
export type Report =
  | { readonly palomino: 'ready'; readonly addresses: readonly (AddressInfo | string)[] }
  | { readonly palomino: 'failed'; readonly failure: Failure }

/** To a worker: drain and end. */
export interface Order {
  readonly palomino: 'close'
  /** What is undefined is the worker's own. */
  readonly options: Partial<LeaveOptions>
}

/** An error that crosses to another process. */
interface Failure {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly problems: readonly string[] | undefined
  readonly address: string | undefined
  readonly cause: Failure | undefined
}

/** Causes of causes that cross with an error. */
const DEPTH = 5

export function failureOf(error: unknown, depth = DEPTH): Failure {
  const { name, message, stack, cause: below } = error instanceof Error ? error : new Error(String(error))
  const problems = error instanceof ConfigurationError ? error.problems : undefined
  const address = error instanceof AddressInUseError ? error.address : undefined
  const cause = below === undefined || depth === 0 ? undefined : failureOf(below, depth - 1)
  return { name, message, stack, problems, address, cause }
}

/** The error as it was thrown in the worker. */
export function errorOf({ name, message, stack, problems, address, cause }: Failure): Error {
  if (problems !== undefined) return new ConfigurationError(problems)
  const options = cause === undefined ? {} : { cause: errorOf(cause) }
  const error = Object.assign(new Error(message, options), { name, ...(stack === undefined ? {} : { stack }) })
  return address === undefined ? error : new AddressInUseError(address, { cause: error })
}
