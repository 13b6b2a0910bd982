/** app.close(): everybody hears goodbye, nobody holds it up. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bootstrap, Controller, Get, Guard, Injectable, Module, Sse, WebSocket } from '../../src/index.js'
import { SocketActor, Stage, StreamActor } from '../support/actors.js'
import { type Served, serve, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { turn } from '../support/registry-peers.js'
import { send } from '../support/send.js'
import { withResolvers } from '../support/with-resolvers.js'

/** Lets the guarded ones in. */
let admit: (() => void) | undefined
const later = () =>
  new Promise<true>(resolve => {
    admit = () => resolve(true)
  })

@Sse('/stream/:name')
class Streams extends StreamActor {}
@WebSocket('/socket/:name')
class Sockets extends SocketActor {}
@Sse('/guarded/:name')
@Guard(later)
class GuardedStreams extends StreamActor {}
@WebSocket('/guarded/:name')
@Guard(later)
class GuardedSockets extends SocketActor {}

@Controller('/')
class Requests {
  static release: ((value: string) => void) | undefined

  @Get('quick')
  quick() {
    return 'quick'
  }

  @Get('slow')
  slow() {
    return new Promise<string>(resolve => {
      Requests.release = resolve
    })
  }

  @Get('drip')
  async *drip() {
    for (;;) {
      yield 'drip\n'
      await sleep(5)
    }
  }
}

const controllers = [Streams, Sockets, GuardedStreams, GuardedSockets, Requests]

function serveAll(t: TestContext): Promise<Served> {
  return serve(t, controllers, { providers: [Stage] })
}

/** Milliseconds that a promise takes. */
async function timeOf(promise: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await promise
  return performance.now() - start
}

describe('everybody hears goodbye', () => {
  test('P6: 1,000 streams and 1,000 sockets: retry and the final chunk, 1012; not all at once; before the deadline', async t => {
    const { app, port } = await serveAll(t)
    const streams: StreamPeer[] = []
    const sockets: SocketPeer[] = []
    for (let batch = 0; batch < 20; batch++) {
      const names = Array.from({ length: 50 }, (_, index) => batch * 50 + index)
      streams.push(...(await Promise.all(names.map(name => StreamPeer.open(port, `/stream/s${name}`)))))
      sockets.push(...(await Promise.all(names.map(name => SocketPeer.open(port, `/socket/w${name}`)))))
    }
    await eventually('all are open', () => app.connections === 2000)
    const took = await timeOf(app.close({ deadline: 20_000 }))
    assert.ok(took < 20_000)
    assert.ok(took > 500, `all within ${took} ms`)
    assert.equal(app.connections, 0)
    const retries = new Set<string>()
    for (const stream of streams) {
      const { text, whole } = await stream.end()
      assert.match(text, /^(?::\n\n)*retry: [12]\d{3}\n\n$/)
      assert.equal(whole, true)
      retries.add(text)
    }
    assert.ok(retries.size > 100, `${retries.size} different retries`)
    for (const socket of sockets) assert.equal((await socket.closed).code, 1012)
    for (const { reasons } of app.get(Stage).actors) assert.deepEqual(reasons, [{ kind: 'drain' }])
  })

  test('a handler that runs is waited for, and close runs behind it', async t => {
    const { app, port } = await serveAll(t)
    const stage = app.get(Stage)
    const log: string[] = []
    const [info, close] = [withResolvers<void>(), withResolvers<void>()]
    stage.scripts.set('busy', {
      async info() {
        await info.promise
        log.push('info ends')
      },
      async close() {
        log.push('close begins')
        await close.promise
        log.push('close ends')
      },
    })
    await SocketPeer.open(port, '/socket/busy')
    const actor = await stage.actor('busy')
    actor.connection.tell('go')
    await eventually('it is busy', () => actor.heard.length === 1)
    const closed = app.close().then(() => log.push('closed'))
    await eventually('it drains', () => actor.connection.closeReason !== undefined)
    assert.equal(log.length, 0)
    info.resolve()
    await eventually('close runs', () => log.includes('close begins'))
    close.resolve()
    await closed
    assert.deepEqual(log, ['info ends', 'close begins', 'close ends', 'closed'])
  })

  test('P6: a request in flight is answered, on a connection that is not kept', async t => {
    const { app, port } = await serveAll(t)
    const slow = await StreamPeer.ask(port, '/slow')
    const release = await eventually('it runs', () => Requests.release)
    const closed = app.close()
    release('done')
    const { status, text, closed: how } = await slow.end()
    assert.deepEqual({ status, text, how }, { status: 200, text: 'done', how: 'end' })
    await closed
  })

  test('onStop hooks run when all have gone, in reverse order; a failing one keeps none from its turn', async () => {
    const log: string[] = []
    @Injectable()
    class First {
      onStop() {
        log.push('first')
      }
    }
    @Injectable()
    class Second {
      constructor(readonly first: First) {}
      onStop() {
        log.push('second')
        throw new Error('second fails')
      }
    }
    const { app, port } = await start([Streams], { providers: [Stage, First, Second] })
    const closing = withResolvers<void>()
    app.get(Stage).scripts.set('one', { close: () => closing.promise.then(() => log.push('closed')) })
    await StreamPeer.open(port, '/stream/one')
    const failed = assert.rejects(app.close(), /second fails/)
    await (await app.get(Stage).actor('one')).ended()
    closing.resolve()
    await failed
    assert.deepEqual(log, ['closed', 'second', 'first'])
    await assert.rejects(app.close(), /second fails/)
  })
})

