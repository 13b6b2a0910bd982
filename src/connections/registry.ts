import { defaultLogger } from '../logger.js'
import { attempt } from '../pipeline/settle.js'
import { toJson } from './codec.js'
import type { Connection } from './connection.js'
import { Delivery } from './delivery.js'
import { Encodings } from './encodings.js'
import type { LogHealth, Place } from './event-log.js'
import { checkConnection, checkJoin, Joining, type JoinOptions } from './joining.js'
import { Members } from './members.js'
import { Membership } from './membership.js'
import { isOfUser, type OfUser, type Outbox, outboxTo } from './outbox.js'
import type { Presence, PresenceDiff } from './presence.js'
import type { RegistrySetup } from './registry-setup.js'
import type { Rounds } from './rounds.js'
import { sending } from './sending.js'
import { SharedReads } from './shared-reads.js'
import type { Surroundings } from './surroundings.js'
import { checkRooms, type DataOf, Target } from './target.js'
import { Tracking, type TrackOptions } from './tracking.js'

interface Running extends RegistrySetup, Surroundings<Membership> {
  place: Place
  readonly outbox: Outbox
  readonly tracking: Tracking
  readonly rounds: Rounds
}

/** Milliseconds. */
const HEARTBEAT = 5000
const LINGER = 5000
/** Milliseconds that a node has to say how many connections it has. */
const PATIENCE = 2000

/**
 * A named set of live connections, in rooms, and the log of what was sent to them. Event streams and sockets alike may
 * join. Extend it with the events it carries (and the metadata of its users), mark the class `@Registry(name)`, list it as
 * a provider, and ask for it by its type.
 */
export abstract class ConnectionRegistry<Events extends object = Record<string, unknown>, Meta = unknown> {
  #running: Running | undefined
  readonly #members = new Members()
  readonly #joining = new Joining()

  /** Called when a connection has entered a room. Errors and rejections are logged. */
  protected joined?(connection: Connection, room: string): void | Promise<unknown>
  /** Called when a connection has left a room, or ended. Errors and rejections are logged. */
  protected left?(connection: Connection, room: string): void | Promise<unknown>
  /** Called on each node when it learns that a user is present in a room, wherever. Errors and rejections are logged. */
  protected userJoined?(user: Presence<Meta>, room: string): void | Promise<unknown>
  /** Called on each node when it learns that a user's metadata are other ones. Errors and rejections are logged. */
  protected userChanged?(user: Presence<Meta>, room: string): void | Promise<unknown>
  /** Called on each node when it learns that a user is present no more. Errors and rejections are logged. */
  protected userLeft?(user: Presence<Meta>, room: string): void | Promise<unknown>

  /** How many connections of this node are in any room. */
  get size(): number {
    return this.#members.size
  }

  /** Whether its log can be had: what is sent is taken, and what other nodes send is heard. */
  get health(): LogHealth {
    return this.#running?.log.health ?? { ready: false }
  }

  /** This node's rooms that somebody is in. */
  rooms(): string[] {
    return this.#members.rooms
  }

