/** One thing at a time: what a connection's handlers may rely on. */
import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, ConnectionRegistry, EventStream, Registry, Socket, Sse, WebSocket } from '../../src/index.js'
import { type Actor, type Script, SocketActor, Stage, StreamActor } from '../support/actors.js'
import { type Served, serve, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'

@Sse('/stream/:name')
class Streams extends StreamActor {}
@WebSocket('/socket/:name')
class Sockets extends SocketActor {
  ping(data: Buffer) {
    return this.message(`ping ${data}`)
  }
}

let served: Served
let stage: Stage
before(async () => {
  served = await start([Streams, Sockets], { providers: [Stage] })
  stage = served.app.get(Stage)
})
after(async () => {
  await served.app.close()
  assert.equal(served.app.connections, 0)
  for (const actor of stage.actors) assert.equal(actor.reasons.length, 1, actor.name)
})

let names = 0

async function openStream(script: Script = {}): Promise<{ peer: StreamPeer; actor: Actor }> {
  const name = `n${++names}`
  stage.scripts.set(name, script)
  const peer = await StreamPeer.ask(served.port, `/stream/${name}`)
  return { peer, actor: await stage.actor(name) }
}

async function openSocket(script: Script = {}): Promise<{ peer: SocketPeer; actor: Actor }> {
  const name = `n${++names}`
  stage.scripts.set(name, script)
  const peer = await SocketPeer.open(served.port, `/socket/${name}`)
  return { peer, actor: await stage.actor(name) }
}

describe('one at a time', () => {
  test('open, messages, pings, info and timers never overlap, and each begins when the last has settled', async () => {
    const log: string[] = []
    let running = 0
    const step = async (what: string) => {
      assert.equal(++running, 1, `${what} overlaps`)
      log.push(what)
      await sleep(2)
      running--
    }
    const { peer, actor } = await openSocket({
      async open({ connection }) {
        connection.tell('told')
        connection.after(1, 'timer')
        await step('open')
        await sleep(10)
      },
      info: message => step(String(message)),
      message: frame => step(String(frame)),
      close: () => step('close'),
    })
    peer.ws.send('one')
    peer.ws.ping('x')
    peer.ws.send('two')
    actor.connection.tell('more')
    await eventually('all of them', () => log.length === 7)
    peer.ws.close()
    await eventually('close', () => log.length === 8)
    assert.equal(log[0], 'open')
    assert.equal(log[1], 'told')
    assert.equal(log[7], 'close')
    assert.deepEqual(
      log.filter(what => /one|ping|two/.test(what)),
      ['one', 'ping x', 'two'],
    )
    assert.deepEqual([...log].sort(), ['close', 'more', 'one', 'open', 'ping x', 'timer', 'told', 'two'])
  })

  test('B16: P37: what is told and sent during open comes after it, in order, behind what it returns', async () => {
    const { peer } = await openStream({
      async open({ connection }) {
        connection.tell('told')
        connection.send('sent')
        await sleep(5)
        return 'returned'
      },
      info: message => message,
    })
    await peer.hears('data: told\n\n')
    assert.deepEqual(peer.read().data, ['returned', 'sent', 'told'])
    peer.raw.destroy()
  })

  test('a handler that returns no promise is done when it returns: 100 of them run within one tell each', async () => {
    const { peer, actor } = await openSocket()
    for (let count = 0; count < 100; count++) {
      actor.connection.tell(count)
      assert.equal(actor.heard.length, count + 1)
    }
    peer.ws.close()
  })

  test('the order in which messages were told is the order in which they are heard', async () => {
    const { peer, actor } = await openSocket({
      info: message => ((message as number) % 3 === 0 ? sleep(1) : undefined),
    })
    const sent = Array.from({ length: 50 }, (_, index) => index)
    for (const index of sent) actor.connection.tell(index)
    await eventually('all of them', () => actor.heard.length === 50)
    assert.deepEqual(actor.heard, sent)
    peer.ws.close()
  })

  test('a handler that tells itself for ever leaves the others their turn', async () => {
    const { peer, actor } = await openSocket({ info: (message, { connection }) => void connection.tell(message) })
    actor.connection.tell('again')
    const other = await openSocket({ message: frame => frame })
    other.peer.ws.send('hello')
    await once(other.peer.ws, 'message')
    assert.ok(actor.heard.length > 100)
    peer.ws.close()
    other.peer.ws.close()
    await actor.ended()
  })

  test('a message may be handed on through any number of connections', async () => {
    const { peer, actor } = await openSocket({
      info: (left, { connection }) =>
        void ((left as number) > 0 && next.connection.tell((left as number) - 1) && connection),
    })
    const other = await openSocket({
      info: left => void ((left as number) > 0 && actor.connection.tell((left as number) - 1)),
    })
    const next = other.actor
    actor.connection.tell(10_000)
    await eventually('the last', () => actor.heard.at(-1) === 0)
    assert.equal(actor.heard.length + next.heard.length, 10_001)
    peer.ws.close()
    other.peer.ws.close()
  })
})

describe('timers', () => {
  test('B32: every tells again and again until it is taken back; after tells once', async () => {
    const { peer, actor } = await openStream()
    const stopTicks = actor.connection.every(2, 'tick')
    actor.connection.after(1, 'once')
    const cancel = actor.connection.after(1, 'never')
    cancel()
    await eventually('five ticks', () => actor.heard.filter(heard => heard === 'tick').length === 5)
    stopTicks()
    const ticks = actor.heard.length
    await sleep(10)
    assert.equal(actor.heard.length, ticks)
    assert.equal(actor.heard.filter(heard => heard === 'once').length, 1)
    assert.ok(!actor.heard.includes('never'))
    peer.raw.destroy()
  })

  test('a time longer than a timer of Node.js can wait is waited for, not over at once', async () => {
    const { peer, actor } = await openStream()
    const month = 30 * 24 * 60 * 60 * 1000
    const cancel = actor.connection.after(month, 'late')
    actor.connection.every(month, 'late')
    actor.connection.after(20, 'soon')
    await eventually('what is due', () => actor.heard.length > 0)
    assert.deepEqual(actor.heard, ['soon'])
    cancel()
    peer.raw.destroy()
  })

  test('ticks that find the last one still waiting are left out', async () => {
    let release = () => {}
    const busy = new Promise<void>(resolve => {
      release = resolve
    })
    const { peer, actor } = await openStream({ info: message => (message === 'work' ? busy : undefined) })
    actor.connection.tell('work')
    actor.connection.every(1, 'tick')
    await sleep(30)
    actor.connection.tell('last')
    release()
    await eventually('the last', () => actor.heard.includes('last'))
    assert.deepEqual(actor.heard.slice(0, 3), ['work', 'tick', 'last'])
    peer.raw.destroy()
  })

  test('P32: what belongs to a connection dies with it: no timer, no listener is left', async () => {
    const manager = new AbortController()
    const { peer, actor } = await openSocket()
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
    const { connection } = actor
    connection.every(1, 'tick')
    connection.after(60_000, 'late')
    connection.link(manager.signal)
    assert.equal(getEventListeners(manager.signal, 'abort').length, 1)
    peer.ws.close()
    await actor.ended()
    const heard = actor.heard.length
    assert.equal(getEventListeners(manager.signal, 'abort').length, 0)
    connection.every(1, 'tick')
    connection.after(1, 'late')
    await sleep(10)
    assert.equal(actor.heard.length, heard)
    await eventually('no timers', () => timers() === 0)
  })
})

describe('links', () => {
  test('B28: both ways: the signal aborts with the reason, and an aborted signal ends the connection', async () => {
    const { peer, actor } = await openStream()
    const before = actor.connection.signal
    peer.raw.destroy()
    const reason = await actor.ended()
    assert.equal(before.reason, reason)
    assert.equal(actor.connection.signal.reason, reason)
  })

  test('a signal that is first asked for after the end is aborted already', async () => {
    const { peer, actor } = await openStream()
    peer.raw.destroy()
    const reason = await actor.ended()
    assert.equal(actor.connection.signal.aborted, true)
    assert.equal(actor.connection.signal.reason, reason)
  })

  test('a signal that has aborted before ends the connection at once', async () => {
    const { peer, actor } = await openSocket({ open: ({ connection }) => connection.link(AbortSignal.abort('over')) })
    assert.equal((await peer.closed).code, 1011)
    assert.deepEqual(await actor.ended(), { kind: 'linked', cause: 'over' })
  })

  test('a hundred connections may be linked to one signal', async () => {
    const manager = new AbortController()
    const link = { open: ({ connection }: Actor) => connection.link(manager.signal) }
    const all = await Promise.all(Array.from({ length: 100 }, () => openSocket(link)))
    manager.abort()
    for (const { actor } of all) assert.equal((await actor.ended()).kind, 'linked')
  })

  test('P35: a handler that its own signal interrupts has not failed', async () => {
    const { peer, actor } = await openStream({
      info: (_, { connection }) => sleep(60_000, undefined, { signal: connection.signal, ref: false }),
    })
    await peer.hears('\r\n\r\n')
    actor.connection.tell('wait')
    peer.raw.destroy()
    assert.deepEqual(await actor.ended(), { kind: 'peer' })
    assert.deepEqual(served.log.errors, [])
  })
})

describe('the end', () => {
  test('P12: after it, nothing throws: send and tell answer false', async () => {
    const { peer, actor } = await openSocket()
    peer.ws.close()
    await actor.ended()
    const { connection } = actor
    assert.equal(await connection.send('late'), false)
    assert.equal(connection.tell('late'), false)
    connection.close()
    connection.link(AbortSignal.abort())
    assert.deepEqual(connection.closeReason, { kind: 'peer' })
    assert.deepEqual(actor.heard, [])
  })

  test('close waits for the handler that runs, and drops what waits behind it', async () => {
    const log: string[] = []
    const { peer, actor } = await openSocket({
      async info(message) {
        log.push(`${message} begins`)
        await sleep(20)
        log.push(`${message} ends`)
      },
      close: () => log.push('close'),
    })
    actor.connection.tell('one')
    actor.connection.tell('two')
    peer.ws.terminate()
    await actor.ended()
    assert.deepEqual(log, ['one begins', 'one ends', 'close'])
  })

  test('it may come from within any handler, and during open', async () => {
    const end = ({ connection }: Actor) => connection.close({ code: 3000 })
    const during = await openSocket({ open: end })
    assert.equal((await during.peer.closed).code, 3000)
    const within = await openSocket({ info: (_, actor) => end(actor), close: (_, actor) => end(actor) })
    within.actor.connection.tell('go')
    assert.equal((await within.peer.closed).code, 3000)
    assert.deepEqual(await within.actor.ended(), { kind: 'stopped', code: 3000 })
  })

  test('B13: an event source that closes in open sends what it sent, with a head in front and the final chunk behind', async () => {
    const { peer, actor } = await openStream({
      async open({ connection }) {
        connection.send('only')
        connection.close()
        await sleep(5)
        return 'too late'
      },
    })
    const { status, data, whole } = await peer.end()
    assert.deepEqual({ status, data, whole }, { status: 200, data: ['only'], whole: true })
    assert.deepEqual(await actor.ended(), { kind: 'stopped' })
  })

  test('a peer that leaves during open is noticed at once; close follows open', async () => {
    const log: string[] = []
    const { peer, actor } = await openStream({
      async open({ connection }) {
        await once(connection.signal, 'abort')
        log.push('open has heard')
        await sleep(5)
        log.push('open ends')
        return 'nobody reads this'
      },
      close: () => log.push('close'),
    })
    peer.raw.destroy()
    assert.deepEqual(await actor.ended(), { kind: 'peer' })
    assert.deepEqual(log, ['open has heard', 'open ends', 'close'])
  })

  test('a handler that never settles does not hold up close for ever', async () => {
    const { peer, actor } = await openSocket({ info: () => new Promise(() => {}) })
    actor.connection.tell('hang')
    peer.ws.close()
    assert.deepEqual(await actor.ended(10_000), { kind: 'peer' })
    await eventually('it is counted no more', () => served.app.connections === 0)
  })

  test('P33: what cannot be sent rejects that send, and nothing else', async () => {
    const { peer, actor } = await openSocket()
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    for (const value of [undefined, () => 0, Symbol('s'), cycle, 1n])
      await assert.rejects(actor.connection.send(value), TypeError)
    assert.equal(await actor.connection.send('fine'), true)
    await eventually('it came', () => peer.messages.length === 1)
    peer.ws.close()
  })
})

test('nothing of all this was a failure', () => assert.deepEqual(served.log.errors, []))

@Registry('goodbyes', { history: false })
class Goodbyes extends ConnectionRegistry<{ last: string }> {}

/** It hears a last word of the room while it opens, and goes. */
abstract class Leaving {
  constructor(
    private readonly goodbyes: Goodbyes,
    private readonly connection: Connection,
  ) {}
  async open() {
    if (this.connection instanceof EventStream) this.connection.start()
    await this.goodbyes.join(this.connection, 'all')
    await this.goodbyes.to('all').send('last', 'word')
    this.connection.close()
  }
}

@Sse('/leaving')
class LeavingStream extends Leaving {
  constructor(goodbyes: Goodbyes, stream: EventStream) {
    super(goodbyes, stream)
  }
}
@WebSocket('/leaving')
class LeavingSocket extends Leaving {
  constructor(goodbyes: Goodbyes, socket: Socket) {
    super(goodbyes, socket)
  }
}

test('what a room was sent while open ran leaves before a close that open asks for', async t => {
  const { port } = await serve(t, [LeavingStream, LeavingSocket], { providers: [Goodbyes] })
  const stream = await StreamPeer.open(port, '/leaving')
  assert.deepEqual((await stream.end()).data, ['"word"'])
  const socket = await SocketPeer.open(port, '/leaving')
  await socket.closed
  assert.deepEqual(
    socket.messages.map(text => (JSON.parse(text) as { data?: unknown }).data).filter(data => data !== undefined),
    ['word'],
  )
})
