import { type CloseReason, withCode } from './close-reason.js'
import type { Connection } from './connection.js'
import { formatPlace } from './cursor.js'
import type { Drained } from './drained.js'
import type { Encodings } from './encodings.js'
import type { LogMessage, Notice, Place } from './event-log.js'
import type { Addressees, Members } from './members.js'
import type { Membership } from './membership.js'
import { type Brought, RoomTurn } from './room-turn.js'
import { type Letter, Rounds, whenGiven } from './rounds.js'
import type { Tracking } from './tracking.js'
import { dealLater, dealOut, undealtRoom } from './turn.js'

/** What running `info`, and ending a connection (a socket some 0.1 ms), cost beside staging a message. */
const TELLING = 4
const ENDING = 128

type Disconnected = CloseReason & { readonly kind: 'disconnected' }

/**
 * Ends members. Of very many that are named one after the other, those who wait are in one letter: each who ends looks
 * through all letters that wait.
 */
class Ending implements Letter {
  readonly weight = ENDING
  readonly runs = true
  given: Drained | undefined

  constructor(
    readonly to: readonly string[] | Set<Membership> | undefined,
    private readonly reason: Disconnected,
  ) {}

  /** `false` where those end in another way. */
  takes(members: ReadonlySet<Membership>, { code, text }: Disconnected): boolean {
    const isAlike = this.reason.code === code && this.reason.text === text
    if (!isAlike || !(this.to instanceof Set)) return false
    for (const member of members) this.to.add(member)
    return true
  }

  give({ connection }: Membership): void {
    connection.end(this.reason)
  }
}

/** Gives what the log of a registry brings to this node's connections. */
export class Delivery {
  readonly rounds: Rounds
  #overflowed: Connection[] = []

  /** @param most for tests: as for `Rounds` */
  constructor(
    private readonly members: Members,
    private readonly encodings: Encodings,
    private readonly tracking: Tracking,
    most?: number,
  ) {
    this.rounds = new Rounds(members, () => this.#endOverflowed(), most)
  }

  /**
   * Gives a message to the live members, at the end of the turn where it goes to one room as a whole; those that catch up
   * read it from the log. Who is passed over is told the id, so that it does not get the message when it comes back.
   */
  deliver(message: LogMessage, place: Place | undefined, volatile = false): void {
    const position = place?.position ?? Number.MAX_VALUE
    const { rooms, except } = message
    const isWhole = except.length === 0 && (rooms === undefined || rooms.length === 1)
    const last = this.#turn
    const isSame = isWhole && last !== undefined && last.to?.[0] === rooms?.[0]
    const turn = isSame ? last : new RoomTurn(rooms, this.encodings, this.rounds, this.#stage)
    const joins = turn.add({ message, id: place && formatPlace(place), position, volatile })
    if (!isSame) dealLater(turn)
    if (!joins || !isWhole) dealOut()
  }

  /** What was sent to one room as a whole, and waits for the end of the turn. */
  get #turn(): RoomTurn | undefined {
    const room = undealtRoom()
    return room instanceof RoomTurn && room.stage === this.#stage ? room : undefined
  }

  /** `false` where the connection's queue is full. */
  readonly #stage = (member: Membership, { message, id, position, volatile }: Brought): boolean => {
    const { connection, liveAfter } = member
    if (liveAfter === undefined || position <= liveAfter) return true
    if (volatile && !connection.queue.keepsUp) return true
    const isPassedOver = connection.isNamedIn(message.except)
    if (isPassedOver && id === undefined) return true
    const own = id && connection.noteId(member, id)
    const { codec, queue } = connection
    const bytes = isPassedOver ? codec.encode({ id: own }) : this.encodings.bytes(message, codec, own)
    const isTaken = queue.stage(bytes, isPassedOver ? undefined : message.event)
    if (!isTaken) this.#overflowed.push(connection)
    return isTaken
  }

  /** Settles when all that has come is given, where that takes more than this turn. */
  get given(): Promise<unknown> | undefined {
    const turn = this.#turn
    return turn !== undefined && this.rounds.isLong(turn) ? whenGiven(turn) : this.rounds.given
  }

  hear(notice: Notice): void {
    switch (notice.kind) {
      case 'event':
        return this.deliver(notice, undefined, notice.volatile)
      case 'node':
        return this.tracking.nodes.hear(notice.from, notice)
      case 'tell': {
        const give: Letter['give'] = ({ connection }) => connection.tell(JSON.parse(notice.data))
        return this.#give({ to: this.#told(notice), weight: TELLING, runs: true, give })
      }
      case 'disconnect': {
        const to = 'user' in notice ? this.#ofUser(notice.user) : this.members.named([notice.target])
        return this.#end(to, withCode('disconnected', notice))
      }
    }
  }

  #end(to: Addressees, reason: Disconnected): void {
    dealOut()
    if (to === undefined || !('size' in to)) return this.rounds.deliver(new Ending(to, reason))
    const last = this.rounds.openTo(to)
    if (last instanceof Ending && last.takes(to, reason)) return
    this.rounds.deliver(new Ending(new Set(to), reason))
  }

  #give(letter: Letter): void {
    dealOut()
    this.rounds.deliver(letter)
  }

  /** Nothing of the application's runs before all have a message that are given it in this turn. */
  #endOverflowed(): void {
    if (this.#overflowed.length === 0) return
    const overflowed = this.#overflowed
    this.#overflowed = []
    for (const connection of overflowed) connection.end({ kind: 'overflow' })
  }

  #told({ rooms, user }: Extract<Notice, { kind: 'tell' }>): Addressees {
    if (user !== undefined) return this.#ofUser(user)
    return rooms && this.members.named(rooms)
  }

  #ofUser(user: string): ReadonlySet<Membership> {
    const members = Array.from(this.tracking.connectionsOf(user), connection => this.members.get(connection))
    return new Set(members.filter(member => member !== undefined))
  }
}
