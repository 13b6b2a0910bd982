/** Nodes that are killed, frozen, cut off, drained and started while users come and go: what each believes, against what is. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloseReason, PresenceEvent } from '../../src/index.js'
import { Bus, type BusNode, startBusNode, TestClock } from '../support/node-bus.js'
import { fc } from '../support/properties.js'
import { TestConnection, turn } from '../support/registry-peers.js'
import { inOrder, WatchingPeer } from '../support/watching-peer.js'

const HEARTBEAT = 1000
const LINGER = 700
const ROOMS = ['a', '__proto__']
const USERS = ['ada', 'bob', 'cy']
const NODES = 3

interface Visitor {
  readonly connection: TestConnection
  readonly node: BusNode
  readonly user: string
  readonly room: string
  meta: unknown
}

class Watching {
  readonly peer = new WatchingPeer()
  #taken = 0

  constructor(
    readonly connection: TestConnection,
    readonly node: BusNode,
    readonly room: string,
  ) {}

  /** Reads what has come. */
  read(): void {
    const { frames } = this.connection
    for (; this.#taken < frames.length; this.#taken++) {
      assert.equal(frames[this.#taken]?.event, 'presence')
      assert.equal(frames[this.#taken]?.id, undefined)
      this.peer.take(frames[this.#taken]?.data as PresenceEvent)
    }
  }
}

class World {
  readonly clock = new TestClock()
  readonly bus = new Bus(this.clock)
  readonly nodes: (BusNode | undefined)[] = []
  visitors: Visitor[] = []
  watching: Watching[] = []

  /** @param most watchers that are told in one turn */
  constructor(private readonly most: number | undefined) {}

  async begin(): Promise<void> {
    for (let at = 0; at < NODES; at++) await this.start(at)
    for (const at of this.nodes.keys()) {
      await this.watch(at, 'a', 1_000_000)
      await this.watch(at, 'a', 1)
    }
    await this.clock.pass(100)
  }

  async start(at: number, cut = false): Promise<void> {
    this.nodes[at] ??= await startBusNode(this.bus, { heartbeat: HEARTBEAT, linger: LINGER }, cut, this.most)
  }

  async visit(at: number, user: string, room: string, meta: unknown): Promise<void> {
    const node = this.nodes[at]
    if (node === undefined) return
    const connection = new TestConnection()
    this.visitors.push({ connection, node, user, room, meta })
    await node.registry.join(connection, room, { user, meta })
  }

  async watch(at: number, room: string, highWaterMark: number): Promise<void> {
    const node = this.nodes[at]
    if (node === undefined) return
    const connection = new TestConnection({ highWaterMark, limit: 4096, overflow: 'drop-oldest' })
    this.watching.push(new Watching(connection, node, room))
    await node.registry.join(connection, room, { watch: true })
  }

  /** One that watches goes, and comes back at once: it is told all anew. */
  async watchAnew(index: number): Promise<void> {
    const { node, connection, room } = this.watching[index % this.watching.length] ?? {}
    if (node === undefined || connection === undefined || room === undefined || connection.closed) return
    node.registry.leave(connection, room)
    await node.registry.join(connection, room, { watch: true })
  }

  visitor(index: number): Visitor | undefined {
    return this.visitors[index % Math.max(1, this.visitors.length)]
  }

  end(index: number, reason: CloseReason): void {
    const visitor = this.visitor(index)
    visitor?.connection.end(reason)
    this.visitors = this.visitors.filter(other => other !== visitor)
  }

  async change(index: number, meta: unknown): Promise<void> {
    const visitor = this.visitor(index)
    if (visitor === undefined) return
    visitor.meta = meta
    await visitor.node.registry.join(visitor.connection, visitor.room, { user: visitor.user, meta })
  }

  /** The process is no more. */
  async kill(at: number): Promise<void> {
    const node = this.nodes[at]
    if (node === undefined) return
    this.nodes[at] = undefined
    node.log.freeze()
    await node.log.stop()
    this.visitors = this.visitors.filter(visitor => visitor.node !== node)
    this.watching = this.watching.filter(watching => watching.node !== node)
  }

  /** The process goes in good order. */
  async drain(at: number): Promise<void> {
    const node = this.nodes[at]
    if (node === undefined) return
    this.nodes[at] = undefined
    node.log.thaw()
    for (const { node: of, connection } of [...this.visitors, ...this.watching])
      if (of === node) connection.end({ kind: 'drain' })
    this.visitors = this.visitors.filter(visitor => visitor.node !== node)
    this.watching = this.watching.filter(watching => watching.node !== node)
    const stopping = node.registry.stop()
    await this.clock.pass(50)
    await Promise.race([stopping, this.clock.pass(2000)])
    await stopping
  }

  /** Nobody sees anybody twice, ever. */
  look(): void {
    for (const watching of this.watching) watching.read()
    for (const node of this.nodes) {
      for (const room of ROOMS) {
        const users = node?.registry.presence(room).map(({ user }) => user) ?? []
        assert.equal(new Set(users).size, users.length)
      }
    }
  }

  heal(): void {
    for (const node of this.nodes) {
      if (node === undefined) continue
      node.log.latency = 10
      node.log.thaw()
      node.log.mend()
    }
    for (const { connection } of this.watching) connection.wire.resume()
  }

  truth(room: string): string[] {
    const users = new Map<string, unknown[]>()
    for (const visitor of this.visitors)
      if (visitor.room === room) users.set(visitor.user, [...(users.get(visitor.user) ?? []), visitor.meta])
    return inOrder([...users].map(([user, metas]) => ({ user, metas })))
  }

  /** All agree, with each other and with what is so. */
  async check(): Promise<void> {
    await turn(200)
    this.look()
    for (const room of ROOMS) {
      const truth = this.truth(room)
      for (const node of this.nodes) if (node) assert.deepEqual(inOrder(node.registry.presence(room)), truth)
      for (const { room: of, peer } of this.watching) if (of === room) assert.deepEqual(peer.known, truth)
      const connections = [...this.visitors, ...this.watching].filter(each => each.room === room).length
      for (const node of this.nodes) {
        if (node === undefined) continue
        const total = node.registry.total(room)
        await this.clock.pass(100)
        assert.equal(await total, connections)
      }
    }
  }

  async stop(): Promise<void> {
    for (const at of this.nodes.keys()) await this.kill(at)
  }
}

type Command = (world: World) => void | Promise<void>
type Named = readonly [string, Command]

const at = fc.nat({ max: NODES - 1 })
const index = fc.nat({ max: 20 })
const room = fc.constantFrom(...ROOMS)
const user = fc.constantFrom(...USERS)
const meta = fc.constantFrom<unknown>(null, 1, { name: 'Ada' })
const reasons: CloseReason[] = [{ kind: 'lost' }, { kind: 'peer', code: 1000 }, { kind: 'peer' }, { kind: 'stopped' }]

const visits = fc
  .tuple(at, user, room, meta)
  .map(
    ([n, who, where, what]): Named => [
      `${who} ${JSON.stringify(what)} joins ${where} on ${n}`,
      world => world.visit(n, who, where, what),
    ],
  )
const moves = fc.oneof(
  fc
    .tuple(index, fc.constantFrom(...reasons))
    .map(([n, reason]): Named => [`${n} ends: ${JSON.stringify(reason)}`, world => world.end(n, reason)]),
  fc.tuple(index, meta).map(([n, what]): Named => [`${n} changes`, world => world.change(n, what)]),
)
const watches = fc.oneof(
  fc
    .tuple(at, room, fc.constantFrom(1, 50, 1_000_000))
    .map(([n, where, mark]): Named => [`watch ${where} on ${n} (${mark})`, world => world.watch(n, where, mark)]),
  index.map((n): Named => [`${n} watches anew`, world => world.watchAnew(n)]),
  index.map(
    (n): Named => [`${n} is slow`, world => world.watching[n % world.watching.length]?.connection.wire.pause()],
  ),
  index.map(
    (n): Named => [`${n} is not`, world => world.watching[n % world.watching.length]?.connection.wire.resume()],
  ),
)
const passes = fc
  .constantFrom(0, 0, 0, 1, 15, 200, 600, 1100, 2500)
  .map((ms): Named => (ms === 0 ? ['a turn', () => turn()] : [`${ms} ms`, world => world.clock.pass(ms)]))

const onNode = (name: string, run: (world: World, n: number) => void | Promise<void>, which = at) =>
  which.map((n): Named => [`${name} ${n}`, world => run(world, n)])

/** What the node itself does not bring down. */
const disturbances = (which = at) =>
  fc.oneof(
    onNode('cut', (world, n) => world.nodes[n]?.log.cut(), which),
    onNode('mend', (world, n) => world.nodes[n]?.log.mend(), which),
    onNode('mend, and skip', (world, n) => world.nodes[n]?.log.mend(true), which),
    onNode('freeze', (world, n) => world.nodes[n]?.log.freeze(), which),
    onNode('thaw', (world, n) => world.nodes[n]?.log.thaw(), which),
    fc.constantFrom(10, 150, 400, 3000).chain(ms =>
      onNode(
        `a latency of ${ms} ms on`,
        (world, n) => {
          const log = world.nodes[n]?.log
          if (log !== undefined) log.latency = ms
        },
        which,
      ),
    ),
  )
const ends = fc.oneof(
  onNode('kill', (world, n) => world.kill(n)),
  onNode('drain', (world, n) => world.drain(n)),
  onNode('start', (world, n) => world.start(n)),
  onNode('start, cut off,', (world, n) => world.start(n, true)),
)

const most = fc.constantFrom(undefined, 1, 2)

async function play(
  script: readonly Named[],
  most: number | undefined,
  check: (world: World) => void | Promise<void>,
): Promise<void> {
  const world = new World(most)
  try {
    await world.begin()
    for (const [, command] of script) {
      await command(world)
      world.look()
    }
    await check(world)
  } catch (error) {
    throw new Error(`${most} at a time\n${script.map(([name]) => name).join('\n')}`, { cause: error })
  } finally {
    await world.stop()
  }
}

test('when all is whole again, all nodes agree on what is so, and every watcher has followed without a contradiction', async () => {
  const step = fc.oneof({ weight: 3, arbitrary: visits }, moves, watches, { weight: 3, arbitrary: passes }, ends, {
    weight: 2,
    arbitrary: disturbances(),
  })
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), most, (script, most) =>
    play(script, most, async world => {
      world.heal()
      await world.clock.pass(5 * HEARTBEAT + LINGER)
      await world.check()
    }),
  )
  await fc.assert(property, { numRuns: 500, seed: 4 })
})

test('a node that is frozen, cut off or behind takes nobody for gone who is there', async () => {
  const first = fc.constant(0)
  const others = fc.tuple(fc.constantFrom(1, 2), user, room, meta)
  const onOthers = others.map(
    ([n, who, where, what]): Named => [`${who} joins ${where} on ${n}`, world => world.visit(n, who, where, what)],
  )
  const step = fc.oneof(onOthers, { weight: 2, arbitrary: disturbances(first) }, { weight: 3, arbitrary: passes })
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), most, (script, most) =>
    play(script, most, world => {
      world.heal()
      const left = world.watching.flatMap(({ node, peer }) =>
        node === world.nodes[0] ? peer.seen.filter(seen => seen.startsWith('left')) : [],
      )
      assert.deepEqual(left, [])
      assert.deepEqual(
        world.nodes[0]?.registry.told.filter(told => told.includes('left')),
        [],
      )
    }),
  )
  await fc.assert(property, { numRuns: 400, seed: 4 })
})
