import type { Retention } from '../declare/registry.js'
import type { Logger } from '../logger.js'
import { checkClose, withCode } from './close-reason.js'
import { type Codec, toJson } from './codec.js'
import type { Connection } from './connection.js'
import type { EventLog, LogEntry, LogMessage, Notice } from './event-log.js'
import { isLocalId } from './id.js'
import { Membership } from './membership.js'

/** A message's data, left out where it has none. */
type DataOf<Data> = Data extends null | undefined ? [data?: Data] : [data: Data]

export interface JoinOptions {
  /** Events of the room that a peer gets which comes without a last event id, at the most. @default 0 */
  readonly history?: number
}

/** How a registry is run: given to it at boot. @internal */
export interface RegistrySetup {
  readonly name: string
  readonly history: boolean
  readonly log: EventLog
  readonly logger: Logger
}

/** The retention of a registry that says nothing of its own. */
export const defaultRetention: Required<Retention> = { count: 100, bytes: 1_048_576, age: 300_000 }

/**
 * A named set of live connections, in rooms, and the log of what was sent to them. Event streams and sockets alike may
 * join. Extend it with the events it carries, mark the class `@Registry(name)`, list it as a provider, and ask for it by
 * its type.
 */
export abstract class ConnectionRegistry<Events extends object = Record<string, unknown>> {
  #setup: RegistrySetup | undefined
  readonly #members = new Map<Connection, Membership>()
  readonly #rooms = new Map<string, Set<Membership>>()
  #size = 0

  /** Called when a connection has entered a room. Errors and rejections are logged. */
  protected joined?(connection: Connection, room: string): void | Promise<unknown>
  /** Called when a connection has left a room, or ended. Errors and rejections are logged. */
  protected left?(connection: Connection, room: string): void | Promise<unknown>

  /** This node's connections. */
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
   * Inside `open` it resolves at once, and the replay follows what `open` returns; later, when the peer is live.
   */
  async join(connection: Connection, room: string | readonly string[], options: JoinOptions = {}): Promise<void> {
    const { log, history } = this.#running('join')
    for (const name of typeof room === 'string' ? [room] : room) {
      const past = history && options.history !== undefined ? await log.before(name, options.history) : undefined
      if (connection.closed) return
      this.#enter(connection, name, past ?? log.position)
    }
    const member = this.#members.get(connection)
    if (!history || member === undefined || member.live) return
    const live = member.catchUp()
    if (connection.gate.passed) await live
    else live.catch(error => connection.failed(error))
  }

  /** Takes a connection out of a room, or out of all. */
  leave(connection: Connection, room?: string): void {
    const member = this.#members.get(connection)
    if (member === undefined) return
    for (const name of room === undefined ? [...member.rooms] : [room]) this.#exit(member, name)
  }

  /** The connections of a room, or of several (each once), on every node. */
  to(room: string | readonly string[]): Target<Events> {
    const { send, tell } = this.#ports()
    return new Target(send, tell, typeof room === 'string' ? [room] : [...room])
  }

  /** Sends to every connection of the registry, on every node. Answers the event's id. */
  broadcast<E extends keyof Events & string>(event: E, ...data: DataOf<Events[E]>): Promise<string | undefined> {
    const { send, tell } = this.#ports()
    return new Target<Events>(send, tell, undefined).send(event, ...data)
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
    await this.#running('disconnect').log.notify({ kind: 'disconnect', target: roomOrId, ...reason })
  }

  /** @internal */
  async start(setup: RegistrySetup): Promise<void> {
    this.#setup = setup
    await setup.log.start({
      entry: entry => this.#deliver(entry, `${setup.log.epoch}-${entry.position}`),
      notice: notice => this.#hear(notice),
      reset: () => {
        for (const member of this.#members.values()) member.reset()
      },
    })
  }

  /** @internal */
  async stop(): Promise<void> {
    await this.#setup?.log.stop()
  }

  #running(action: string): RegistrySetup {
    if (this.#setup !== undefined) return this.#setup
    throw new Error(
      `${this.constructor.name}: ${action} before the application has started: list the registry as a provider of a module`,
    )
  }

  #ports(): {
    send: (message: LogMessage, volatile: boolean) => Promise<string | undefined>
    tell: (rooms: readonly string[] | undefined, data: string) => Promise<void>
  } {
    const { log, history } = this.#running('send')
    return {
      send: async (message, volatile) => {
        if (history && !volatile) return `${log.epoch}-${await log.append(message)}`
        await log.notify({ kind: 'event', volatile, ...message })
        return undefined
      },
      tell: (rooms, data) => log.notify({ kind: 'tell', rooms, data }),
    }
  }

  #enter(connection: Connection, room: string, position: number): void {
    const { name, log, history } = this.#running('join')
    let member = this.#members.get(connection)
    if (member === undefined) {
      member = new Membership(connection, { name, log, history, encode: encodeEntry(name) })
      this.#members.set(connection, member)
      const entered = member
      connection.onEnd(() => this.#forget(entered))
    }
    if (member.rooms.has(room)) return
    if (member.rooms.size === 0) this.#size++
    member.enter(room, position)
    member.live = !history
    const members = this.#rooms.get(room) ?? new Set()
    this.#rooms.set(room, members.add(member))
    this.#hook(() => this.joined?.(connection, room))
  }

