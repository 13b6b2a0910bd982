import type { Codec } from './codec.js'
import type { Drained } from './drained.js'
import type { Encodings } from './encodings.js'
import type { LogMessage } from './event-log.js'
import type { Membership } from './membership.js'
import type { Letter, Rounds } from './rounds.js'
import { JOIN_LIMIT } from './send-queue.js'
import type { Slice } from './slice.js'
import type { Undealt } from './turn.js'

/** One message on its way to the members of its rooms. */
export interface Brought {
  readonly message: LogMessage
  /** Where it stands in the log; undefined where it is not kept. */
  readonly id: string | undefined
  readonly position: number
  readonly volatile: boolean
}

/** What a room's members are given by: the way of one message to one member. `false` where that is too much for it. */
export type Stage = (member: Membership, brought: Brought) => boolean

/**
 * What one room has been sent within one turn of the event loop. It is joined once, and written once to each member that
 * nothing else is on its way to, however many messages it is: an event costs nothing for each member (`sse-burst`). The
 * other members are brought one message after another, as all are where something else comes between (`dealOut`).
 */
export class RoomTurn implements Undealt, Letter {
  given: Drained | undefined
  readonly #all: Brought[] = []
  /** The lowest position among them, and the last id. */
  #since = Number.POSITIVE_INFINITY
  #id: string | undefined
  #length = 0
  #passesOver = false
  readonly #joined = new Map<Codec, Buffer>()

  constructor(
    /** Undefined stands for all. */
    readonly to: readonly string[] | undefined,
    private readonly encodings: Encodings,
    private readonly rounds: Rounds,
    readonly stage: Stage,
  ) {}

  /** `false` where there is no more to be joined: it is to be dealt out. */
  add(brought: Brought): boolean {
    this.#all.push(brought)
    this.#since = Math.min(this.#since, brought.position)
    this.#id = brought.id ?? this.#id
    this.#length += brought.message.data.length
    this.#passesOver ||= brought.message.except.length > 0
    return this.#length < JOIN_LIMIT
  }

  deal(): void {
    this.rounds.deliver(this)
  }

  write(slice: Slice): void {
    this.rounds.deliver(this, slice)
  }

  get weight(): number {
    return this.#all.length
  }

  give(member: Membership): void {
    for (const brought of this.#all) if (!this.stage(member, brought)) return
  }

  /** A member that is to have all of it, as all others have it, and takes it. */
  pass(member: Membership): boolean {
    const { connection, liveAfter } = member
    if (this.#passesOver || liveAfter === undefined || this.#since <= liveAfter) return false
    if (this.#id !== undefined && connection.noteId(member, this.#id) !== this.#id) return false
    return connection.queue.pass(this.#bytes(connection.codec))
  }

  #bytes(codec: Codec): Buffer {
    const known = this.#joined.get(codec)
    if (known !== undefined) return known
    const each = this.#all.map(({ message, id }) => this.encodings.bytes(message, codec, id))
    const joined = each.length === 1 ? (each[0] as Buffer) : Buffer.concat(each)
    this.#joined.set(codec, joined)
    return joined
  }
}
