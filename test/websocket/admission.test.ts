import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket as Client } from 'ws'
import {
  type Context,
  ContextKey,
  Controller,
  Get,
  Guard,
  Header,
  HttpError,
  Intercept,
  int,
  MapError,
  type Middleware,
  Param,
  Query,
  RequestContext,
  reply,
  Socket,
  unauthorized,
  upgrade,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { rawRequest } from '../support/raw-peer.js'
import { frame, handshake, WebSocketPeer } from '../support/websocket-peer.js'

/** What a refused upgrade heard: status, one field, and the body. */
async function refusal(port: number, path: string, fields: Record<string, string> = {}) {
  const [head = '', body = ''] = (await rawRequest(port, handshake(path, fields))).split('\r\n\r\n', 2)
  return { status: Number(head.split(' ')[1]), head, body }
}

test('B11: a guard refuses with an ordinary answer, its fields included', async t => {
  class Closed {
    admit() {
      return unauthorized('who are you?', { headers: { 'WWW-Authenticate': 'Bearer' } })
    }
  }
  const guards = {
    '/false': () => false,
    '/error': () => unauthorized(),
    '/throws': () => {
      throw unauthorized()
    },
    '/async': async () => false,
    '/reply': () => reply({ no: 'way' }, { status: 451, headers: { Link: '<https://a.example>' } }),
  }
  const sockets = Object.entries(guards).map(([path, guard]) => {
    @WebSocket(path)
    @Guard(guard)
    class Refused {
      open() {
        assert.fail('it was refused')
      }
    }
    return Refused
  })
  @WebSocket('/class')
  @Guard(Closed)
  class ByClass {
    open() {}
  }
  const { port, app } = await serve(t, [...sockets, ByClass])
  const statuses = await Promise.all(Object.keys(guards).map(async path => (await refusal(port, path)).status))
  assert.deepEqual(statuses, [403, 401, 401, 403, 451])
  const { head, status, body } = await refusal(port, '/class')
  assert.equal(status, 401)
  assert.match(head, /\r\nWWW-Authenticate: Bearer\r\n/)
  assert.equal(JSON.parse(body).detail, 'who are you?')
  const byReply = await refusal(port, '/reply')
  assert.match(byReply.head, /\r\nLink: <https:\/\/a.example>\r\n/)
  assert.deepEqual(JSON.parse(byReply.body), { no: 'way' })
  assert.equal(app.connections, 0)
})

test('B11: a guard that fails is 500, logged, and says nothing of it', async t => {
  @WebSocket('/broken')
  @Guard(() => {
    throw new Error('the password is 1234')
  })
  class Broken {
    open() {}
  }
  const { port, log } = await serve(t, [Broken])
  const { status, body } = await refusal(port, '/broken')
  assert.equal(status, 500)
  assert.ok(!body.includes('1234'))
  assert.match(log.messages.join(), /Broken failed/)
})

test('B12: params, query and header fields are read and validated before the 101', async t => {
  @WebSocket('/rooms/:room')
  class Room {
    open(_socket: Socket, @Param('room', int()) room: number, @Query('at') at: string, @Header('x-name') name: string) {
      return { room, at, name }
    }
  }
  const { port } = await serve(t, [Room])
  const bad = await refusal(port, '/rooms/lobby')
  assert.equal(bad.status, 400)
  assert.deepEqual(JSON.parse(bad.body).issues[0].path, ['room'])
  const peer = await WebSocketPeer.open(port, '/rooms/7?at=noon', { fields: { 'X-Name': 'Ada' } })
  assert.deepEqual(await peer.readJson(), { room: 7, at: 'noon', name: 'Ada' })
  peer.raw.destroy()
})

test('an interceptor may answer in place of the 101, and may fail before it', async t => {
  const seen: string[] = []
  const counted = async (_context: Context, next: () => Promise<unknown>) => {
    seen.push('before')
    const result = await next()
    seen.push('after')
    return result
  }
  @WebSocket('/full')
  @Intercept(() => reply('come back later', { status: 503, headers: { 'Retry-After': '9' } }))
  class Full {
    open() {
      assert.fail('it was answered')
    }
  }
  @WebSocket('/fails')
  @Intercept(() => {
    throw new HttpError(409, 'taken')
  })
  class Fails {
    open() {}
  }
  @WebSocket('/passes')
  @Intercept(counted)
  class Passes {
    open() {
      seen.push('open')
      return 'hello'
    }
  }
  const { port } = await serve(t, [Full, Fails, Passes])
  const full = await refusal(port, '/full')
  assert.deepEqual([full.status, full.body], [503, 'come back later'])
  assert.equal((await refusal(port, '/fails')).status, 409)
  const peer = await WebSocketPeer.open(port, '/passes')
  assert.equal(await peer.readText(), 'hello')
  assert.deepEqual(seen, ['before', 'open', 'after'])
  peer.raw.destroy()
})

test('an error mapper turns what a guard threw into its answer', async t => {
  class Unknown extends Error {}
  @WebSocket('/mapped')
  @MapError(Unknown, () => new HttpError(418, 'a teapot'))
  @Guard(() => {
    throw new Unknown()
  })
  class Mapped {
    open() {}
  }
  const { port } = await serve(t, [Mapped])
  assert.equal((await refusal(port, '/mapped')).status, 418)
})

test('a constructor that fails is 500 before the 101', async t => {
  @WebSocket('/unmakable')
  class Unmakable {
    constructor() {
      throw new Error('no')
    }
    open() {}
  }
  const { port, log } = await serve(t, [Unmakable])
  assert.equal((await refusal(port, '/unmakable')).status, 500)
  assert.equal(log.errors.length, 1)
})

test('B25: fields and cookies that middleware and guards set go out with the 101', async t => {
  const cookies: Middleware = (_request, response, next) => {
    response.setHeader('Set-Cookie', ['a=1; HttpOnly', 'b=2'])
    response.setHeader('Connection', 'close')
    response.setHeader('Content-Length', '5')
    next()
  }
  @WebSocket('/cookies')
  @Guard(context => {
    if (context instanceof RequestContext) context.response.setHeader('X-Guard', 'seen')
    return true
  })
  class Cookies {
    open() {}
  }
  const { port } = await serve(t, [Cookies], { use: [cookies] })
  const { head, raw } = await WebSocketPeer.open(port, '/cookies')
  assert.match(head, /\r\nset-cookie: a=1; HttpOnly\r\nset-cookie: b=2\r\n/i)
  assert.match(head, /\r\nx-guard: seen\r\n/i)
  assert.doesNotMatch(head, /close|content-length/i)
  raw.destroy()
})

test('middleware may answer an upgrade itself, and a failing one is 500', async t => {
  const teapot: Middleware = (request, response, next) => {
    if (request.url === '/a') response.writeHead(418, { 'Content-Length': 15 }).end('short and stout')
    else next(new Error('broken'))
  }
  @WebSocket('/a')
  class A {
    open() {}
  }
  const { port, log } = await serve(t, [A], { use: [teapot] })
  assert.equal((await refusal(port, '/a')).body, 'short and stout')
  assert.equal((await refusal(port, '/b')).status, 500)
  assert.equal(log.errors.length, 1)
})

test('B25: the first of our subprotocols that the peer offers is agreed on; none is an agreement, too', async t => {
  @WebSocket('/spoken', { protocols: ['v2.chat', 'v1.chat'] })
  class Spoken {
    open(socket: Socket) {
      return `spoken: ${socket.protocol}`
    }
  }
  const { port } = await serve(t, [Spoken])
  const offers: [string | undefined, string][] = [
    ['v1.chat, v2.chat', 'v2.chat'],
    ['v1.chat', 'v1.chat'],
    ['soap', ''],
    [undefined, ''],
  ]
  for (const [offered, agreed] of offers) {
    const peer = await WebSocketPeer.open(port, '/spoken', { fields: { 'Sec-WebSocket-Protocol': offered } })
    const [, told = ''] = /Sec-WebSocket-Protocol: (.*)\r\n/.exec(peer.head) ?? []
    assert.equal(told, agreed)
    assert.equal(await peer.readText(), `spoken: ${agreed}`)
    peer.raw.destroy()
  }
})

test('permessage-deflate is agreed on where the route allows it, and 400 where its offer makes no sense', async t => {
  @WebSocket('/small', { perMessageDeflate: true })
  class Small {
    open() {}
  }
  @WebSocket('/plain')
  class Plain {
    open() {}
  }
  const { port } = await serve(t, [Small, Plain])
  const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-webkit-deflate-frame' }
  const small = await WebSocketPeer.open(port, '/small', { fields })
  assert.match(
    small.head,
    /\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n/,
  )
  const plain = await WebSocketPeer.open(port, '/plain', { fields })
  assert.doesNotMatch(plain.head, /Extensions/)
  for (const offer of ['permessage-deflate; server_max_window_bits=99', 'permessage-deflate; unknown', ';;']) {
    const { status, head } = await refusal(port, '/small', { 'Sec-WebSocket-Extensions': offer })
    assert.equal(status, 400)
    assert.match(head, /application\/problem\+json/)
  }
  small.raw.destroy()
  plain.raw.destroy()
})

const user = new ContextKey<string>('user')

test('P39: a GET route may answer an upgrade request with a socket class', async t => {
  @WebSocket()
  @Guard(context => context.get(user) !== 'banned')
  class Live {
    open(socket: Socket, @Query('name') name: string) {
      return [`${socket.get(user)} is ${name} in ${socket.params.room}`]
    }
    message(message: string) {
      return message.toUpperCase()
    }
  }
  @Controller('/rooms')
  class Rooms {
    @Get('/:room/live', { upgrade: [Live] })
    @Guard(context => {
      context.set(user, context.query.name === 'eve' ? 'banned' : 'known')
      return true
    })
    live(@Query('page') page: string | undefined) {
      return page === undefined ? upgrade(Live) : 'a page'
    }
  }
  const { port } = await serve(t, [Live, Rooms])
  const peer = await WebSocketPeer.open(port, '/rooms/7/live?name=ada', { early: [frame('text', 'early')] })
  assert.deepEqual([await peer.readText(), await peer.readText()], ['known is ada in 7', 'EARLY'])
  peer.raw.destroy()

  const plain = await fetch(`http://127.0.0.1:${port}/rooms/7/live`)
  assert.deepEqual([plain.status, plain.headers.get('upgrade')], [426, 'websocket'])
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/rooms/7/live?page=1`)).text(), 'a page')
  assert.equal((await refusal(port, '/rooms/7/live?name=eve')).status, 403)
  assert.equal((await refusal(port, '/rooms/7/live', { Origin: 'http://evil.example' })).status, 403)
  assert.equal((await refusal(port, '/rooms/7/live', { 'Sec-WebSocket-Version': '7' })).status, 426)
  const page = await refusal(port, '/rooms/7/live?page=1')
  assert.deepEqual([page.status, page.body], [200, 'a page'])
})

test('B33: a response that was sent already is not upgraded', async t => {
  @WebSocket('/sent')
  @Guard(context => {
    if (context instanceof RequestContext) context.response.writeHead(410, { 'Content-Length': 4 }).end('gone')
    return true
  })
  class Sent {
    open() {
      assert.fail('it was sent')
    }
  }
  const { port, app } = await serve(t, [Sent])
  const { status, body } = await refusal(port, '/sent')
  assert.deepEqual([status, body], [410, 'gone'])
  assert.equal(app.connections, 0)
})

test('what the guards and the interceptors of the opening leave is there for every message', async t => {
  const step = new ContextKey<string>('step')
  @WebSocket('/state')
  @Intercept((context, next) => {
    context.set(step, 'intercepted')
    return next()
  })
  class Stateful {
    constructor(private readonly socket: Socket) {}
    open() {}
    message() {
      return this.socket.get(step)
    }
  }
  const { port } = await serve(t, [Stateful])
  const client = new Client(`ws://127.0.0.1:${port}/state`)
  t.after(() => client.terminate())
  const heard = new Promise(resolve => client.on('message', data => resolve(String(data))))
  client.on('open', () => client.send('?'))
  assert.equal(await heard, 'intercepted')
})
