import type { Retention } from '../declare/registry.js'
import type { Logger } from '../logger.js'
import { checkClose, withCode } from './close-reason.js'
import type { Codec } from './codec.js'
import type { Connection } from './connection.js'
import { formatPlace } from './cursor.js'
import { Encodings } from './encodings.js'
import type { EventLog, LogMessage, Notice, Place } from './event-log.js'
import { isLocalId } from './id.js'
import { Membership, type Surroundings } from './membership.js'
import { type Outbox, outboxTo } from './outbox.js'
import { SharedReads } from './shared-reads.js'
import { checkRooms, type DataOf, Target } from './target.js'

export interface JoinOptions {
  /** The last events of the room that a peer gets which did not come back to it with a last event id. @default 0 */
  readonly history?: number
}

/** How a registry is run: given to it at boot. @internal */
export interface RegistrySetup {
  readonly name: string
  readonly history: boolean
  readonly log: EventLog
  readonly logger: Logger
}

interface Running extends RegistrySetup, Surroundings {
  place: Place
}

/** The retention of a registry that says nothing of its own. */
export const defaultRetention: Required<Retention> = { count: 100, bytes: 1_048_576, age: 300_000 }

/**
 * A named set of live connections, in rooms, and the log of what was sent to them. Event streams and sockets alike may
 * join. Extend it with the events it carries, mark the class `@Registry(name)`, list it as a provider, and ask for it by
 * its type.
 */
export abstract class ConnectionRegistry<Events extends object = Record<string, unknown>> {
  #running: Running | undefined
  readonly #members = new Map<Connection, Membership>()
  readonly #rooms = new Map<string, Set<Membership>>()
  #size = 0

  /** Called when a connection has entered a room. Errors and rejections are logged. */
  protected joined?(connection: Connection, room: string): void | Promise<unknown>
  /** Called when a connection has left a room, or ended. Errors and rejections are logged. */
  protected left?(connection: Connection, room: string): void | Promise<unknown>

  /** How many connections of this node are in any room. */
  get size(): number {
    return this.#size
  }