  /** This node's connections in a room. */
  members(room: string): Connection[] {
    return Array.from(this.#members.in(room), member => member.connection)
  }

  /** How many connections of this node are in a room. */
  count(room: string): number {
    return this.#members.in(room).size
  }

  /**
   * How many connections of all nodes are in a room; where none is named, in any. Asks every node that lives, and leaves
   * out one that does not answer within two seconds.
   */
  async total(room?: string): Promise<number> {
    return this.#whenRunning('total').tracking.nodes.total(room, PATIENCE)
  }

  /** Who is in a room, on any node: the users whom connections stand for that joined as `{ user }`. */
  presence(room: string): Presence<Meta>[] {
    return this.#whenRunning('presence').tracking.users(room) as Presence<Meta>[]
  }

  /**
   * Puts a connection into a room, or into several. A peer that came back with its last event id gets what it missed
   * there, then what is live, with nothing lost and nothing twice; where the log no longer reaches back, one `gap` event.
   * Inside `open` it resolves at once, and the replay follows what `open` returns; later, when the peer is live. A room
   * that is joined late is resumed from the same id, without what came through others meanwhile: what a peer is to resume
   * in should be joined in `open`, since the first event after that moves its last event id on.
   * Joined as a `user`, it makes that user present; joined again so, it gives other metadata.
   * @throws TypeError for what is no name of a room, no user, and no metadata, and for options that are not known
   */
  join(connection: Connection, room: string | readonly string[], options?: JoinOptions<Meta>): Promise<void> {
    return sending(() => this.#join(connection, room, options), this.#unheard)
  }

  /** A promise only where there is something to wait for: inside `open` an opening costs none (`scale-sse`). */
  #join(connection: Connection, room: string | readonly string[], options?: JoinOptions<Meta>) {
    const running = this.#whenRunning('join')
    checkConnection(connection)
    const rooms = checkRooms(room)
    const { history, tracked } = checkJoin(options)
    // Into one room, without its past, it comes at once: no `leave` comes between.
    if (rooms.length !== 1 || history > 0)
      return this.#joinEach(running, connection, rooms, history, tracked).then(() => this.#catchUp(connection))
    this.#enter(running, connection, rooms[0] ?? '', undefined, tracked)
    return this.#catchUp(connection)
  }

  /** Who has come in is to be live; inside `open` that comes behind it. */
  #catchUp(connection: Connection): Promise<void> | undefined {
    const member = this.#members.get(connection)
    if (member === undefined || member.live || !member.isInAny) return undefined
    const live = member.catchUp()
    return connection.gate.passed ? live : undefined
  }

