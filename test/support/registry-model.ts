/** Random interleavings of what peers, senders and the log do: they are played, and each peer's own story is checked. */
import assert from 'node:assert/strict'
import type { LogRetention } from '../../src/index.js'
import { fc } from './properties.js'
import { RemoteLog, startRegistry, turn } from './registry-peers.js'
import { type Homes, type Kind, type Pace, Pair, PEERS, type Peer, ROOMS, type Sent, World } from './registry-world.js'

type Command = (world: World) => void | Promise<void>

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

export const connects = fc
  .tuple(fc.boolean(), fc.constantFrom(1, 100, 1_000_000))
  .chain(([atOnce, highWaterMark]) =>
    ofPeer(`connect ${atOnce} ${highWaterMark}`, (peer, { registry }) => peer.connect(registry, atOnce, highWaterMark)),
  )
/** What waits for such a peer is soon too much. */
export const tight = ofPeer('connect, soon slow', (peer, { registry }) =>
  peer.connect(registry, true, 50, { limit: 300 }),
)
export const cuts = fc
  .double({ min: 0, max: 1, noNaN: true })
  .chain(part => ofPeer(`cut ${part}`, peer => peer.cut(part)))
export const slows = fc.oneof(
  ofPeer('pause', peer => peer.connection?.wire.pause()),
  ofPeer('resume', peer => peer.connection?.wire.resume()),
  ofPeer('acknowledge', peer => peer.acknowledge()),
)
const waits = fc.constantFrom<[string, Command]>(
  ['turn', ({ pace }) => pace.wait(1)],
  ['turns', ({ pace }) => pace.wait(4)],
  ['microtask', async () => {}],
)
export const logs = fc.constantFrom<[string, Command]>(
  ['lag', ({ log }) => log.lag()],
  ['hear 1', ({ log }) => log.hear(1)],
  ['hear', ({ log }) => log.hear()],
  ['delay 0', ({ log }) => log.slow(0)],
  ['delay 1', ({ log }) => log.slow(1)],
)
export const skips = fc.constant<[string, Command]>(['skip', ({ log }) => log.skip()])
export const losses = fc.constant<[string, Command]>(['lose', ({ log }) => log.lose()])
export const moves = fc.tuple(fc.constantFrom(...ROOMS), fc.constantFrom(0, 0, 3)).chain(([room, history]) =>
  fc.oneof(
    ofPeer(`join ${room} ${history}`, (peer, { registry, sent }) => peer.join(registry, room, history, sent)),
    ofPeer(`leave ${room}`, (peer, { registry }) => peer.leave(registry, room)),
  ),
)
export const lates = fc.oneof(
  fc
    .tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 100, 1_000_000))
    .chain(([late, highWaterMark]) =>
      ofPeer(`connect, but for ${late} ${highWaterMark}`, (peer, { registry }) =>
        peer.connect(registry, true, highWaterMark, { late }),
      ),
    ),
  ofPeer('join late', (peer, { registry }) => peer.joinLate(registry)),
)
export const kinds = fc
  .tuple(someRooms, fc.constantFrom<Kind>('except', 'volatile', 'twice'), peerIndex)
  .map(([rooms, kind, index]): [string, Command] => [
    `send ${rooms} ${kind} ${index}`,
    world => void world.send(rooms, kind, world.peers[index]),
  ])

const homes = fc.array(someRooms, { minLength: PEERS, maxLength: PEERS })

/** Turns in which all is read, and given where that is to so many at a time. */
function turnsOf(most: number | undefined): Pace {
  const all = most === undefined ? 10 : 10 + 200 / most
  return { wait: turn, settle: () => turn(all) }
}

/** Members that are given something in one turn: of few, each message waits for the next ones. */
const most = fc.constantFrom(undefined, 1, 2)

/** Makes the world in which commands are played. */
export type Open = (retention: Required<LogRetention>, homes: Homes, most?: number) => Promise<World>

export async function openOne(retention: Required<LogRetention>, homes: Homes, most?: number): Promise<World> {
  const log = new RemoteLog(retention)
  return new World(await startRegistry({ log, most }), log, homes, turnsOf(most))
}

/** Of the two logs only one misbehaves. */
export async function openPair(retention: Required<LogRetention>, homes: Homes, most?: number): Promise<World> {
  const log = new RemoteLog(retention)
  const both = [await startRegistry({ log, name: 'x', most }), await startRegistry({ name: 'y', most })] as const
  return new World(new Pair(both), log, homes, turnsOf(most))
}

export type Check = (peer: Peer, world: World) => void

/** @param within milliseconds, after which nothing more is played */
export function play(
  commands: fc.Arbitrary<[string, Command]>[],
  retention: Required<LogRetention>,
  check: Check,
  open: Open = openOne,
  within = Number.POSITIVE_INFINITY,
): fc.IAsyncProperty<unknown> {
  const steps = fc.array(fc.oneof({ weight: 5, arbitrary: sends }, waits, ...commands), { maxLength: 60, size: 'max' })
  const end = performance.now() + within
  return fc.asyncProperty(homes, steps, most, async (rooms, script, most) => {
    if (performance.now() > end) return
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

export function onceAtMost(peer: Peer): void {
  const { received } = peer
  assert.equal(new Set(received).size, received.length, 'nothing twice')
}

export function noGap(peer: Peer): void {
  assert.deepEqual(
    peer.frames.filter(frame => frame.event === 'gap'),
    [],
  )
}

/** Each hole in what a peer saw lies behind a gap that it was told of, before it had caught up again. */
export function neverSilent(peer: Peer): void {
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

/** It got what it is owed, in order, and was told of no gap. */
export function exactly(peer: Peer): void {
  assert.deepEqual(peer.received, [...peer.owed.keys()])
  noGap(peer)
}

/** It got what it is owed, once, and nothing that is for others. */
export function nothingElse(peer: Peer, world: World): void {
  onceAtMost(peer)
  noGap(peer)
  const received = new Set(peer.received)
  for (const number of peer.owed.keys()) assert.ok(received.has(number), `${number} is owed`)
  for (const number of received) {
    const { rooms } = world.sent[number] as Sent
    assert.ok(rooms === undefined || rooms.some(room => peer.everIn.has(room)), `${number} is for others`)
  }
}
