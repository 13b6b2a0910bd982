import type { Codec } from './codec.js'
import type { Connection } from './connection.js'
import type { Encodings } from './encodings.js'
import type { LogMessage } from './event-log.js'
import type { Membership } from './membership.js'
import { JOIN_LIMIT } from './send-queue.js'
import { STEP, type Undealt } from './turn.js'

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
export class RoomTurn implements Undealt {
  readonly #all: Brought[] = []
  /** The last id among them. */
  #id: string | undefined
  #length = 0
  #codec: Codec | undefined
  #joined: Buffer | undefined

  constructor(
    private readonly registry: string,
    /** One room; undefined stands for all. */
    readonly room: string | undefined,
    private readonly encodings: Encodings,
    private readonly members: Iterable<Membership>,
    private readonly stage: Stage,
  ) {}

  /** `false` where there is no more to be joined: it is to be dealt out. */
  add(brought: Brought): boolean {
    this.#all.push(brought)
    this.#id = brought.id ?? this.#id
    this.#length += brought.message.data.length
    return this.#length < JOIN_LIMIT
  }

  deal(): void {
    this.#give(0)
  }

  /** Writes to the members until a time; what is left is staged for them. */
  write(until: number): void {
    this.#give(until)
  }

  #give(until: number): void {
    const overflowed: Connection[] = []
    let inTime = until > 0
    let done = 0
    for (const member of this.members) {
      if (inTime && this.#passes(member)) inTime = ++done % STEP !== 0 || performance.now() < until
      else if (!this.#all.every(brought => this.stage(member, brought))) overflowed.push(member.connection)
    }
    for (const connection of overflowed) connection.end({ kind: 'overflow' })
  }

  /** Whether a member is to have all of it, as all others have it, and took it. */
  #passes({ connection, liveAfter }: Membership): boolean {
    const [first] = this.#all
    if (first === undefined || first.position <= liveAfter) return false
    if (this.#id !== undefined && connection.noteId(this.registry, this.#id) !== this.#id) return false
    return connection.queue.pass(this.#bytes(connection.codec))
  }

  #bytes(codec: Codec): Buffer {
    if (this.#joined === undefined || this.#codec !== codec) {
      const each = this.#all.map(({ message, id }) => this.encodings.bytes(message, codec, id))
      this.#joined = each.length === 1 ? (each[0] as Buffer) : Buffer.concat(each)
      this.#codec = codec
    }
    return this.#joined
  }
}
