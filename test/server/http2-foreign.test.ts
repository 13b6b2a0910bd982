/** The application inside of servers of `node:http2` that somebody else has made. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type SecureServerOptions,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import express from 'express'
import Fastify from 'fastify'
import helmet from 'helmet'
import {
  type Application,
  type ApplicationOptions,
  Body,
  bootstrap,
  type CloseReason,
  type Context,
  Controller,
  Ctx,
  EventStream,
  forbidden,
  Get,
  Guard,
  Post,
  reply,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { collecting, moduleOf } from '../support/serve.js'
import { ask, extendedConnect, openEvents, openSession, openSocketOn, read, tls, wires } from '../support/wires.js'

const reasons: CloseReason['kind'][] = []

@Controller()
class Routes {
  @Get('/') get(@Ctx() context: Context) {
    return { host: context.header('host'), secure: context.secure, version: context.header(':scheme') }
  }
  @Post('/') post(@Body() body: unknown) {
    return { body }
  }
  @Get('/fields') fields() {
    return reply('fields', { headers: { Connection: 'close', 'Set-Cookie': ['a=1', 'b=2'] } })
  }
  @Get('/broken') async *broken() {
    yield 'first'
    throw new Error('failed on purpose')
  }
}

@Sse('/events')
class Events {
  open(stream: EventStream) {
    stream.every(5, 'tick')
    return 'hello'
  }
  info() {
    return 'tick'
  }
  close(reason: CloseReason) {
    reasons.push(reason.kind)
  }
}

@WebSocket('/echo')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
  close(reason: CloseReason) {
    reasons.push(reason.kind)
  }
}

@WebSocket('/closed')
@Guard(() => forbidden('not you'))
class Closed {
  open() {}
}

type Foreign = Http2Server | Http2SecureServer
type Join = (server: Foreign, app: Application) => void

async function unheard(t: TestContext, options: ApplicationOptions = {}) {
  const module = moduleOf({ controllers: [Routes, Events, Echo, Closed] })
  const app = await bootstrap(module, { listen: false, logger: collecting([]), ...options })
  t.after(() => app.close({ deadline: 0 }))
  return app
}

async function listening(t: TestContext, server: Foreign): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const settings = { enableConnectProtocol: true }
const secure: SecureServerOptions = { key: tls.key, cert: tls.cert, allowHTTP1: true, settings }
const [, http1] = wires

for (const [scheme, make] of [
  ['http', () => createServer({ settings })],
  ['https', () => createSecureServer(secure)],
] as const)
  for (const [way, join] of [
    ['app.attach', (server, app) => app.attach(server)],
    [
      'app.handler and app.upgrade',
      (server, app) => server.on('request', app.handler).on('connect', app.upgrade).on('upgrade', app.upgrade),
    ],
  ] as const satisfies (readonly [string, Join])[])
    describe(`${way} on a server of HTTP/2, ${scheme}`, () => {
      async function open(t: TestContext, options: ApplicationOptions = {}) {
        const app = await unheard(t, options)
        const server = make()
        join(server, app)
        const port = await listening(t, server)
        const session = await openSession(port, scheme)
        t.after(() => session.destroy())
        return { app, port, session }
      }

      test('serves requests, their bodies, HEAD, fields and refusals, without a warning', async t => {
        const { session } = await open(t, { use: [helmet()] })
        const { text, headers } = await ask(session, { ':path': '/' })
        const { host: told, ...rest } = JSON.parse(text)
        assert.match(told, /^127\.0\.0\.1:\d+$/)
        assert.deepEqual(rest, { secure: scheme === 'https', version: scheme })
        assert.equal(headers['x-content-type-options'], 'nosniff')
        const post = { ':method': 'POST', ':path': '/', 'content-type': 'application/json' }
        assert.deepEqual(JSON.parse((await ask(session, post, '{"a":1}')).text), { body: { a: 1 } })
        const fields = await ask(session, { ':path': '/fields' })
        assert.deepEqual([fields.headers.connection, fields.headers['set-cookie']], [undefined, ['a=1', 'b=2']])
        const head = await ask(session, { ':method': 'HEAD', ':path': '/fields' })
        assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '6', ''])
        assert.equal((await ask(session, { ':path': '/none' })).status, 404)
        assert.equal((await ask(session, { ':method': 'PUT', ':path': '/' })).status, 405)
      })

      test('a reply that fails is reset, and so is a body that is given up', async t => {
        const { session } = await open(t)
        const broken = await ask(session, { ':path': '/broken' })
        assert.deepEqual([broken.text, broken.code], ['first', constants.NGHTTP2_INTERNAL_ERROR])
        const post = session.request({ ':method': 'POST', ':path': '/', 'content-length': '10' })
        const answer = read(post)
        post.write('x', () => post.close(constants.NGHTTP2_CANCEL))
        assert.equal((await answer).status, Number.NaN)
        assert.equal((await ask(session, { ':path': '/fields' })).text, 'fields')
      })

      test('serves event streams, which hear their peers leave', async t => {
        const { app, session } = await open(t)
        const [one, other] = [await openEvents(session, '/events'), await openEvents(session, '/events')]
        await one.hears('data: hello\n\ndata: tick\n\n')
        await other.hears('data: hello\n\ndata: tick\n\n')
        one.raw.destroy()
        await eventually('one has left', () => app.connections === 1)
        await app.close({ deadline: 1000 })
        const { text, whole } = await other.end()
        assert.match(text, /retry: \d+\n\n$/)
        assert.ok(whole)
        assert.equal(reasons.at(-1), 'drain')
      })

      test('opens WebSockets by extended CONNECT (RFC 8441), and refuses them with ordinary answers', async t => {
        const { app, session } = await open(t)
        const socket = await openSocketOn(session, '/echo')
        await socket.send('text', 'hi')
        assert.equal(await socket.readText(), 'hi')
        assert.equal((await read(session.request(extendedConnect('/closed'), { endStream: false }))).status, 403)
        assert.equal((await read(session.request(extendedConnect('/none'), { endStream: false }))).status, 404)
        assert.equal((await ask(session, { ':path': '/echo' })).status, 405)
        socket.raw.destroy()
        await eventually('it has left', () => app.connections === 0)
      })

      if (scheme === 'https')
        test('serves those who speak HTTP/1.1: requests, event streams, WebSockets', async t => {
          const { port } = await open(t)
          const socket = await http1?.openSocket(port, '/echo')
          await socket?.send('text', 'hi')
          assert.equal(await socket?.readText(), 'hi')
          socket?.raw.destroy()
          const events = await http1?.openStream(port, '/events')
          await events?.hears('data: tick')
          events?.raw.destroy()
          const refused = await http1?.refused(port, '/closed')
          assert.equal(refused?.status, 403)
        })
    })

test('what has no route goes to next(), over HTTP/2 as over HTTP/1.1', async t => {
  const app = await unheard(t)
  const server = createServer((request, response) =>
    app.handler(request, response, () => {
      response.writeHead(418, { Connection: 'close' })
      response.end('mine')
    }),
  )
  const session = await openSession(await listening(t, server), 'http')
  t.after(() => session.destroy())
  assert.equal((await ask(session, { ':path': '/fields' })).text, 'fields')
  assert.deepEqual((await ask(session, { ':path': '/none' })).text, 'mine')
})

test('in Fastify over HTTP/2: requests, event streams, sockets, and what Fastify answers itself', async t => {
  const app = await unheard(t)
  const fastify = Fastify({ http2: true })
  fastify.addHook('onRequest', (request, reply, done) => app.handler(request.raw, reply.raw, done as () => void))
  fastify.get('/mine', async (_, reply) => reply.header('x-mine', '1').send({ mine: true }))
  fastify.server.on('connect', app.upgrade)
  fastify.server.on('session', each => each.settings(settings))
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  const session = await openSession((fastify.server.address() as AddressInfo).port, 'http')
  t.after(() => {
    session.destroy() // Fastify waits 72 seconds for it
    return fastify.close()
  })
  assert.equal((await ask(session, { ':path': '/fields' })).text, 'fields')
  const mine = await ask(session, { ':path': '/mine' })
  assert.deepEqual([mine.text, mine.headers['x-mine']], ['{"mine":true}', '1'])
  const events = await openEvents(session, '/events')
  await events.hears('data: tick\n\n')
  events.raw.destroy()
  await eventually('it offers extended CONNECT', () => session.remoteSettings.enableConnectProtocol)
  const socket = await openSocketOn(session, '/echo')
  await socket.send('text', 'hi')
  assert.equal(await socket.readText(), 'hi')
  socket.raw.destroy()
})

test('CONNECTs without a route go to next(), as they came', async t => {
  const app = await unheard(t)
  const server = createServer({ settings }, app.handler)
  server.on('connect', (request, response) =>
    app.upgrade(request, response, undefined, () => {
      response.writeHead(418)
      response.end(request.method)
    }),
  )
  const session = await openSession(await listening(t, server), 'http')
  t.after(() => session.destroy())
  const socket = await openSocketOn(session, '/echo')
  await socket.send('text', 'hi')
  assert.equal(await socket.readText(), 'hi')
  for (const headers of [extendedConnect('/none'), { ':method': 'CONNECT', ':authority': 'a:80' }]) {
    const { status, text } = await ask(session, headers)
    assert.deepEqual([status, text], [418, 'CONNECT'])
  }
})

test('CONNECT over HTTP/1.1 opens no tunnel', async t => {
  const app = await unheard(t)
  const server = createSecureServer(secure)
  app.attach(server)
  const port = await listening(t, server)
  const { connect } = await import('node:tls')
  const socket = connect({ port, host: '127.0.0.1', ca: tls.cert, ALPNProtocols: ['http/1.1'] })
  await once(socket, 'secureConnect')
  const peer = RawPeer.over(socket, () => socket.destroy())
  await peer.write('CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n')
  await peer.closed
  assert.equal(peer.received, '')
})

describe('wrong use says what to do', () => {
  const handler =
    "app.handler takes a request and a response of node:http or node:http2: give it to createServer(app.handler), or to server.on('request', app.handler)"
  const upgrade =
    "app.upgrade takes what a server tells of an upgrade: server.on('upgrade', app.upgrade), and over HTTP/2 server.on('connect', app.upgrade)"
  const attach =
    'app.attach takes a server of node:http, node:https or node:http2: inside of Express or Fastify, give them app.handler'

  test('app.attach of what is no server', async t => {
    const app = await unheard(t)
    for (const wrong of [express(), undefined, createHttp])
      assert.throws(() => app.attach(wrong as never), new TypeError(attach))
  })

  test('app.handler as a listener of streams, app.upgrade as one of requests', async t => {
    const app = await unheard(t)
    const server = createServer()
    const told = new Promise<Error>(resolve =>
      server.on('stream', (stream, headers) => {
        try {
          app.handler(stream as never, headers as never)
        } catch (error) {
          resolve(error as Error)
        }
        stream.respond({ ':status': 200 }, { endStream: true })
      }),
    )
    const session = await openSession(await listening(t, server), 'http')
    t.after(() => session.destroy())
    await ask(session, { ':path': '/' })
    assert.deepEqual(await told, new TypeError(handler))
    assert.throws(() => app.handler(new Request('http://a/') as never, undefined as never), new TypeError(handler))
    assert.throws(() => app.upgrade({ httpVersionMajor: 1 } as never, {} as never), new TypeError(upgrade))
  })
})