describe('nobody holds it up', () => {
  test('connections that are idle, or have said nothing yet, are closed at once', async t => {
    const { app, port } = await serveAll(t)
    const silent = await RawPeer.connect(port)
    const kept = await RawPeer.connect(port)
    await kept.write('GET /quick HTTP/1.1\r\nHost: a\r\n\r\n')
    await kept.readUntil('quick')
    assert.ok((await timeOf(app.close({ deadline: 10_000 }))) < 5000)
    assert.equal(await silent.closed, 'end')
    assert.equal(await kept.closed, 'end')
  })

  test('P6: what has not ended is cut at the deadline: handlers that never settle, requests, endless replies', async t => {
    const { app, port } = await serveAll(t)
    const stage = app.get(Stage)
    for (const name of ['one', 'two', 'three']) stage.scripts.set(name, { info: () => new Promise(() => {}) })
    stage.scripts.set('three', { open: () => new Promise(() => {}) })
    await StreamPeer.open(port, '/stream/one')
    await SocketPeer.open(port, '/socket/two')
    const three = await StreamPeer.ask(port, '/stream/three')
    for (const name of ['one', 'two']) (await stage.actor(name)).connection.tell('hang')
    await stage.actor('three')
    const slow = await StreamPeer.ask(port, '/slow')
    const drip = await StreamPeer.open(port, '/drip')
    await app.close({ deadline: 300 })
    for (const peer of [three, slow, drip]) await peer.end()
    assert.equal(drip.read().whole, false)
    await eventually('closes', () => stage.actors.every(({ reasons }) => reasons.length === 1), { timeout: 10_000 })
  })

  test('peers that never read are cut', async t => {
    const { app, port } = await serveAll(t)
    const stage = app.get(Stage)
    const stream = await StreamPeer.open(port, '/stream/one')
    const socket = await SocketPeer.open(port, '/socket/two')
    stream.raw.pause()
    socket.ws.pause()
    for (const name of ['one', 'two']) {
      const { connection } = await stage.actor(name)
      while (connection.queue.keepsUp) {
        void connection.send('x'.repeat(100_000))
        await turn()
      }
    }
    await app.close({ deadline: 500 })
    stream.raw.resume()
    socket.ws.resume()
    assert.equal((await stream.end()).whole, false)
    assert.equal((await socket.closed).code, 1006)
  })

  test('what opens while it drains is refused with 503, and so is what was being opened', async t => {
    const { app } = await serve(t, controllers, { providers: [Stage], listen: false })
    const server = createServer(app.handler).on('upgrade', app.upgrade).listen(0, '127.0.0.1')
    t.after(() => server.close())
    const { port } = await eventually('it listens', () => server.address() as AddressInfo | null)
    const closing = withResolvers<void>()
    app.get(Stage).scripts.set('busy', { close: () => closing.promise })
    const busy = await SocketPeer.open(port, '/socket/busy')
    const opening = [await StreamPeer.ask(port, '/guarded/one')]
    const admitStream = await eventually('the guard is asked', () => admit)
    admit = undefined
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' }
    const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }
    opening.push(await StreamPeer.ask(port, '/guarded/two', { ...upgrade, ...key }))
    const admitSocket = await eventually('the guard is asked', () => admit)
    const closed = app.close()
    admitStream()
    admitSocket()
    opening.push(await StreamPeer.ask(port, '/stream/three'))
    opening.push(await StreamPeer.ask(port, '/socket/four', { ...upgrade, ...key }))
    for (const peer of opening) {
      const { status, closed: how } = await peer.end()
      assert.deepEqual({ status, how }, { status: 503, how: 'end' })
    }
    closing.resolve()
    await closed
    assert.equal((await busy.closed).code, 1012)
    assert.equal(app.get(Stage).actors.length, 1)
  })
})

