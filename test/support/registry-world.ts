/** Peers of a registry that come and go, and what each is owed. */
import { type Frame, lastIdOf, type RemoteLog, TestConnection, type TestRegistry } from './registry-peers.js'

export const ROOMS = ['a', 'b', '__proto__']
export const PEERS = 3
export type Homes = readonly (readonly string[])[]
type Rooms = readonly string[] | undefined

export interface Home extends Pick<TestRegistry, 'join' | 'leave' | 'to' | 'rooms' | 'stop'> {
  broadcast(event: 'said', data: unknown): Promise<string | undefined>
}

/** Two registries that each connection is in: what is sent goes through one of them by turns. */
export class Pair implements Home {
  #sent = 0
  constructor(private readonly both: readonly [TestRegistry, TestRegistry]) {}

  async join(...joined: Parameters<TestRegistry['join']>): Promise<void> {
    await Promise.all(this.both.map(registry => registry.join(...joined)))
  }

  leave(...left: Parameters<TestRegistry['leave']>): void {
    for (const registry of this.both) registry.leave(...left)
  }

  to(rooms: string | readonly string[]) {
    return this.#next.to(rooms)
  }

  broadcast(event: 'said', data: unknown): Promise<string | undefined> {
    return this.#next.broadcast(event, data)
  }

  rooms(): string[] {
    return this.both.flatMap(registry => registry.rooms())
  }

  async stop(): Promise<void> {
    for (const registry of this.both) await registry.stop()
  }

  get #next(): TestRegistry {
    return this.both[this.#sent++ % 2] as TestRegistry
  }
}

const numbersOf = (frames: readonly Frame[]) =>
  frames.filter(frame => frame.event === 'said').map(frame => (frame.data as { number: number }).number)

export type Kind = 'except' | 'volatile' | 'twice'

export interface Sent {
  readonly number: number
  readonly rooms: Rooms
  readonly kind: Kind | undefined
}

const isOf = ({ rooms, kind }: Sent, room: string) => kind !== 'volatile' && (rooms?.includes(room) ?? true)

/** A peer as it sees itself: what came over all its connections, and was not lost with the end of one. */
export class Peer {
  readonly frames: Frame[] = []
  connection: TestConnection | undefined
  /** In how many frames of this connection it is sure to have. */
  #sure = 0
  /** Which events it is owed: sent to a room that it was in, and in which it stays. */
  readonly owed = new Map<number, readonly string[]>()
  readonly everIn = new Set<string>()
  /** Rooms that it has not joined on this connection, and will. */
  #late: string[] = []
  /** Those it joined late, and how many frames it had then: no id before tells where it stands in them. */
  #resumed: string[] = []
  #untold = 0
  /** Rooms whose past it has asked for, and comes into when the log has answered: with what had been sent then. */
  readonly #asking = new Map<string, { readonly sent: number }>()

  constructor(readonly rooms: Set<string>) {
    for (const room of rooms) this.everIn.add(room)
  }

  connect(registry: Home, atOnce: boolean, highWaterMark: number, { late = 0, limit = 1_000_000 } = {}): void {
    if (this.connection?.closed) this.cut(1)
    if (this.connection !== undefined) return
    const connection = new TestConnection({ lastEventId: lastIdOf(this.frames), opening: true, highWaterMark, limit })
    this.connection = connection
    this.#sure = 0
    const rooms = [...this.rooms]
    this.#late = rooms.splice(Math.max(1, rooms.length - late))
    const joined = atOnce ? [registry.join(connection, rooms)] : rooms.map(room => registry.join(connection, room))
    Promise.all(joined).then(() => connection.opened('opened'))
  }

