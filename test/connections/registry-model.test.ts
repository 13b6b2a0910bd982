/** Random interleavings against a model: what each peer is owed, and what it got. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogRetention } from '../../src/index.js'
import { fc } from '../support/properties.js'
import {
  type Frame,
  lastIdOf,
  plenty,
  RemoteLog,
  startRegistry,
  TestConnection,
  type TestRegistry,
  turn,
} from '../support/registry-peers.js'

const ROOMS = ['a', 'b', '__proto__']
const PEERS = 3
/** In which all is read, and given where that is to so many in a turn. */
const turnsFor = (most: number | undefined) => (most === undefined ? 10 : 10 + 200 / most)

type Homes = readonly (readonly string[])[]
type Rooms = readonly string[] | undefined

interface Home extends Pick<TestRegistry, 'join' | 'leave' | 'to' | 'rooms' | 'stop'> {
  broadcast(event: 'said', data: unknown): Promise<string | undefined>
}

/** Two registries that each connection is in: what is sent goes through one of them by turns. */
class Pair implements Home {
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

type Kind = 'except' | 'volatile' | 'twice'

interface Sent {
  readonly number: number
  readonly rooms: Rooms
}

/** A peer as it sees itself: what came over all its connections, and was not lost with the end of one. */
class Peer {
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
    for (const room of [...this.#late]) this.join(registry, room, 0)
  }

  join(registry: Home, room: string, history: number): void {
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
    registry.join(connection, room, { history })
  }

  leave(registry: Home, room: string): void {
    const { connection } = this
    if (connection === undefined || !connection.gate.passed || this.rooms.size - this.#late.length < 2) return
    if (this.#late.includes(room)) return
    this.rooms.delete(room)
    registry.leave(connection, room)
    this.#forgive(room)
  }

  /** What it is owed through a room alone, it is owed no more, where it has not got it. */
  #forgive(room: string): void {
    const received = new Set(this.received)
    for (const [number, rooms] of this.owed) {
      if (received.has(number)) continue
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
    for (const room of [...this.#late.splice(0), ...(isTold ? [] : resumed)]) this.#forgive(room)
    this.connection = undefined
  }

  /** It has all that was written until now. */
  acknowledge(): void {
    this.#sure = this.connection?.frames.length ?? 0
  }

  get received(): number[] {
    return this.frames.filter(frame => frame.event === 'said').map(frame => (frame.data as { number: number }).number)
  }
}

type Command = (world: World) => void | Promise<void>

class World {
  readonly sent: Sent[] = []
  readonly peers: Peer[]

  constructor(
    readonly registry: Home,
    readonly log: Pick<RemoteLog, 'lag' | 'slow' | 'hear' | 'skip' | 'lose'>,
    homes: Homes,
    private readonly most: number | undefined,
  ) {
    this.peers = homes.map(rooms => new Peer(new Set(rooms)))
  }

  /** @param passed over, where the kind says so */
  async send(rooms: Rooms, kind?: Kind, passed?: Peer): Promise<void> {
    const number = this.sent.length
    this.sent.push({ number, rooms })
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
    for (const peer of this.peers) peer.connect(this.registry, true, 1_000_000)
    await turn(2)
    for (const peer of this.peers) peer.acknowledge()
  }

  /** Everyone comes back, reads all, and hears one more event. */
  async finish(): Promise<void> {
    this.log.lag(false)
    this.log.slow(0)
    this.log.hear()
    for (const peer of this.peers) peer.connection?.wire.resume()
    await turn(turnsFor(this.most))
    for (const peer of this.peers) peer.connect(this.registry, true, 1_000_000)
    await this.send(undefined)
    await turn(turnsFor(this.most))
    for (const peer of this.peers) peer.cut(1)
  }
}

const peerIndex = fc.nat({ max: PEERS - 1 })
const someRooms = fc.subarray(ROOMS, { minLength: 1 })

const sends = fc
  .option(someRooms, { nil: undefined })
  .map((rooms): [string, Command] => [`send ${rooms ?? 'to all'}`, world => void world.send(rooms)])

function ofPeer(
  name: string,
  run: (peer: Peer, world: World) => void | Promise<void>,
): fc.Arbitrary<[string, Command]> {
  return peerIndex.map(index => [`${name} ${index}`, world => run(world.peers[index] as Peer, world)])
}

const connects = fc
  .tuple(fc.boolean(), fc.constantFrom(1, 100, 1_000_000))
  .chain(([atOnce, highWaterMark]) =>
    ofPeer(`connect ${atOnce} ${highWaterMark}`, (peer, { registry }) => peer.connect(registry, atOnce, highWaterMark)),
  )
/** What waits for such a peer is soon too much. */
const tight = ofPeer('connect, soon slow', (peer, { registry }) => peer.connect(registry, true, 50, { limit: 300 }))
const cuts = fc.double({ min: 0, max: 1, noNaN: true }).chain(part => ofPeer(`cut ${part}`, peer => peer.cut(part)))
const slows = fc.oneof(
  ofPeer('pause', peer => peer.connection?.wire.pause()),
  ofPeer('resume', peer => peer.connection?.wire.resume()),
  ofPeer('acknowledge', peer => peer.acknowledge()),
)
const waits = fc.constantFrom<[string, Command]>(
  ['turn', () => turn()],
  ['turns', () => turn(4)],
  ['microtask', async () => {}],
)
const logs = fc.constantFrom<[string, Command]>(
  ['lag', ({ log }) => log.lag()],
  ['hear 1', ({ log }) => log.hear(1)],
  ['hear', ({ log }) => log.hear()],
  ['delay 0', ({ log }) => log.slow(0)],
  ['delay 1', ({ log }) => log.slow(1)],
)
const skips = fc.constant<[string, Command]>(['skip', ({ log }) => log.skip()])
const losses = fc.constant<[string, Command]>(['lose', ({ log }) => log.lose()])
const moves = fc.tuple(fc.constantFrom(...ROOMS), fc.constantFrom(0, 0, 3)).chain(([room, history]) =>
  fc.oneof(
    ofPeer(`join ${room} ${history}`, (peer, { registry }) => peer.join(registry, room, history)),
    ofPeer(`leave ${room}`, (peer, { registry }) => peer.leave(registry, room)),
  ),
)
const lates = fc.oneof(
  fc
    .tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 100, 1_000_000))
    .chain(([late, highWaterMark]) =>
      ofPeer(`connect, but for ${late} ${highWaterMark}`, (peer, { registry }) =>
        peer.connect(registry, true, highWaterMark, { late }),
      ),
    ),
  ofPeer('join late', (peer, { registry }) => peer.joinLate(registry)),
)
const kinds = fc
  .tuple(someRooms, fc.constantFrom<Kind>('except', 'volatile', 'twice'), peerIndex)
  .map(([rooms, kind, index]): [string, Command] => [
    `send ${rooms} ${kind} ${index}`,
    world => void world.send(rooms, kind, world.peers[index]),
  ])

const homes = fc.array(someRooms, { minLength: PEERS, maxLength: PEERS })

/** Members that are given something in one turn: of few, each message waits for the next ones. */
const most = fc.constantFrom(undefined, 1, 2)

async function openOne(retention: Required<LogRetention>, homes: Homes, most?: number): Promise<World> {
  const log = new RemoteLog(retention)
  return new World(await startRegistry({ log, most }), log, homes, most)
}

/** Of the two logs only one misbehaves. */
async function openPair(retention: Required<LogRetention>, homes: Homes, most?: number): Promise<World> {
  const log = new RemoteLog(retention)
  const both = [await startRegistry({ log, name: 'x', most }), await startRegistry({ name: 'y', most })] as const
  return new World(new Pair(both), log, homes, most)
}

function play(
  commands: fc.Arbitrary<[string, Command]>[],
  retention: Required<LogRetention>,
  check: (peer: Peer, world: World) => void,
  open = openOne,
): fc.IAsyncProperty<unknown> {
  const steps = fc.array(fc.oneof({ weight: 5, arbitrary: sends }, waits, ...commands), { maxLength: 60, size: 'max' })
  return fc.asyncProperty(homes, steps, most, async (rooms, script, most) => {
    const world = await open(retention, rooms, most)
    try {
      await world.begin()
      for (const [, command] of script) await command(world)
      await world.finish()
      for (const peer of world.peers) check(peer, world)
      assert.deepEqual(world.registry.rooms(), [])
    } catch (error) {
      const told = world.peers.map(peer => JSON.stringify(peer.frames)).join('\n')
      throw new Error(`${most} at a time: ${script.map(([name]) => name).join(', ')}\n${rooms.join(' | ')}\n${told}`, {
        cause: error,
      })
    } finally {
      await world.registry.stop()
    }
  })
}

function onceAtMost(peer: Peer): void {
  const { received } = peer
  assert.equal(new Set(received).size, received.length, 'nothing twice')
}

function noGap(peer: Peer): void {
  assert.deepEqual(
    peer.frames.filter(frame => frame.event === 'gap'),
    [],
  )
}

test('every peer sees every event of its rooms exactly once, in order, however it is cut and comes back', async () => {
  const exactly = (peer: Peer) => {
    assert.deepEqual(peer.received, [...peer.owed.keys()])
    noGap(peer)
  }
  await fc.assert(play([connects, connects, tight, cuts, slows, logs, skips], plenty, exactly), { numRuns: 600 })
})

test('rooms that are joined and left while all goes on: nothing twice, nothing lost, nothing from elsewhere', async () => {
  const check = (peer: Peer, world: World) => {
    onceAtMost(peer)
    noGap(peer)
    const received = new Set(peer.received)
    for (const number of peer.owed.keys()) assert.ok(received.has(number), `${number} is owed`)
    for (const number of received) {
      const { rooms } = world.sent[number] as Sent
      assert.ok(rooms === undefined || rooms.some(room => peer.everIn.has(room)), `${number} is for others`)
    }
  }
  await fc.assert(play([connects, connects, cuts, slows, logs, moves], plenty, check), { numRuns: 600 })
  const all = [connects, tight, lates, lates, cuts, cuts, slows, logs, skips, moves, moves, kinds]
  await fc.assert(play(all, plenty, check), { numRuns: 600 })
  await fc.assert(play(all, plenty, check, openPair), { numRuns: 600 })
})

/** Each hole in what a peer saw lies behind a gap that it was told of, before it had caught up again. */
function neverSilent(peer: Peer): void {
  let missing = [...peer.owed.keys()]
  let told = false
  for (const frame of peer.frames) {
    if (frame.event === 'gap') told = true
    if (frame.event !== 'said') continue
    const { number } = frame.data as { number: number }
    const passed = missing.filter(each => each < number)
    missing = missing.filter(each => each > number)
    assert.ok(passed.length === 0 || told, `${passed} went missing before ${number}, and nobody said so`)
    if (!frame.id?.includes('~')) told = false
  }
  assert.deepEqual(missing, [], 'all see what was sent last')
}

test('where the log forgets, no event goes missing without a gap', async () => {
  const retention = { ...plenty, count: 2 }
  const check = (peer: Peer) => {
    onceAtMost(peer)
    neverSilent(peer)
  }
  await fc.assert(play([connects, connects, cuts, slows, logs, skips], retention, check), { numRuns: 600 })
})

test('where the log loses its data, no event goes missing without a gap', async () => {
  await fc.assert(play([connects, connects, cuts, slows, logs, skips, losses], plenty, neverSilent), { numRuns: 500 })
})
