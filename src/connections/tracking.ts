import { isDeepStrictEqual } from 'node:util'
import { type Clock, processClock, Timers } from './clock.js'
import type { CloseReason } from './close-reason.js'
import { toJson } from './codec.js'
import type { Connection } from './connection.js'
import type { EventLog } from './event-log.js'
import { Nodes } from './nodes.js'
import { checkUser, type Presence, Roster, type Stay } from './presence.js'
import { Watchers, type WatchersSetup } from './watchers.js'

/** What a connection says of itself when it joins a room. */
export interface TrackOptions<Meta = unknown> {
  /** Whom the connection stands for: it is then present in the room, for all nodes. @default nobody */
  readonly user?: string
  /** What others may know of this connection, or of its user: JSON of 4 KiB at the most. @default null */
  readonly meta?: Meta
  /** Whether the peer is told who is in the room, by events `presence`; `false` ends that. @default it is not, or as before */
  readonly watch?: boolean
}

/** How presence is run. */
export interface TrackingSetup {
  readonly name: string
  readonly log: EventLog
  readonly heartbeat: number
  readonly linger: number
  readonly clock?: Clock | undefined
  readonly count: (room: string | undefined) => number
  readonly changed: WatchersSetup['changed']
  readonly most?: number | undefined
}

/** Bytes of one connection's metadata: it goes to all nodes, and to all who watch. */
const META_LIMIT = 4096

interface Tracked {
  readonly connection: Connection
  readonly stay: Stay
}

/** Whom this node's connections stand for, and who is present on others. */
export class Tracking {
  readonly nodes: Nodes
  readonly #roster: Roster
  readonly #watchers: Watchers
  readonly #timers: Timers
  readonly #tracked = new Map<Connection, Map<string, Tracked>>()
  readonly #users = new Map<string, Set<Tracked>>()

  constructor(private readonly setup: TrackingSetup) {
    const { name, log, heartbeat, count, changed, most } = setup
    this.#timers = new Timers(setup.clock ?? processClock)
    this.#roster = new Roster((room, user) => this.#watchers.changing(room, user))
    this.#watchers = new Watchers({ registry: name, roster: this.#roster, changed, most })
    this.nodes = new Nodes({
      roster: this.#roster,
      timers: this.#timers,
      heartbeat,
      notify: (from, message) => log.notify({ kind: 'node', from, ...message }),
      isReady: () => log.health.ready,
      count,
    })
  }

  users(room: string): Presence[] {
    return this.#roster.users(room)
  }

  /** This node's connections that stand for a user, in any room. */
  connectionsOf(user: string): Set<Connection> {
    return new Set([...(this.#users.get(user) ?? [])].map(({ connection }) => connection))
  }

  enter(connection: Connection, room: string, { user, meta = null, watch }: TrackOptions): void {
    if (user !== undefined) this.#track(connection, room, user, meta)
    if (watch === true) this.#watchers.add(connection, room)
    if (watch === false) this.#watchers.delete(connection, room)
  }

  /** @param reason why the connection has ended, where it has: whose peer was lost, its user may come back */
  leave(connection: Connection, room: string, reason: CloseReason | undefined): void {
    this.#watchers.delete(connection, room)
    const tracked = this.#untrack(connection, room)
    if (tracked === undefined) return
    const { stay } = tracked
    const lingers = reason !== undefined && mayComeBack(reason) && this.setup.linger > 0
    if (!lingers) return void this.nodes.change([room, stay.connection])
    const end = () => {
      cancel()
      delete stay.end
      this.nodes.change([room, stay.connection])
    }
    const cancel = this.#timers.after(this.setup.linger, end)
    stay.end = end
  }

  async stop(): Promise<void> {
    await this.nodes.leave(this.setup.linger)
    this.#timers.stop()
  }

  #track(connection: Connection, room: string, user: string, meta: unknown): void {
    const rooms = this.#tracked.get(connection) ?? new Map<string, Tracked>()
    const known = rooms.get(room)?.stay
    if (known?.user === user && isDeepStrictEqual(known.meta, meta)) return
    this.#untrack(connection, room)
    const stay = this.nodes.change([room, connection.id, user, meta])
    if (stay === undefined) return
    const tracked = { connection, stay }
    this.#tracked.set(connection, rooms.set(room, tracked))
    this.#users.set(user, (this.#users.get(user) ?? new Set()).add(tracked))
  }

  /** Forgets that a connection stands for somebody; its set still has it. */
  #untrack(connection: Connection, room: string): Tracked | undefined {
    const rooms = this.#tracked.get(connection)
    const tracked = rooms?.get(room)
    if (rooms === undefined || tracked === undefined) return undefined
    rooms.delete(room)
    if (rooms.size === 0) this.#tracked.delete(connection)
    const ofUser = this.#users.get(tracked.stay.user)
    ofUser?.delete(tracked)
    if (ofUser?.size === 0) this.#users.delete(tracked.stay.user)
    return tracked
  }
}

/** Whether a peer may not have meant to go, or was sent away to another node. */
function mayComeBack(reason: CloseReason): boolean {
  if (reason.kind === 'peer') return reason.code !== 1000
  return !['stopped', 'idle', 'disconnected'].includes(reason.kind)
}

/** What a connection says of itself, with its metadata as the others will see it. @throws TypeError for what cannot be meant */
export function checkTracking({ user, meta, watch }: TrackOptions): TrackOptions {
  const watching = watch === undefined ? {} : { watch }
  if (user === undefined && meta === undefined) return watching
  if (user === undefined) throw new TypeError('meta says something of a user: join with { user, meta }')
  checkUser(user)
  const text = toJson(meta ?? null)
  if (Buffer.byteLength(text) > META_LIMIT)
    throw new TypeError(`the meta of ${user} is too large: it is JSON of ${META_LIMIT} bytes at the most`)
  return { user, meta: JSON.parse(text), ...watching }
}
