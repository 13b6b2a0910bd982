/** Event streams over HTTP/1.1 and HTTP/2, with TLS and without: the table of close reasons holds on each. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ConnectionRegistry, conflict, Registry, Sse, stop } from '../../src/index.js'
import { type Script, Stage, StreamActor } from '../support/actors.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { ask, openEvents, openSession, wires } from '../support/wires.js'

@Registry('everybody', { history: false })
class Everybody extends ConnectionRegistry {}

@Sse('/stream/:name', { sendLimit: 65_536, retry: 1234 })
class Streams extends StreamActor {}
@Sse('/idle/:name', { idleTimeout: 100, keepAlive: 20 })
class IdleStreams extends StreamActor {}

const controllers = [Streams, IdleStreams]
const providers = [Stage, Everybody]
let names = 0

for (const wire of wires) {
  describe(`an event stream over ${wire.name}`, () => {
    let served: Served
    let stage: Stage
    before(async () => {
      served = await start(controllers, { providers, ...wire.options })
      stage = served.app.get(Stage)
    })
    after(() => served.app.close())

    async function open(script: Script = {}, path = '/stream') {
      const name = `w${++names}`
      stage.scripts.set(name, script)
      const peer = await wire.openStream(served.port, `${path}/${name}`)
      return { peer, actor: await stage.actor(name) }
    }

    test('says its first event with its head, and then what is sent', async () => {
      const { peer, actor } = await open({ open: () => 'first' })
      await peer.hears('data: first\n\n')
      assert.ok(peer.raw.received.indexOf('retry: 1234\n\n') < peer.raw.received.indexOf('data: first'))
      assert.equal(await actor.connection.send({ event: 'second', data: [2] }), true)
      await peer.hears('event: second\ndata: [2]\n\n')
      peer.raw.destroy()
    })

    test('P4: the peer that goes away is noticed, and what is linked to it aborts', async () => {
      const { peer, actor } = await open()
      const { signal } = actor.connection
      peer.raw.destroy()
      assert.deepEqual(await actor.ended(), { kind: 'peer' })
      assert.equal(signal.aborted, true)
      assert.equal(await actor.connection.send('too late'), false)
    })

    test('P4: a peer whose connection is reset is lost', async () => {
      const { peer, actor } = await open()
      peer.raw.reset()
      assert.deepEqual(await actor.ended(), { kind: 'lost' })
    })

    test('ends cleanly where it is stopped, idle or disconnected', async () => {
      const stopped = await open({ info: () => ['last', stop()] })
      stopped.actor.connection.tell('stop')
      const heard = await stopped.peer.end()
      assert.ok(heard.text.includes('data: last\n\n'))
      assert.equal(heard.whole, true)
      assert.deepEqual(await stopped.actor.ended(), { kind: 'stopped' })

      const idle = await open({}, '/idle')
      assert.equal((await idle.peer.end()).whole, true)
      assert.deepEqual(await idle.actor.ended(), { kind: 'idle' })

      const gone = await open()
      served.app.get(Everybody).join(gone.actor.connection, 'all')
      served.app.get(Everybody).disconnect('all', { code: 4000 })
      assert.equal((await gone.peer.end()).whole, true)
      assert.equal((await gone.actor.ended()).kind, 'disconnected')
    })

    test('is cut where a handler failed, behind an error event', async () => {
      const { peer, actor } = await open({
        info: () => {
          throw new Error('failed on purpose')
        },
      })
      actor.connection.tell('fail')
      const { text, whole } = await peer.end()
      assert.ok(text.includes('event: error\ndata: {"title":"Internal Server Error","status":500}\n\n'), text)
      assert.equal(whole, false)
      assert.equal((await actor.ended()).kind, 'failed')
    })

    test('is cut where a signal that it was linked to aborts', async () => {
      const { peer, actor } = await open()
      const controller = new AbortController()
      actor.connection.link(controller.signal)
      controller.abort('why')
      assert.equal((await peer.end()).whole, false)
      assert.deepEqual(await actor.ended(), { kind: 'linked', cause: 'why' })
    })

    test('waits for a slow peer, and is cut where that is too slow', async () => {
      const { peer, actor } = await open()
      peer.raw.pause()
      const block = 'y'.repeat(20_000)
      let waiting: Promise<boolean> | undefined
      for (let index = 0; waiting === undefined && index < 2000; index++) {
        const pace = actor.connection.send(block)
        if ((await Promise.race([pace, Promise.resolve('waits')])) === 'waits') waiting = pace
      }
      peer.raw.resume()
      assert.equal(await waiting, true)
      peer.raw.pause()
      await eventually('overflow', () => {
        for (let index = 0; index < 100 && !actor.connection.closed; index++) void actor.connection.send(block)
        return actor.connection.closed
      })
      assert.deepEqual(await actor.ended(), { kind: 'overflow' })
      peer.raw.resume()
      assert.equal((await peer.end()).whole, false)
    })

    test('one event may be larger than the limit, also the one that it opens with', async () => {
      const { peer, actor } = await open({ open: () => 'y'.repeat(1_000_000) })
      await peer.hears('y\n\n')
      assert.equal(actor.connection.closed, false)
      peer.raw.destroy()
    })

    test('drains: told when to come back, and ended', async () => {
      const other = await start(controllers, { providers, ...wire.options })
      const peer = await wire.openStream(other.port, '/stream/drained')
      const actor = await other.app.get(Stage).actor('drained')
      const closed = other.app.close()
      const { text, whole } = await peer.end()
      assert.match(text, /retry: \d+\n\n/)
      assert.equal(whole, true)
      assert.deepEqual(await actor.ended(), { kind: 'drain' })
      await closed
    })
  })
}

describe('event streams over HTTP/2', () => {
  const http2 = { http2: true }

  test('have no fields of HTTP/1.1, and refuse by ordinary answers', async t => {
    const { app, port } = await start(controllers, { providers, ...http2 })
    t.after(() => app.close({ deadline: 0 }))
    app.get(Stage).scripts.set('taken', {
      open: () => {
        throw conflict('taken')
      },
    })
    const session = await openSession(port, 'http')
    t.after(() => session.close())
    const refused = await ask(session, { ':path': '/stream/taken' })
    assert.equal(refused.status, 409)
    assert.equal((await ask(session, { ':path': '/stream/x', accept: 'text/html' })).status, 406)
    const head = await ask(session, { ':path': '/stream/x', ':method': 'HEAD' })
    assert.deepEqual(Object.keys(head.headers), [
      ':status',
      'content-type',
      'cache-control',
      'x-accel-buffering',
      'date',
    ])
  })

  test('P4: one of many on a connection ends by itself, by its own peer or by an error; the others go on', async t => {
    const { app, port } = await start(controllers, { providers, ...http2 })
    t.after(() => app.close({ deadline: 0 }))
    const stage = app.get(Stage)
    const session = await openSession(port, 'http')
    const peers = await Promise.all(
      Array.from({ length: 120 }, (_, index) => openEvents(session, `/stream/many${index}`)),
    )
    assert.equal(app.connections, 120)
    peers[0]?.raw.destroy()
    assert.deepEqual(await (await stage.actor('many0')).ended(), { kind: 'peer' })
    for (const index of [1, 119]) {
      const { connection } = await stage.actor(`many${index}`)
      await connection.send('still here')
      await peers[index]?.hears('data: still here\n\n')
    }
    session.destroy()
    for (let index = 1; index < 120; index++)
      assert.deepEqual(await (await stage.actor(`many${index}`)).ended(), { kind: 'peer' })
    assert.equal(app.connections, 0)
  })

  test('P4: an error code of the peer, or a reset of its socket, loses all it has', async t => {
    const { app, port } = await start(controllers, { providers, ...http2 })
    t.after(() => app.close({ deadline: 0 }))
    const stage = app.get(Stage)
    const socket = connect(port, '127.0.0.1')
    const session = await openSession(port, 'http', socket)
    const stream = session.request({ ':path': '/stream/broken' })
    stream.on('error', () => {})
    const broken = await stage.actor('broken')
    stream.close(2) // INTERNAL_ERROR
    assert.deepEqual(await broken.ended(), { kind: 'lost' })
    await openEvents(session, '/stream/reset')
    const reset = await stage.actor('reset')
    socket.resetAndDestroy()
    assert.deepEqual(await reset.ended(), { kind: 'lost' })
  })
})
