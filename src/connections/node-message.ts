/** What the nodes of a registry say to each other of who is where. It travels as notices, and has a JSON form. */

/** A connection in a room that stands for a user: the room, the connection's id, the user, and the metadata. */
export type StayForm = readonly [room: string, connection: string, user: string, meta: unknown]

/** One who came, or has other metadata now; or, of two parts, one who left. */
export type Change = StayForm | readonly [room: string, connection: string]

export type NodeMessage =
  /** It lives, and its set has this version. It says so every `period` milliseconds. */
  | { readonly say: 'here'; readonly version: number; readonly period: number }
  /** The last changes of its set, which make it this version. */
  | { readonly say: 'changes'; readonly version: number; readonly changes: readonly Change[] }
  /** A part of its whole set, counted from 0; `last` says that no more come. */
  | {
      readonly say: 'set'
      readonly version: number
      readonly part: number
      readonly last: boolean
      readonly stays: readonly StayForm[]
    }
  /** It wants the whole set of one node, or of all. */
  | { readonly say: 'ask'; readonly of?: string }
  /** It goes away; whom it had may come back elsewhere for so many milliseconds. */
  | { readonly say: 'bye'; readonly linger: number }
  /** It wants to know how many connections each has in a room, or in any. */
  | { readonly say: 'count'; readonly question: string; readonly room?: string }
  | { readonly say: 'counted'; readonly question: string; readonly count: number }
