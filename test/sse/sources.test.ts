import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Controller, EventStream, Param, Sse, stop } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { standstill } from '../support/standstill.js'
import { ask, type Served, serve } from './app.js'

/** How often the generators below were left, by the path they were asked under. */
const left = new Map<string, number>()
const leave = (name: string) => left.set(name, (left.get(name) ?? 0) + 1)

@Controller('/')
class Generators {
  @Sse('/async/:name')
  async *async(@Param('name') name: string, stream: EventStream, signal: AbortSignal) {
    try {
      yield 'begun'
      if (name === 'exhausted') return
      if (name === 'thrown') throw new Error('inside')
      if (name === 'stopped') yield stop()
      if (name === 'closed') stream.close()
      if (name === 'unsendable') yield () => {}
      if (name === 'linked') stream.link(AbortSignal.abort())
      if (name.startsWith('busy')) for (;;) yield 'x'.repeat(1000)
      for (;;) yield await sleep(60_000, 'never', { signal })
    } finally {
      leave(`/async/${name}`)
    }
  }

  @Sse('/sync/:name')
  *sync(@Param('name') name: string, stream: EventStream) {
    try {
      yield 'begun'
      if (name === 'exhausted') return
      if (name === 'thrown') throw new Error('inside')
      if (name === 'stopped') yield stop()
      if (name === 'closed') stream.close()
      if (name === 'unsendable') yield () => {}
      if (name === 'linked') stream.link(AbortSignal.abort())
      for (;;) yield 'x'.repeat(1000)
    } finally {
      leave(`/sync/${name}`)
    }
  }
}

type Exit = (peer: RawPeer, served: Served) => unknown
const byItself: Exit = () => {}

describe("a generator's finally runs exactly once, however it is left", () => {
  const exits: [name: string, exit: Exit, failures: number, kinds: readonly ('async' | 'sync')[]][] = [
    ['exhausted', byItself, 0, ['async', 'sync']],
    ['thrown', byItself, 1, ['async', 'sync']],
    ['stopped', byItself, 0, ['async', 'sync']],
    ['closed', byItself, 0, ['async', 'sync']],
    ['unsendable', byItself, 1, ['async', 'sync']],
    ['linked', byItself, 0, ['async', 'sync']],
    ['parked-fin', peer => peer.end(), 0, ['async']],
    ['parked-reset', peer => peer.reset(), 0, ['async']],
    ['parked-app-close', (_, { app }) => app.close(), 0, ['async']],
    ['busy-fin', peer => peer.end(), 0, ['async', 'sync']],
    ['busy-reset', peer => peer.reset(), 0, ['async', 'sync']],
    ['busy-app-close', (_, { app }) => app.close(), 0, ['async', 'sync']],
    [
      'busy-behind-reset',
      async peer => {
        peer.pause()
        await sleep(50)
        peer.reset()
      },
      0,
      ['async', 'sync'],
    ],
    [
      'busy-behind-app-close',
      (peer, { app }) => {
        peer.pause()
        return app.close({ deadline: 50 })
      },
      0,
      ['async', 'sync'],
    ],
  ]
  for (const [name, exit, failures, kinds] of exits) {
    for (const kind of kinds) {
      test(`${kind}: ${name}`, async t => {
        const served = await serve(t, [Generators])
        const path = `/${kind}/${name}`
        const { peer } = await ask(served.port, path)
        await peer.readUntil('begun')
        await exit(peer, served)
        await eventually('finally has run', () => left.get(path))
        await eventually('no connection is left', () => served.app.connections === 0)
        peer.resume()
        peer.end() // a stream that ends by itself keeps its connection
        await peer.closed
        assert.equal(left.get(path), 1)
        assert.equal(served.errors.length, failures, JSON.stringify(served.errors.map(String)))
      })
    }
  }
})