  #joinEach(
    running: Running,
    connection: Connection,
    rooms: readonly string[],
    history: number,
    tracked: TrackOptions,
  ): Promise<void> {
    return this.#joining.during(connection, rooms, async coming => {
      for (const name of coming) {
        const past = history === 0 ? undefined : await this.#past(running, connection, name, history)
        if (coming.has(name)) this.#enter(running, connection, name, past, tracked)
      }
    })
  }

  /** Where the last events of a room begin; undefined where they are not to be had. */
  async #past({ reads, history }: Running, connection: Connection, room: string, count: number) {
    if (!history || this.#members.get(connection)?.isIn(room)) return undefined
    try {
      return await reads.before(room, count)
    } catch (error) {
      connection.failed(error)
      return undefined
    }
  }

  /** Takes a connection out of a room, or out of all; of a `join` that is on its way nothing comes. */
  leave(connection: Connection, room?: string): void {
    this.#joining.leave(connection, room)
    const member = this.#members.get(connection)
    if (member === undefined) return
    this.#exit(member, room === undefined ? [...member.rooms] : [room])
  }

  /** The connections of a room, or of several (each once), on every node. @throws TypeError for what is no name of a room */
  to(room: string | readonly string[]): Target<Events> {
    return new Target(this.#outbox(), checkRooms(room))
  }

  /** Sends to every connection of the registry, on every node. Answers the event's id. */
  broadcast<E extends keyof Events & string>(event: E, ...data: DataOf<Events[E]>): Promise<string | undefined> {
    return new Target<Events>(this.#outbox(), undefined).send(event, ...data)
  }

  /**
   * Runs `info` with a message on each member of a room, on the connection with this id, or on the connections of a user,
   * on every node; it travels as JSON.
   */
  tell(to: string | readonly string[] | OfUser, message: unknown): Promise<void> {
    return sending(() => this.#outbox().tell(isOfUser(to) ? to : checkRooms(to), toJson(message)), this.#unheard)
  }

  /**
   * Ends the connections of a room, the one with this id, or those of a user, on every node.
   * @param reason a socket's close code (@default 1008) and text
   */
  disconnect(whom: string | OfUser, reason: { readonly code?: number; readonly text?: string } = {}): Promise<void> {
    return sending(() => this.#whenRunning('disconnect').outbox.disconnect(whom, reason), this.#unheard)
  }

  /** @internal */
  async start(setup: RegistrySetup): Promise<void> {
    const { name, log, clock, most } = setup
    const { heartbeat = HEARTBEAT, linger = LINGER } = setup.presence ?? {}
    const encodings = new Encodings()
    const tracking = new Tracking({
      ...{ name, log, clock, heartbeat, linger, most },
      count: room => (room === undefined ? this.size : this.count(room)),
      changed: this.#listens ? (...change) => this.#tellUser(...change) : undefined,
    })
    const delivery = new Delivery(this.#members, encodings, tracking, most)
    const { rounds } = delivery
    const outbox = outboxTo(log, setup.history, this.#unheard, delivery)
    const reads = new SharedReads(log, () => running.place)
    const forget = (member: Membership) => this.#forget(member)
    const place = { epoch: '', position: 0 }
    const running: Running = { ...setup, reads, place, encodings, outbox, tracking, rounds, forget }
    this.#running = running
    await log.start({
      entry: entry => {
        running.place = { epoch: running.place.epoch, position: entry.position }
        delivery.deliver(entry, running.place)
      },
      notice: notice => delivery.hear(notice),
      reset: place => {
        rounds.finish()
        const last = running.place
        running.place = place
        for (const member of this.#members.all) if (setup.history) member.reset(last)
        tracking.nodes.greet()
      },
    })
  }

  /** @internal */
  async stop(): Promise<void> {
    this.#running?.rounds.finish()
    await this.#running?.tracking.stop()
    await this.#running?.log.stop()
  }

  #whenRunning(action: string): Running {
    if (this.#running !== undefined) return this.#running
    throw new Error(
      `${this.constructor.name}: ${action} before the application has started: list the registry as a provider of a module`,
    )
  }

  /** What was sent without being waited for must not end the process. */
  readonly #unheard = (error: unknown): void => {
    const logger = this.#running?.logger ?? defaultLogger
    logger.error(`${this.constructor.name}: what nobody waited for failed`, error)
  }

  #outbox(): Outbox {
    return this.#whenRunning('send').outbox
  }

  #enter(
    running: Running,
    connection: Connection,
    room: string,
    past: number | undefined,
    tracked: TrackOptions,
  ): void {
    if (connection.closed) return
    let member = this.#members.get(connection)
    if (member === undefined) {
      const entered = new Membership(connection, running)
      member = entered
      this.#members.add(entered)
      connection.onEnd(entered)
    }
    running.rounds.settle(member)
    if (connection.closed) return
    const isNew = this.#members.enter(member, room, past)
    running.tracking.enter(connection, room, tracked)
    if (isNew && this.joined !== undefined) this.#tellHook(() => this.joined?.(connection, room))
  }

  /** The hooks run when it has left all of them. */
  #exit(member: Membership, rooms: readonly string[]): void {
    const { connection } = member
    this.#running?.rounds.settle(member)
    const left = rooms.filter(room => this.#members.exit(member, room))
    for (const room of left) this.#running?.tracking.leave(connection, room, connection.closeReason)
    for (const room of left) this.#tellHook(() => this.left?.(connection, room))
  }

  #forget(member: Membership): void {
    this.#exit(member, [...member.rooms])
    this.#members.delete(member)
  }

  /** Whether there is anyone to tell of users. */
  get #listens(): boolean {
    return [this.userJoined, this.userChanged, this.userLeft].some(hook => hook !== undefined)
  }

  #tellUser(how: keyof PresenceDiff, user: Presence, room: string): void {
    const hook = { joined: this.userJoined, changed: this.userChanged, left: this.userLeft }[how]
    this.#tellHook(() => hook?.call(this, user as Presence<Meta>, room))
  }

  #tellHook(run: () => void | Promise<unknown>): void {
    attempt(run, error => this.#running?.logger.error(`${this.constructor.name}: a hook failed`, error))
  }
}
