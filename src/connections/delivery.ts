import { withCode } from './close-reason.js'
import type { Connection } from './connection.js'
import { formatPlace } from './cursor.js'
import type { Encodings } from './encodings.js'
import type { LogMessage, Notice, Place } from './event-log.js'
import type { Members } from './members.js'
import type { Membership } from './membership.js'
import { type Brought, RoomTurn } from './room-turn.js'
import type { Tracking } from './tracking.js'
import { dealLater, dealOut, isUndealt } from './turn.js'

/** Gives what the log of a registry brings to this node's connections. */
export class Delivery {
  /** What came last to one room as a whole. */
  #turn: RoomTurn | undefined

  constructor(
    private readonly registry: string,
    private readonly members: Members,
    private readonly encodings: Encodings,
    private readonly tracking: Tracking,
  ) {}

  /**
   * Gives a message to the live members, at the end of the turn where it goes to one room as a whole; those that catch up
   * read it from the log. Who is passed over is told the id, so that it does not get the message when it comes back.
   * Nothing of the application's runs before all have it: whose queue overflowed is ended after that.
   */
  deliver(message: LogMessage, place: Place | undefined, volatile = false): void {
    const position = place?.position ?? Number.MAX_VALUE
    const { rooms, except } = message
    const isWhole = except.length === 0 && (rooms === undefined || rooms.length === 1)
    let turn = this.#turn
    if (!isWhole || !isUndealt(turn) || turn.room !== rooms?.[0]) {
      turn = new RoomTurn(this.registry, rooms?.[0], this.encodings, this.members.reached(rooms), this.#stage)
      dealLater(turn)
    }
    this.#turn = turn
    const joins = turn.add({ message, id: place && formatPlace(place), position, volatile })
    if (!joins || !isWhole) dealOut()
  }

  /** `false` where the connection's queue is full. */
  readonly #stage = ({ connection, liveAfter }: Membership, { message, id, position, volatile }: Brought): boolean => {
    if (position <= liveAfter || (volatile && !connection.queue.keepsUp)) return true
    const isPassedOver = message.except.length > 0 && message.except.includes(connection.id)
    if (isPassedOver && id === undefined) return true
    const own = id && connection.noteId(this.registry, id)
    const { codec, queue } = connection
    const bytes = isPassedOver ? codec.encode({ id: own }) : this.encodings.bytes(message, codec, own)
    return queue.stage(bytes, isPassedOver ? undefined : message.event)
  }

  hear(notice: Notice): void {
    switch (notice.kind) {
      case 'event':
        return this.deliver(notice, undefined, notice.volatile)
      case 'node':
        return this.tracking.nodes.hear(notice.from, notice)
      case 'tell':
        for (const connection of this.#told(notice)) connection.tell(JSON.parse(notice.data))
        return
      case 'disconnect': {
        const ended = 'user' in notice ? this.tracking.connectionsOf(notice.user) : this.#named(notice.target)
        for (const connection of ended) connection.end(withCode('disconnected', notice))
      }
    }
  }

  #told({ rooms, user }: Extract<Notice, { kind: 'tell' }>): Set<Connection> {
    if (user !== undefined) return this.tracking.connectionsOf(user)
    if (rooms === undefined) return new Set(Array.from(this.members.all, ({ connection }) => connection))
    return new Set(rooms.flatMap(name => this.#named(name)))
  }

  #named(roomOrId: string): Connection[] {
    return this.members.named(roomOrId).map(({ connection }) => connection)
  }
}