  /** This node's rooms that somebody is in. */
  rooms(): string[] {
    return [...this.#rooms.keys()]
  }

  /** This node's connections in a room. */
  members(room: string): Connection[] {
    return [...(this.#rooms.get(room) ?? [])].map(member => member.connection)
  }

  /** How many connections of this node are in a room. */
  count(room: string): number {
    return this.#rooms.get(room)?.size ?? 0
  }

  /**
   * Puts a connection into a room, or into several. A peer that came back with its last event id gets what it missed
   * there, then what is live, with nothing lost and nothing twice; where the log no longer reaches back, one `gap` event.
   * Inside `open` it resolves at once, and the replay follows what `open` returns; later, when the peer is live. A room
   * that is joined late is resumed from the same id: what a peer is to resume in should be joined in `open`, since the
   * first event after that moves its last event id on.
   * @throws TypeError for what is no name of a room
   */
  async join(connection: Connection, room: string | readonly string[], options: JoinOptions = {}): Promise<void> {
    const running = this.#whenRunning('join')
    const { history = 0 } = options
    for (const name of checkRooms(room)) {
      const past = history > 0 ? await this.#past(running, connection, name, history) : undefined
      if (connection.closed) return
      this.#enter(running, connection, name, past ?? running.place.position)
    }
    const member = this.#members.get(connection)
    if (member === undefined || member.live) return
    const live = member.catchUp()
    if (connection.gate.passed) await live
  }

  /** Where the last events of a room begin; undefined where they are not to be had. */
  async #past({ reads, history }: Running, connection: Connection, room: string, count: number) {
    if (!history || this.#members.get(connection)?.rooms.has(room)) return undefined
    try {
      return await reads.before(room, count)
    } catch (error) {
      connection.failed(error)
      return undefined
    }
  }

  /** Takes a connection out of a room, or out of all. */
  leave(connection: Connection, room?: string): void {
    const member = this.#members.get(connection)
    if (member === undefined) return
    for (const name of room === undefined ? [...member.rooms] : [room]) this.#exit(member, name)
  }

  /** The connections of a room, or of several (each once), on every node. @throws TypeError for what is no name of a room */
  to(room: string | readonly string[]): Target<Events> {
    return new Target(this.#outbox(), checkRooms(room))
  }

  /** Sends to every connection of the registry, on every node. Answers the event's id. */
  broadcast<E extends keyof Events & string>(event: E, ...data: DataOf<Events[E]>): Promise<string | undefined> {
    return new Target<Events>(this.#outbox(), undefined).send(event, ...data)
  }

  /** Runs `info` with a message on each member of a room, or on the connection with this id, on every node; it travels as JSON. */
  async tell(roomOrId: string | readonly string[], message: unknown): Promise<void> {
    await this.to(roomOrId).tell(message)
  }

  /**
   * Ends the connections of a room, or the one with this id, on every node.
   * @param reason a socket's close code (@default 1008) and text
   */
  async disconnect(roomOrId: string, reason: { readonly code?: number; readonly text?: string } = {}): Promise<void> {
    checkClose(reason)
    await this.#whenRunning('disconnect').log.notify({ kind: 'disconnect', target: roomOrId, ...reason })
  }

  /** @internal */
  async start(setup: RegistrySetup): Promise<void> {
    const reads = new SharedReads(setup.log, () => running.place)
    const running: Running = { ...setup, reads, place: { epoch: '', position: 0 }, encodings: new Encodings() }
    this.#running = running
    await setup.log.start({
      entry: entry => {
        running.place = { epoch: running.place.epoch, position: entry.position }
        this.#deliver(running, entry, running.place)
      },
      notice: notice => this.#hear(running, notice),
      reset: place => {
        const last = running.place
        running.place = place
        for (const member of this.#members.values()) if (setup.history) member.reset(last)
      },
    })
  }

  /** @internal */
  async stop(): Promise<void> {
    await this.#running?.log.stop()
  }

  #whenRunning(action: string): Running {
    if (this.#running !== undefined) return this.#running
    throw new Error(
      `${this.constructor.name}: ${action} before the application has started: list the registry as a provider of a module`,
    )
  }

  #outbox(): Outbox {
    const { log, history } = this.#whenRunning('send')
    return outboxTo(log, history)
  }

  #enter(running: Running, connection: Connection, room: string, position: number): void {
    let member = this.#members.get(connection)
    if (member === undefined) {
      const entered = new Membership(connection, running)
      member = entered
      this.#members.set(connection, entered)
      connection.onEnd(() => this.#forget(entered))
    }
    if (member.rooms.has(room)) return
    if (member.rooms.size === 0) this.#size++
    member.enter(room, position)
    const members = this.#rooms.get(room) ?? new Set()
    this.#rooms.set(room, members.add(member))
    this.#tellHook(() => this.joined?.(connection, room))
  }

  #exit(member: Membership, room: string): void {
    if (!member.rooms.has(room)) return
    member.leave(room)
    if (member.rooms.size === 0) this.#size--
    const members = this.#rooms.get(room)
    members?.delete(member)
    if (members?.size === 0) this.#rooms.delete(room)
    this.#tellHook(() => this.left?.(member.connection, room))
  }

  #forget(member: Membership): void {
    this.#members.delete(member.connection)
    for (const room of [...member.rooms]) this.#exit(member, room)
  }

  #tellHook(run: () => void | Promise<unknown>): void {
    const failed = (error: unknown) => this.#running?.logger.error(`${this.constructor.name}: a hook failed`, error)
    try {
      run()?.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /** Those whom a message reaches, each once. */
  #reached(rooms: readonly string[] | undefined): Iterable<Membership> {
    if (rooms === undefined) return this.#members.values()
    if (rooms.length === 1) return this.#rooms.get(rooms[0] ?? '') ?? []
    return new Set(rooms.flatMap(room => [...(this.#rooms.get(room) ?? [])]))
  }

  /** The members of a room; where there are none, the one connection with this id. */
  #named(roomOrId: string): Membership[] {
    const members = this.#rooms.get(roomOrId)
    if (members !== undefined || !isLocalId(roomOrId)) return [...(members ?? [])]
    return [...this.#members.values()].filter(({ connection }) => connection.id === roomOrId)
  }

  /**
   * Gives a message to the live members; those that catch up read it from the log. Who is passed over is told the id, so
   * that it does not get the message when it comes back. Nothing of the application's runs before all have it: whose
   * queue overflowed is ended after that.
   */
  #deliver({ name, encodings }: Running, message: LogMessage, place: Place | undefined, volatile = false): void {
    const id = place && formatPlace(place)
    const position = place?.position ?? Number.MAX_VALUE
    const overflowed: Connection[] = []
    // Members one after another have the same codec and the same id, nearly always: what was encoded for the last serves the next.
    let form: { readonly codec: Codec; readonly own: string | undefined; readonly bytes: Buffer } | undefined
    for (const { connection, liveAfter } of this.#reached(message.rooms)) {
      if (position <= liveAfter || (volatile && !connection.queue.keepsUp)) continue
      const isPassedOver = message.except.length > 0 && message.except.includes(connection.id)
      if (isPassedOver && id === undefined) continue
      const own = id && connection.noteId(name, id)
      const { codec, queue } = connection
      if (isPassedOver) {
        if (!queue.stage(codec.encode({ id: own }))) overflowed.push(connection)
        continue
      }
      if (form?.codec !== codec || form.own !== own) form = { codec, own, bytes: encodings.bytes(message, codec, own) }
      if (!queue.stage(form.bytes, message.event)) overflowed.push(connection)
    }
    for (const connection of overflowed) connection.end({ kind: 'overflow' })
  }

  #hear(running: Running, notice: Notice): void {
    if (notice.kind === 'event') return this.#deliver(running, notice, undefined, notice.volatile)
    if (notice.kind === 'tell') {
      const told = notice.rooms?.flatMap(name => this.#named(name)) ?? this.#members.values()
      for (const { connection } of new Set(told)) connection.tell(JSON.parse(notice.data))
      return
    }
    const reason = withCode('disconnected', notice)
    for (const { connection } of this.#named(notice.target)) connection.end(reason)
  }
}