test('a source that open gives when its peer has left is let go', async t => {
  const streams: PassThrough[] = []
  let subscribed = 0
  let released = 0
  const late = (signal: AbortSignal, source: () => unknown) => once(signal, 'abort').then(source)
  const stream = () => {
    streams.push(new PassThrough())
    return streams.at(-1)
  }
  const subscribe = () => {
    subscribed++
    return () => void released++
  }

  @Controller('/late')
  class Late {
    @Sse('/stream')
    stream(signal: AbortSignal) {
      return late(signal, stream)
    }
    @Sse('/observable')
    observable(signal: AbortSignal) {
      return late(signal, () => ({ '@@observable': () => ({ subscribe }) }))
    }
  }
  @Sse('/late/class')
  class LateClass {
    open({ signal }: EventStream) {
      return late(signal, stream)
    }
  }

  const { port, app, errors } = await serve(t, [Late, LateClass])
  for (const path of ['/late/stream', '/late/observable', '/late/class']) {
    const peer = await RawPeer.connect(port)
    await peer.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await eventually('it opens', () => app.connections === 1)
    peer.reset()
    await eventually('it ends', () => app.connections === 0)
  }
  await eventually('both streams are destroyed', () => streams.filter(({ destroyed }) => destroyed).length === 2)
  assert.deepEqual([subscribed, released, errors], [1, 1, []])
})

describe('backpressure', () => {
  /** More than the kernel keeps for a connection. */
  const PLENTY = 64 * 1024
  const item = 'x'.repeat(1000)

  const paused = async (t: TestContext, path: string, count: () => number, produce: Served) => {
    const { peer } = await ask(produce.port, path)
    peer.pause()
    t.after(() => peer.destroy())
    const first = await standstill('the producer pauses', count)
    assert.ok(first < PLENTY, `${first} items for a peer that does not read`)
    peer.resume()
    await eventually('it goes on when the peer reads', () => count() > first + 1000)
  }

  test('P12: a peer that does not read pauses the generators, and send, that feed it', async t => {
    const counts = { sync: 0, async: 0, send: 0 }
    @Controller('/')
    class Producers {
      @Sse('/sync')
      *sync() {
        for (;;) {
          counts.sync++
          yield item
        }
      }
      @Sse('/async')
      async *async() {
        for (;;) {
          counts.async++
          yield item
        }
      }
      @Sse('/send')
      send(stream: EventStream) {
        const feed = async () => {
          while (await stream.send(item)) counts.send++
        }
        stream.start()
        void feed()
      }
    }
    const served = await serve(t, [Producers])
    for (const kind of ['sync', 'async', 'send'] as const) await paused(t, `/${kind}`, () => counts[kind], served)
    assert.deepEqual(served.errors, [])
  })

  test('a source that never waits, and a peer that reads as fast, leave the others their turn', async t => {
    @Controller('/')
    class Endless {
      @Sse('/endless')
      async *endless() {
        for (;;) yield item
      }
      @Sse('/other')
      *other() {
        yield 'served'
      }
    }
    const served = await serve(t, [Endless])
    const { peer } = await ask(served.port, '/endless')
    const drop = setInterval(() => (peer.received = ''), 1)
    for (let round = 0; round < 5; round++) {
      const other = await ask(served.port, '/other')
      await other.peer.readUntil('served')
    }
    clearInterval(drop)
    peer.destroy()
    await eventually('it is noticed that the peer left', () => served.app.connections === 0)
  })

  test('await send answers false when the peer leaves while it waits', async t => {
    let answer: boolean | undefined
    let sends = 0
    @Sse('/')
    class Waiting {
      open(stream: EventStream) {
        stream.after(0, 'go')
      }
      async info(_message: string, stream: EventStream) {
        do {
          sends++
          answer = await stream.send('x'.repeat(100_000))
        } while (answer)
      }
    }
    const served = await serve(t, [Waiting])
    const { peer } = await ask(served.port, '/')
    peer.pause()
    await standstill('it waits for the peer', () => sends)
    assert.equal(answer, true, 'for what it sent before')
    peer.destroy()
    await eventually('send answered', () => answer === false)
    assert.deepEqual(served.errors, [])
  })
})
