/** Ten thousand connections that end badly: kill -9, resets in mid-handshake, slow peers, handlers that throw. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import {
  type CloseReason,
  type Connection,
  ConnectionRegistry,
  EventStream,
  Registry,
  Sse,
  WebSocket,
  Socket as WebSocketConnection,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { many, openingOf, say, sayAndHear, textFrame } from '../support/crowd.js'
import { eventually } from '../support/eventually.js'
import { collectGarbage } from '../support/garbage.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'

const ROUNDS = 5
/** Connections of a round, by how they end: 2,000. */
const KILLED = 500
const RESET = 630
const THROWING = 560
const SLOW = 10
const POLITE = 300

/** MB that are in use when the garbage is collected. */
function heap(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const counts = { opened: 0, closed: 0, twice: 0, joined: 0, left: 0, overflowed: 0 }
const manager = new AbortController()
const error = new Error('on purpose')

@Registry('crowd')
class Crowd extends ConnectionRegistry {
  protected override joined(): void {
    counts.joined++
  }
  protected override left(): void {
    counts.left++
  }
}

/** Does what the path says, and belongs to all that a connection can belong to. */
abstract class Member {
  #closes = 0

  constructor(
    private readonly crowd: Crowd,
    private readonly connection: Connection,
  ) {}

  get deed(): string {
    return this.connection.params.deed ?? ''
  }

  open(): unknown {
    counts.opened++
    const { connection, deed } = this
    connection.every(1000, 'tick')
    connection.after(100_000, 'late')
    connection.link(manager.signal)
    void this.crowd.join(connection, 'all')
    if (deed === 'open') throw error
    if (deed === 'open-later') return new Promise((_, reject) => setImmediate(reject, error))
    if (deed === 'generator') return this.generate()
    if (deed === 'info' || deed === 'info-later') connection.tell('go')
    if (deed === 'slow') void this.flood()
    return undefined
  }

  async *generate() {
    yield 'one'
    throw error
  }

  async flood(): Promise<void> {
    const text = 'x'.repeat(60_000)
    while (!this.connection.closed) {
      void this.connection.send(text)
      await new Promise(setImmediate)
    }
  }

  info(): unknown {
    if (this.deed === 'info') throw error
    return this.deed === 'info-later' ? Promise.reject(error) : undefined
  }

  close({ kind }: CloseReason): unknown {
    counts.closed++
    if (kind === 'overflow') counts.overflowed++
    if (++this.#closes > 1) counts.twice++
    if (this.deed === 'close') throw error
    return this.deed === 'close-later' ? Promise.reject(error) : undefined
  }
}

@Sse('/stream/:deed', { sendLimit: 65_536 })
class Streams extends Member {
  constructor(crowd: Crowd, stream: EventStream) {
    super(crowd, stream)
  }
}

@WebSocket('/socket/:deed', { sendLimit: 65_536 })
class Sockets extends Member {
  constructor(crowd: Crowd, socket: WebSocketConnection) {
    super(crowd, socket)
  }

  message() {
    if (this.deed === 'message') throw error
    return this.deed === 'message-later' ? Promise.reject(error) : undefined
  }
}

const deeds = [
  'open',
  'open-later',
  'generator',
  'info',
  'info-later',
  'close',
  'close-later',
  'message',
  'message-later',
]
const kinds = ['stream', 'socket'] as const

function kindOf(index: number): 'stream' | 'socket' {
  return kinds[index % 2] ?? 'stream'
}

/** A client with its connections, killed when it has them. */
async function killed(port: number): Promise<void> {
  const child = fork(new URL('../support/crowd-program.js', import.meta.url), [String(port), String(KILLED)])
  await once(child, 'message')
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** A reset at every place of a handshake: before it, within it, right behind it. */
async function reset(port: number, index: number): Promise<void> {
  const opening = openingOf(kindOf(index), `/${kindOf(index)}/idle`)
  const socket = await say(port, opening.slice(0, Math.ceil((opening.length * (index % 11)) / 10)))
  socket.resetAndDestroy()
}

async function throwing(port: number, index: number): Promise<void> {
  const kind = kindOf(index)
  const deed = deeds[(index >> 1) % deeds.length] ?? ''
  const socket = await sayAndHear(port, openingOf(kind, `/${kind}/${deed}`))
  if (kind === 'socket') socket.write(textFrame('go'))
  socket.end()
  if (!socket.closed) await once(socket, 'close')
}

/** Peers that never read, and go when the server has given them up. */
async function slow(port: number): Promise<void> {
  const before = counts.overflowed
  const sockets: Socket[] = []
  await many(SLOW, SLOW, async index => {
    const socket = await say(port, openingOf(kindOf(index), `/${kindOf(index)}/slow`))
    sockets.push(socket.pause())
  })
  await eventually('all have overflowed', () => counts.overflowed === before + SLOW, { timeout: 15_000 })
  for (const socket of sockets) socket.destroy()
}

async function polite(port: number, index: number): Promise<void> {
  const socket = await sayAndHear(port, openingOf(kindOf(index), `/${kindOf(index)}/idle`))
  socket.end()
  await once(socket, 'close')
}

test('10,000 connections that end badly: one close each, and nothing is left of them', async t => {
  const handles = activeHandles()
  const { app, port, log } = await serve(t, [Streams, Sockets], { providers: [Crowd] })
  const crowd = app.get(Crowd)
  const listening = activeHandles()
  const memory: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([
      killed(port),
      many(RESET, 50, index => reset(port, index)),
      many(THROWING, 50, index => throwing(port, index)),
      slow(port),
      many(POLITE, 50, index => polite(port, index)),
    ])
    await eventually('all have gone', () => app.connections === 0, { timeout: 15_000 })
    assert.equal(counts.closed, counts.opened)
    assert.equal(counts.twice, 0)
    assert.equal(counts.left, counts.joined)
    assert.deepEqual([crowd.size, crowd.rooms()], [0, []])
    assert.equal(getEventListeners(manager.signal, 'abort').length, 0)
    await noHandlesLeft(listening)
    memory.push(heap())
    t.diagnostic(`${counts.opened} opened, ${memory.at(-1)?.toFixed(1)} MB in use`)
  }
  assert.ok(counts.opened >= ROUNDS * (KILLED + THROWING + SLOW + POLITE), `${counts.opened} were opened`)
  for (const { details } of log.errors) assert.equal(details, error)
  const [, second = 0, , , last = 0] = memory
  assert.ok(last < second + 4, `the heap grows, in MB: ${memory.map(size => size.toFixed(1)).join(', ')}`)
  await app.close()
  await noHandlesLeft(handles)
})
