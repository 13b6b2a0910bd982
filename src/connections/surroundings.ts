import type { Encodings } from './encodings.js'
import type { Place } from './event-log.js'
import type { SharedReads } from './shared-reads.js'

/** What a membership needs of its registry. */
export interface Surroundings<Member> {
  readonly name: string
  readonly reads: SharedReads
  /** Whether what is sent is kept in the log. */
  readonly history: boolean
  /** How far this node has been given the log. */
  readonly place: Place
  readonly encodings: Encodings
  /** The connection of a member has ended. */
  forget(member: Member): void
}
