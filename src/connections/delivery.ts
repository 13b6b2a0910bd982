import { withCode } from './close-reason.js'
import type { Connection } from './connection.js'
import { formatPlace } from './cursor.js'
import type { Encodings } from './encodings.js'
import type { LogMessage, Notice, Place } from './event-log.js'
import type { Members } from './members.js'
import type { Tracking } from './tracking.js'

/** Gives what the log of a registry brings to this node's connections. */
export class Delivery {
  constructor(
    private readonly registry: string,
    private readonly members: Members,
    private readonly encodings: Encodings,
    private readonly tracking: Tracking,
  ) {}

  /**
   * Gives a message to the live members; those that catch up read it from the log. Who is passed over is told the id, so
   * that it does not get the message when it comes back. Nothing of the application's runs before all have it: whose
   * queue overflowed is ended after that.
   */
  deliver(message: LogMessage, place: Place | undefined, volatile = false): void {
    const id = place && formatPlace(place)
    const position = place?.position ?? Number.MAX_VALUE
    const overflowed: Connection[] = []
    for (const { connection, liveAfter } of this.members.reached(message.rooms)) {
      if (position <= liveAfter || (volatile && !connection.queue.keepsUp)) continue
      const isPassedOver = message.except.length > 0 && message.except.includes(connection.id)
      if (isPassedOver && id === undefined) continue
      const own = id && connection.noteId(this.registry, id)
      const { codec, queue } = connection
      const bytes = isPassedOver ? codec.encode({ id: own }) : this.encodings.bytes(message, codec, own)
      if (!queue.stage(bytes, isPassedOver ? undefined : message.event)) overflowed.push(connection)
    }
    for (const connection of overflowed) connection.end({ kind: 'overflow' })
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
