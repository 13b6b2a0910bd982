import { type Connection, ConnectionRegistry, notFound, Registry } from 'palomino'
import { type Person, person } from './people.js'

export interface Line {
  readonly from: Person
  readonly text: string
  readonly at: number
}

/** What a room hears. */
interface RoomEvents {
  line: Line
  typing: Person
}

/** What the server tells a connection's `info`, which sends it on. */
export type Told =
  | { readonly event: 'people'; readonly data: Person[] }
  | { readonly event: 'whisper'; readonly data: Line & { readonly to: Person } }

/** All connections of a person, each person a room of its own: for what is private. */
@Registry('inboxes', { history: false })
export class Inboxes extends ConnectionRegistry {}

/** The rooms, for sockets and event streams alike. */
@Registry('rooms', { history: { count: 200, age: 86_400_000 } })
export class Rooms extends ConnectionRegistry<RoomEvents> {
  constructor(private readonly inboxes: Inboxes) {
    super()
  }

  /** Newcomers get the last fifty lines; who was cut off gets what they missed. */
  async enter(connection: Connection) {
    const room = roomOf(connection)
    const me = whoIs(connection)
    await this.inboxes.join(connection, me.id)
    await this.join(connection, room, { history: 50 })
    return { event: 'welcome', data: { me, people: this.people(room) } }
  }

  say(room: string, from: Person, text: string) {
    return this.to(room).send('line', { from, text, at: Date.now() })
  }

  /** Stale in a moment: neither remembered, nor kept for those who are behind. */
  typing(room: string, who: Person) {
    return this.to(room).volatile().send('typing', who)
  }

  /** To whoever it is for and whoever wrote it, on all their connections; nobody else hears it, and nothing keeps it. */
  async whisper(room: string, from: Person, to: string, text: string) {
    const addressee = this.people(room).find(({ id }) => id === to)
    if (addressee === undefined) throw notFound('they have left')
    const told: Told = { event: 'whisper', data: { from, to: addressee, text, at: Date.now() } }
    await this.inboxes.tell([to, from.id], told)
  }

  /** Each once, however many connections they have. */
  people(room: string): Person[] {
    return [
      ...new Map(
        this.members(room)
          .map(whoIs)
          .map(who => [who.id, who]),
      ).values(),
    ]
  }

  protected override joined(_: Connection, room: string) {
    return this.tellPeople(room)
  }

  protected override left(_: Connection, room: string) {
    return this.tellPeople(room)
  }

  private tellPeople(room: string) {
    const told: Told = { event: 'people', data: this.people(room) }
    return this.tell(room, told)
  }
}

function roomOf(connection: Connection): string {
  return connection.params.room ?? ''
}

/** The guard left it there. */
export function whoIs(connection: Connection): Person {
  return connection.get(person)!
}
