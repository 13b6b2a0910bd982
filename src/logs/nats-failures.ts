import type { Failure } from './patience.js'

/** It never left. */
export class Unsent extends Error {
  override readonly name = 'Unsent'
}

/** JetStream's codes where a stream is another one than was expected, and where too few servers have found each other. */
const PASSING = [10060, 10005]

/** What a failure of one of these calls says of what was asked. */
export function judge(error: unknown): Failure {
  const { name, status, code } = Object(error) as { name?: string; status?: number; code?: number }
  if (name === 'Unsent') return 'unsent'
  // Nobody answers for the stream now: it is gone, or has no leader.
  if (name === 'JetStreamNotEnabled' || status === 503 || PASSING.includes(code ?? 0)) return 'busy'
  if (name === 'JetStreamApiError' || name === 'InvalidArgumentError' || name === 'PermissionViolationError')
    return 'refused'
  return 'unanswered'
}
