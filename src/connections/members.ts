import type { Connection } from './connection.js'
import { ownerOf } from './id.js'
import type { Membership } from './membership.js'

/** Whom something is for: the members of rooms, certain ones, or all. */
export type Addressees = readonly string[] | ReadonlySet<Membership> | undefined

/** This node's connections in one registry, and the rooms they are in. */
export class Members {
  readonly #members = new Map<Connection, Membership>()
  readonly #rooms = new Map<string, Set<Membership>>()
  #size = 0

  /** How many are in any room. */
  get size(): number {
    return this.#size
  }

  get rooms(): string[] {
    return [...this.#rooms.keys()]
  }

  get all(): Iterable<Membership> {
    return this.#members.values()
  }

  get(connection: Connection): Membership | undefined {
    return this.#members.get(connection)
  }

  add(member: Membership): void {
    this.#members.set(member.connection, member)
  }

  delete(member: Membership): void {
    this.#members.delete(member.connection)
  }

  in(room: string): ReadonlySet<Membership> {
    return this.#rooms.get(room) ?? new Set()
  }

  /** Puts a member into a room. `false` where it is in already. @param past as for `Membership.enter` */
  enter(member: Membership, room: string, past: number | undefined): boolean {
    if (member.isIn(room)) return false
    if (!member.isInAny) this.#size++
    member.enter(room, past)
    const members = this.#rooms.get(room) ?? new Set()
    this.#rooms.set(room, members.add(member))
    return true
  }

  /** `false` where it is not in. */
  exit(member: Membership, room: string): boolean {
    if (!member.isIn(room)) return false
    member.leave(room)
    if (!member.isInAny) this.#size--
    const members = this.#rooms.get(room)
    members?.delete(member)
    if (members?.size === 0) this.#rooms.delete(room)
    return true
  }

  /** Those whom something is for, each once. */
  reached(to: Addressees): Iterable<Membership> {
    if (to === undefined) return this.#members.values()
    if (!isRooms(to)) return to
    if (to.length === 1) return this.in(to[0] ?? '')
    return new Set(to.flatMap(room => [...this.in(room)]))
  }

  /** How many those are at the most. */
  countOf(to: Addressees): number {
    if (to === undefined) return this.#members.size
    return isRooms(to) ? to.reduce((sum, room) => sum + this.in(room).size, 0) : to.size
  }

  isReached(member: Membership, to: Addressees): boolean {
    if (to === undefined) return true
    return isRooms(to) ? to.some(room => member.isIn(room)) : to.has(member)
  }

  /**
   * Whom names stand for: the members of each room; where a room has none, the one connection with this id. What is for
   * rooms alone is so by their names, since a list of a large room for each thing that waits would be very long.
   */
  named(names: readonly string[]): Addressees {
    if (names.every(name => this.#rooms.has(name))) return names
    return new Set(names.flatMap(name => [...(this.#rooms.get(name) ?? this.#withId(name))]))
  }

  #withId(id: string): Membership[] {
    const member = this.#members.get(ownerOf(id) as Connection)
    return member === undefined ? [] : [member]
  }
}

function isRooms(to: readonly string[] | ReadonlySet<Membership>): to is readonly string[] {
  return Array.isArray(to)
}
