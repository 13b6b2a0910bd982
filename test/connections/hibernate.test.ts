/** What is left of a request for as long as its connection lives, and what a stream or a socket is without any. */
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Controller, EventStream, Get, Sse, stop, WebSocket } from '../../src/index.js'
import { type Actor, type Script, SocketActor, Stage, StreamActor } from '../support/actors.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { collectGarbage } from '../support/garbage.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { rawRequest } from '../support/raw-peer.js'

@Sse('/stream/:name', { keepHeaders: ['X-Kept'] })
class Streams extends StreamActor {}
@WebSocket('/socket/:name', { keepHeaders: ['X-Kept'] })
class Sockets extends SocketActor {}

@Controller('/')
class Methods {
  static closes = 0

  @Get('plain')
  plain() {
    return 'plain'
  }

  @Sse('returns')
  returns() {
    return 'first'
  }

  @Sse('resolves')
  async resolves(stream: EventStream) {
    stream.after(30, 'nobody hears this')
    await sleep(1)
  }

  close() {
    Methods.closes++
  }
}

let served: Served
let stage: Stage
const requests: WeakRef<IncomingMessage>[] = []
const responses: WeakRef<ServerResponse>[] = []
before(async () => {
  const note = (request: IncomingMessage, response: ServerResponse, next: () => void) => {
    requests.push(new WeakRef(request))
    responses.push(new WeakRef(response))
    next()
  }
  served = await start([Streams, Sockets, Methods], { providers: [Stage], use: [note] })
  stage = served.app.get(Stage)
})
after(() => served.app.close())

let names = 0

function script(given: Script): string {
  const name = `n${++names}`
  stage.scripts.set(name, given)
  return name
}

const headers = { 'X-Kept': 'kept', 'X-Other': 'x'.repeat(1000), Cookie: 'c=1' }

describe('P44: B15: B23: an idle connection keeps a small handshake, and works as before', () => {
  const expected = (name: string, path: string, host: string) => ({
    method: 'GET',
    path: `${path}/${name}`,
    params: { name },
    query: { a: '1' },
    headers: { 'x-kept': 'kept' },
    remoteAddress: '127.0.0.1',
    protocol: 'http',
    host,
  })

  function check(actor: Actor, path: string): void {
    const { handshake } = actor.connection
    const host = path === '/socket' ? `127.0.0.1:${served.port}` : 'localhost'
    assert.deepEqual(JSON.parse(JSON.stringify(handshake)), expected(actor.name, path, host))
    assert.ok(Object.isFrozen(handshake))
    assert.ok(Object.isFrozen(handshake.headers))
  }

  test('a stream', async () => {
    const name = script({ info: message => message })
    const peer = await StreamPeer.open(served.port, `/stream/${name}?a=1`, headers)
    const actor = await stage.actor(name)
    check(actor, '/stream')
    collectGarbage()
    actor.connection.tell('awake')
    await peer.hears('data: awake\n\n')
    peer.raw.destroy()
    await actor.ended()
    check(actor, '/stream')
  })

  test('a socket, whose request and response are collected', async () => {
    const name = script({ info: message => message, message: frame => frame })
    requests.length = 0
    responses.length = 0
    const peer = await SocketPeer.open(served.port, `/socket/${name}?a=1`, headers)
    const actor = await stage.actor(name)
    check(actor, '/socket')
    await eventually('nobody holds the request', async () => {
      await new Promise(setImmediate)
      collectGarbage()
      return requests[0]?.deref() === undefined && responses[0]?.deref() === undefined
    })
    assert.equal(requests.length, 1)
    actor.connection.tell('awake')
    peer.ws.send('hello')
    await eventually('both', () => peer.messages.length === 2)
    assert.deepEqual(peer.messages, ['awake', 'hello'])
    peer.ws.close()
    await actor.ended()
  })
})

describe('a stream goes on until somebody ends it', () => {
  test('P24: neither the return nor the end of a method ends it', async () => {
    const first = await StreamPeer.open(served.port, '/returns')
    const second = await StreamPeer.open(served.port, '/resolves')
    await first.hears('data: first\n\n')
    await sleep(50)
    assert.equal(served.app.connections, 2)
    assert.deepEqual([first.read().whole, second.read().whole], [false, false])
    first.raw.destroy()
    second.raw.destroy()
    await eventually('both have gone', () => served.app.connections === 0)
  })

  test('B18: what a handler returns as a list is sent in its order; an empty list is nothing', async () => {
    const name = script({ info: message => message })
    const peer = await StreamPeer.open(served.port, `/stream/${name}`)
    const { connection } = await stage.actor(name)
    connection.tell([])
    connection.tell([{ event: 'a', data: 1 }, 'two', { id: '3', data: 3 }])
    await peer.hears('data: 3\n\n')
    assert.equal(peer.read().text, 'event: a\ndata: 1\n\ndata: two\n\nid: 3\ndata: 3\n\n')
    peer.raw.destroy()
  })

  test('B21: stop() ends it with the final chunk; with reconnect: false, the peer that comes back gets 204', async () => {
    const plain = script({ info: () => stop() })
    const peer = await StreamPeer.open(served.port, `/stream/${plain}`)
    ;(await stage.actor(plain)).connection.tell('stop')
    assert.deepEqual(await peer.end().then(({ text, whole }) => ({ text, whole })), { text: '', whole: true })
    const final = script({ info: () => stop({ reconnect: false }) })
    const leaving = await StreamPeer.open(served.port, `/stream/${final}`)
    const actor = await stage.actor(final)
    actor.connection.tell('stop')
    const { text, whole } = await leaving.end()
    const id = /^id: (.+)$/m.exec(text)?.[1] ?? ''
    assert.equal(whole, true)
    assert.deepEqual(await actor.ended(), { kind: 'stopped' })
    const back = await StreamPeer.open(served.port, `/stream/${final}`, { 'Last-Event-ID': id })
    assert.equal(back.read().status, 204)
    back.raw.destroy()
  })
})

test('P46: open and close come once each, in pairs', async () => {
  const log: string[] = []
  const name = script({ open: () => void log.push('open'), close: ({ kind }) => void log.push(kind) })
  const peer = await SocketPeer.open(served.port, `/socket/${name}`)
  peer.ws.close()
  await (await stage.actor(name)).ended()
  assert.deepEqual(log, ['open', 'peer'])
})

test('B30: a method named close means nothing to ordinary requests', async () => {
  assert.match(await rawRequest(served.port, 'GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /plain$/)
  assert.equal(Methods.closes, 0)
})