  /** It joins what it has not joined yet. */
  joinLate(registry: Home): void {
    const { connection } = this
    if (connection === undefined || !connection.gate.passed) return
    for (const room of [...this.#late]) this.join(registry, room, 0, [])
  }

  /** @param sent all that is sent, by the end */
  join(registry: Home, room: string, history: number, sent: readonly Sent[]): void {
    const { connection } = this
    if (connection === undefined || !connection.gate.passed) return
    if (this.rooms.has(room) && !this.#late.includes(room)) return
    if (this.#late.includes(room)) {
      this.#late = this.#late.filter(each => each !== room)
      this.#resumed.push(room)
      // Who asks for a past joins when the log has said where that begins: what comes until then does not tell, either.
      const isAtOnce = history === 0 && connection.queue.size === 0
      this.#untold = isAtOnce ? connection.frames.length : Number.POSITIVE_INFINITY
    }
    this.rooms.add(room)
    this.everIn.add(room)
    const joined = registry.join(connection, room, { history })
    if (history > 0) void this.#ask(room, history, joined, sent)
  }

  /** Of what is sent until it comes in, it is owed what is of the past that it asked for, whenever the log answers. */
  async #ask(room: string, history: number, joined: Promise<void>, sent: readonly Sent[]): Promise<void> {
    const asking = { sent: sent.length }
    this.#asking.set(room, asking)
    await joined
    if (this.#asking.get(room) !== asking) return
    this.#asking.delete(room)
    const meanwhile = sent.slice(asking.sent).filter(each => isOf(each, room))
    this.#forgive(room, new Set(meanwhile.slice(0, -history).map(({ number }) => number)))
  }

  leave(registry: Home, room: string): void {
    const { connection } = this
    if (connection === undefined || !connection.gate.passed || this.rooms.size - this.#late.length < 2) return
    if (this.#late.includes(room)) return
    this.rooms.delete(room)
    this.#asking.delete(room)
    registry.leave(connection, room)
    this.#forgive(room)
  }

  /** What it is owed through a room alone, it is owed no more, where it has not got it. @param which all, or these */
  #forgive(room: string, which?: ReadonlySet<number>): void {
    const received = new Set(this.received)
    for (const [number, rooms] of this.owed) {
      if (received.has(number) || which?.has(number) === false) continue
      const left = rooms.filter(each => each !== room)
      if (left.length === 0) this.owed.delete(number)
      else this.owed.set(number, left)
    }
  }

  /** The connection ends; of what it had not heard for sure the peer keeps a part. */
  cut(part: number): void {
    const { connection } = this
    if (connection === undefined) return
    connection.end({ kind: 'lost' })
    const { frames } = connection
    const kept = frames.slice(0, this.#sure + Math.round((frames.length - this.#sure) * part))
    this.frames.push(...kept)
    const resumed = this.#resumed.splice(0)
    const isTold = kept.slice(this.#untold).some(frame => frame.id !== undefined)
    const outside = [...this.#late.splice(0), ...this.#asking.keys()]
    this.#asking.clear()
    for (const room of [...outside, ...(isTold ? [] : resumed)]) this.#forgive(room)
    this.connection = undefined
  }

  /** It has all that was written until now. */
  acknowledge(): void {
    this.#sure = this.connection?.frames.length ?? 0
  }

  get received(): number[] {
    return numbersOf(this.frames)
  }

  hears(number: number): boolean {
    return numbersOf(this.connection?.frames ?? []).includes(number)
  }
}

/** How time passes in a world. */
export interface Pace {
  /** Lets so many turns of the event loop pass, or as much as a server needs in place of them. */
  wait(turns: number): Promise<void>
  /** Waits until something has come about, or would have. */
  settle(what: string, done: () => boolean): Promise<void>
}

export class World {
  readonly sent: Sent[] = []
  readonly peers: Peer[]

  constructor(
    readonly registry: Home,
    readonly log: Pick<RemoteLog, 'lag' | 'slow' | 'hear' | 'skip' | 'lose'>,
    homes: Homes,
    readonly pace: Pace,
  ) {
    this.peers = homes.map(rooms => new Peer(new Set(rooms)))
  }

  /** @param passed over, where the kind says so */
  async send(rooms: Rooms, kind?: Kind, passed?: Peer): Promise<void> {
    const number = this.sent.length
    this.sent.push({ number, rooms, kind })
    for (const peer of this.peers) {
      if (kind === 'volatile' || (kind === 'except' && peer === passed)) continue
      const reached = [...peer.rooms].filter(room => rooms === undefined || rooms.includes(room))
      if (reached.length > 0) peer.owed.set(number, reached)
    }
    const data = { number }
    if (rooms === undefined) return void (await this.registry.broadcast('said', data))
    const target = this.registry.to(rooms)
    if (kind === 'volatile') await target.volatile().send('said', data)
    else if (kind === 'twice')
      for (const key of ['key', 'key']) await target.once(`${key} ${number}`).send('said', data)
    else await (passed?.connection ? target.except(passed.connection) : target).send('said', data)
  }

  /** Everyone is there, and knows its place. */
  async begin(): Promise<void> {
    this.#connectAll()
    await this.pace.settle('all know their place', () =>
      this.peers.every(peer => peer.connection?.lastId !== undefined),
    )
    for (const peer of this.peers) peer.acknowledge()
  }

  /** Everyone comes back, reads all, and hears one more event. */
  async finish(): Promise<void> {
    this.log.lag(false)
    this.log.slow(0)
    this.log.hear()
    for (const peer of this.peers) peer.connection?.wire.resume()
    await this.pace.settle('what is slow is here, or cut', () => true)
    this.#connectAll()
    const last = this.sent.length
    await this.send(undefined)
    await this.pace.settle('all have heard the last', () => {
      this.#connectAll()
      return this.peers.every(peer => peer.hears(last))
    })
    for (const peer of this.peers) peer.cut(1)
  }

  #connectAll(): void {
    for (const peer of this.peers) peer.connect(this.registry, true, 1_000_000)
  }
}