describe('any time', () => {
  test('twice is once', async t => {
    const { app, port } = await serveAll(t)
    const peer = await StreamPeer.open(port, '/stream/one')
    const first = app.close()
    assert.equal(app.close({ deadline: 1 }), first)
    await first
    assert.equal((await peer.end()).whole, true)
    await app.close()
  })

  test('before anything listens; and afterwards nothing listens any more', async t => {
    const { app } = await serve(t, controllers, { providers: [Stage], listen: false })
    await app.close()
    await assert.rejects(app.listen({ port: 0 }), /closed/)
  })

  test('afterwards, whoever still asks its handler through another server hears 503', async t => {
    const { app } = await serve(t, controllers, { providers: [Stage], listen: false })
    const server = createServer(app.handler).listen(0, '127.0.0.1')
    t.after(() => server.close())
    const { port } = await eventually('it listens', () => server.address() as AddressInfo | null)
    assert.equal((await send(port, 'GET /quick')).text, 'quick')
    await app.close()
    const { status, headers } = await send(port, 'GET /quick')
    assert.deepEqual([status, headers['retry-after'], headers.connection], [503, '1', 'close'])
  })

  test('the port is free again at once, and nothing is left behind', async t => {
    const before = activeHandles()
    let port = 0
    for (let round = 0; round < 3; round++) {
      const { app } = await serve(t, controllers, { providers: [Stage], port })
      port = app.port
      const stream = await StreamPeer.open(port, '/stream/one')
      const socket = await SocketPeer.open(port, '/socket/two')
      await app.close()
      await stream.end()
      await socket.closed
    }
    await noHandlesLeft(before)
  })

  test('when something fails at boot, that is the error, whatever fails on the way back', async () => {
    const log: string[] = []
    @Injectable()
    class Started {
      onStart() {}
      onStop() {
        log.push('stop')
        throw new Error('it does not stop')
      }
    }
    @Injectable()
    class Failing {
      constructor(readonly started: Started) {}
      onStart() {
        throw new Error('it does not start')
      }
    }
    @Module({ controllers, providers: [Stage, Started, Failing] })
    class App {}
    const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void log.push(message) }
    await assert.rejects(bootstrap(App, { port: 0, logger }), /it does not start/)
    assert.deepEqual(log, ['stop', 'the application did not stop cleanly'])
  })
})