  #exit(member: Membership, room: string): void {
    if (!member.rooms.has(room)) return
    member.leave(room)
    if (member.rooms.size === 0) this.#size--
    const members = this.#rooms.get(room)
    members?.delete(member)
    if (members?.size === 0) this.#rooms.delete(room)
    this.#hook(() => this.left?.(member.connection, room))
  }

  #forget(member: Membership): void {
    this.#members.delete(member.connection)
    for (const room of [...member.rooms]) this.#exit(member, room)
  }

  #hook(run: () => void | Promise<unknown>): void {
    const fail = (error: unknown) => this.#setup?.logger.error(`${this.constructor.name}: a hook failed`, error)
    try {
      run()?.catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  /** Those whom a message reaches, each once. */
  #reached(rooms: readonly string[] | undefined): Iterable<Membership> {
    if (rooms === undefined) return [...this.#members.values()].filter(member => member.rooms.size > 0)
    if (rooms.length === 1) return this.#rooms.get(rooms[0] ?? '') ?? []
    return new Set(rooms.flatMap(room => [...(this.#rooms.get(room) ?? [])]))
  }

  /** The members of a room; where there are none, the one connection with this id. */
  #named(roomOrId: string): Membership[] {
    const members = this.#rooms.get(roomOrId)
    if (members !== undefined || !isLocalId(roomOrId)) return [...(members ?? [])]
    return [...this.#members.values()].filter(({ connection }) => connection.id === roomOrId)
  }

  /** Gives a message to the live members; those that catch up read it from the log. */
  #deliver(message: LogMessage, id: string | undefined, volatile = false): void {
    const made = new Map<Codec, Buffer>()
    const { name } = this.#running('send')
    for (const member of this.#reached(message.rooms)) {
      const { connection } = member
      if (!member.live || (message.except.length > 0 && message.except.includes(connection.id))) continue
      if (volatile && !connection.queue.keepsUp) continue
      const own = id === undefined ? undefined : connection.noteId(name, id)
      let bytes = own === id ? made.get(connection.codec) : undefined
      if (bytes === undefined) {
        bytes = encode(connection, message, own)
        if (own === id) made.set(connection.codec, bytes)
      }
      connection.queue.stage(bytes, message.event)
    }
  }

  #hear(notice: Notice): void {
    if (notice.kind === 'event') return this.#deliver(notice, undefined, notice.volatile)
    if (notice.kind === 'tell') {
      const message: unknown = JSON.parse(notice.data)
      const told = notice.rooms?.flatMap(name => this.#named(name)) ?? this.#reached(undefined)
      for (const { connection } of new Set(told)) connection.tell(message)
      return
    }
    const reason = withCode('disconnected', notice)
    for (const { connection } of this.#named(notice.target)) connection.end(reason)
  }
}

/** A message in the form of its connection's wire. */
function encode({ codec }: Connection, { event, data }: LogMessage, id: string | undefined): Buffer {
  return codec.encode({ event, data, ...(id === undefined ? {} : { id }) })
}

/** Encodes a replayed entry with an id of the peer's own; entries keep their last form, since many resume at once. */
function encodeEntry(registry: string): (connection: Connection, entry: LogEntry, id: string | undefined) => Buffer {
  let last: { entry: LogEntry; codec: Codec; id: string | undefined; bytes: Buffer } | undefined
  return (connection, entry, id) => {
    const own = id === undefined ? undefined : connection.noteId(registry, id)
    if (last?.entry === entry && last.codec === connection.codec && last.id === own) return last.bytes
    const bytes = encode(connection, entry, own)
    last = { entry, codec: connection.codec, id: own, bytes }
    return bytes
  }
}

/** Where a message goes. */
export class Target<Events extends object> {
  readonly #except: string[] = []
  #volatile = false

  /** @internal */
  constructor(
    private readonly deliver: (message: LogMessage, volatile: boolean) => Promise<string | undefined>,
    private readonly deliverInfo: (rooms: readonly string[] | undefined, data: string) => Promise<void>,
    private readonly rooms: readonly string[] | undefined,
  ) {}

  /** Passes a connection over. */
  except(connection: Connection): this {
    this.#except.push(connection.id)
    return this
  }

  /** Neither logged nor queued for a peer that is behind: for what is stale in a moment, such as a cursor's place. */
  volatile(): this {
    this.#volatile = true
    return this
  }

  /** Sends an event; answers its id, or undefined where it is not logged. @throws TypeError for what has no JSON form */
  async send<E extends keyof Events & string>(event: E, ...data: DataOf<Events[E]>): Promise<string | undefined> {
    const message = { rooms: this.rooms, event, data: toJson(data[0] ?? null), except: this.#except }
    return this.deliver(message, this.#volatile)
  }

  /** Runs `info` with a message on each member. */
  async tell(message: unknown): Promise<void> {
    await this.deliverInfo(this.rooms, toJson(message))
  }
}
