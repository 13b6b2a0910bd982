/** Peers that do not read, over real connections: the process stays small, and nobody misses anything in silence. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  ConnectionRegistry,
  type EventStream,
  type Overflow,
  Registry,
  type Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { turn } from '../support/registry-peers.js'

const KIB = 1024
const MIB = 1024 * KIB
const LIMIT = 128 * KIB
const PEERS = 200
const ROUNDS = 50
const HISTORY = 20 * MIB

v8.setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Bytes that are in use, buffers included. These are swept beside a collection, and counted as gone by the next. */
async function memory(): Promise<number> {
  collectGarbage()
  await turn()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

@Registry('flood', { history: { count: 1000, bytes: HISTORY } })
class Flood extends ConnectionRegistry<{ wave: string }> {}

/** An event source and a socket class with a small queue. */
function flooded(overflow: Overflow) {
  @Sse('/flood', { sendLimit: LIMIT, overflow })
  class FloodStream {
    constructor(private readonly flood: Flood) {}
    open(stream: EventStream) {
      return this.flood.join(stream, 'all')
    }
  }
  @WebSocket('/flood', { sendLimit: LIMIT, overflow })
  class FloodSocket {
    constructor(private readonly flood: Flood) {}
    open(socket: Socket) {
      return this.flood.join(socket, 'all')
    }
  }
  return [FloodStream, FloodSocket]
}

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

for (const overflow of ['disconnect', 'drop-oldest', 'drop-newest', 'latest'] as const) {
  test(`${PEERS} peers that do not read cannot make the process grow (${overflow})`, async t => {
    const { app, port } = await serve(t, flooded(overflow), { providers: [Flood] })
    const flood = app.get(Flood)
    const peers = await Promise.all(Array.from({ length: PEERS }, () => RawPeer.connect(port)))
    t.after(() => peers.map(peer => peer.destroy()))
    await Promise.all(
      peers.map((peer, n) => peer.write(`GET /flood HTTP/1.1\r\nHost: localhost\r\n${n % 2 === 0 ? '' : upgrade}\r\n`)),
    )
    await eventually('all are here', () => flood.count('all') === PEERS)
    for (const peer of peers) peer.pause()
    let most = 0
    const measure = () => {
      for (const { queue } of flood.members('all')) most = Math.max(most, queue.size)
    }
    // First all that the kernel takes, then what only the process could hold.
    while (flood.members('all').some(({ queue }) => queue.keepsUp)) {
      await flood.to('all').send('wave', 'x'.repeat(32 * KIB))
      await turn()
      measure()
    }
    const before = await memory()
    const own = 'x'.repeat(16 * KIB)
    for (let round = 0; round < ROUNDS; round++) {
      for (const member of flood.members('all')) member.send({ event: `own ${round}`, data: own })
      await turn()
      measure()
    }
    const cut = PEERS - flood.count('all')
    const grown = (await memory()) - before
    const sent = PEERS * ROUNDS * own.length
    assert.ok(most <= LIMIT, `a queue held ${most} bytes`)
    assert.ok(grown < 2 * PEERS * LIMIT, `${grown / MIB} MiB more, of ${sent / MIB} MiB that were sent`)
    assert.equal(cut, overflow === 'disconnect' ? PEERS : 0)
  })
}

describe('a slow peer that is cut', () => {
  const SENT = 400
  const number = (data: string) => Number.parseInt(data.replace(/"/g, ''), 10)
  const wave = (n: number) => `${n}`.padEnd(16 * KIB, '.')

  test('a stream resumes from the log, and misses nothing', async t => {
    const { app, port } = await serve(t, flooded('disconnect'), { providers: [Flood] })
    const flood = app.get(Flood)
    const slow = await StreamPeer.open(port, '/flood')
    await slow.hears('id: ')
    slow.raw.pause()
    for (let n = 0; n < SENT; n++) {
      await flood.to('all').send('wave', wave(n))
      await turn()
    }
    await eventually('it is cut', () => flood.count('all') === 0)
    slow.raw.resume()
    const first = await slow.end()
    assert.equal(first.whole, false, 'it knows that it was cut')
    const whole = first.text.slice(0, first.text.lastIndexOf('\n\n') + 2)
    const id =
      whole
        .match(/^id: .*$/gm)
        ?.at(-1)
        ?.slice(4) ?? ''
    const seen = [...whole.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => number(data))
    assert.ok(seen.length < SENT)
    const back = await StreamPeer.open(port, '/flood', { 'Last-Event-ID': id })
    await eventually('the rest', () => back.read().data.length === SENT - seen.length)
    assert.deepEqual([...seen, ...back.read().data.map(number)], [...Array(SENT).keys()])
    assert.deepEqual(back.read().events.includes('gap'), false)
    back.raw.destroy()
  })

  test('a socket resumes from the log, and misses nothing', async t => {
    const { app, port } = await serve(t, flooded('disconnect'), { providers: [Flood] })
    const flood = app.get(Flood)
    const slow = await SocketPeer.open(port, '/flood')
    await eventually('it has its place', () => slow.messages.length === 1)
    slow.ws.pause()
    for (let n = 0; n < SENT; n++) {
      await flood.to('all').send('wave', wave(n))
      await turn()
    }
    await eventually('it is cut', () => flood.count('all') === 0)
    slow.ws.resume()
    await slow.closed
    const events = (peer: SocketPeer) => peer.messages.map(text => JSON.parse(text))
    const id = events(slow).at(-1)?.id
    const seen = events(slow).slice(1)
    assert.ok(seen.length < SENT)
    const back = await SocketPeer.open(port, `/flood?lastEventId=${id}`)
    await eventually('the rest', () => back.messages.length === SENT - seen.length)
    assert.deepEqual(
      [...seen, ...events(back)].map(event => number(event.data)),
      [...Array(SENT).keys()],
    )
    back.ws.terminate()
  })
})

/** Less than what the kernel takes at once, and than what Node.js holds before it asks for a pause. */
const SMALL = 4 * KIB
const PAST = 100

for (const overflow of ['disconnect', 'drop-oldest', 'drop-newest', 'latest'] as const) {
  test(`a replay and a generator are paced, however small the queue: nothing is dropped, nobody is cut (${overflow})`, async t => {
    const past = (n: number) => `${n} ${'.'.repeat(200)}`
    function* generated() {
      for (let n = 0; n < PAST; n++) yield { event: 'wave', data: past(n) }
    }

    @Sse('/replayed', { sendLimit: SMALL, overflow })
    class ReplayedStream {
      constructor(private readonly flood: Flood) {}
      open(stream: EventStream) {
        return this.flood.join(stream, 'all', { history: PAST })
      }
    }
    @Sse('/generated', { sendLimit: SMALL, overflow })
    class GeneratedStream {
      open() {
        return generated()
      }
    }
    @WebSocket('/replayed', { sendLimit: SMALL, overflow })
    class ReplayedSocket {
      constructor(private readonly flood: Flood) {}
      open(socket: Socket) {
        return this.flood.join(socket, 'all', { history: PAST })
      }
    }
    @WebSocket('/generated', { sendLimit: SMALL, overflow })
    class GeneratedSocket {
      open() {
        return generated()
      }
    }

    const classes = [ReplayedStream, GeneratedStream, ReplayedSocket, GeneratedSocket]
    const { app, port } = await serve(t, classes, { providers: [Flood] })
    for (let n = 0; n < PAST; n++) await app.get(Flood).to('all').send('wave', past(n))
    for (const path of ['/replayed', '/generated']) {
      const stream = await StreamPeer.open(port, path)
      const socket = await SocketPeer.open(port, path)
      await eventually(
        'all comes on the stream',
        () => stream.read().events.filter(name => name === 'wave').length === PAST,
      )
      await eventually(
        'all comes on the socket',
        () => socket.messages.filter(text => text.includes('wave')).length === PAST,
      )
      assert.equal(app.connections, 2)
      stream.raw.destroy()
      socket.reset()
      await eventually('both have left', () => app.connections === 0)
    }
  })
}
