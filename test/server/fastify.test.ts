/** Palomino's routes and Fastify's side by side on one server, by Fastify's own means. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo, Socket as NetSocket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import fastify, { type FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import {
  type Application,
  Body,
  bootstrap,
  Controller,
  Ctx,
  Get,
  Post,
  type RequestContext,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { StreamPeer } from '../support/peers.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { collecting, type LogLine, moduleOf } from '../support/serve.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

@Controller('/things')
class Things {
  @Get() show(@Ctx() { path, originalPath }: RequestContext) {
    return { path, originalPath }
  }
  @Post() add(@Body() body: unknown) {
    return { added: body }
  }
}

@Sse('/events')
class Events {
  static closed: string[] = []
  open() {
    return 'hello'
  }
  close({ kind }: { kind: string }) {
    Events.closed.push(kind)
  }
}

@WebSocket('/echo')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

interface Both {
  readonly app: Application
  readonly outer: FastifyInstance
  readonly log: LogLine[]
  listen(): Promise<number>
}

async function both(t: TestContext, made: (app: Application) => FastifyInstance): Promise<Both> {
  const log: LogLine[] = []
  const module = moduleOf({ controllers: [Things, Events, Echo] })
  const app = await bootstrap(module, { listen: false, logger: collecting(log) })
  const outer = made(app)
  outer.get('/fastify', async () => ({ by: 'fastify' }))
  outer.post('/fastify', async request => ({ by: 'fastify', body: request.body }))
  t.after(async () => {
    await app.close({ deadline: 0 })
    await outer.close()
  })
  const listen = async () => {
    await outer.listen({ port: 0, host: '127.0.0.1' })
    return (outer.server.address() as AddressInfo).port
  }
  return { app, outer, log, listen }
}

const options = { forceCloseConnections: true } as const

/** The ways in, each as the README shows it. */
const ways: Record<string, (app: Application) => FastifyInstance> = {
  'a hook, before Fastify reads bodies': app => {
    const outer = fastify(options)
    outer.addHook('onRequest', (request, reply, done) => app.handler(request.raw, reply.raw, done as never))
    return outer
  },
  'serverFactory, in front of Fastify': app =>
    fastify({
      ...options,
      serverFactory: handler =>
        createServer((request, response) => app.handler(request, response, () => handler(request, response))),
    }),
}

for (const [way, made] of Object.entries(ways)) {
  describe(`with Fastify, by ${way}`, () => {
    test('both have their routes, and bodies', async t => {
      const { listen, log } = await both(t, made)
      const port = await listen()
      assert.deepEqual((await send(port, 'GET /things')).json(), { path: '/things', originalPath: '/things' })
      assert.deepEqual((await send(port, 'POST /things', { body: { a: 1 } })).json(), { added: { a: 1 } })
      assert.deepEqual((await send(port, 'GET /fastify')).json(), { by: 'fastify' })
      assert.deepEqual((await send(port, 'POST /fastify', { body: { a: 1 } })).json(), {
        by: 'fastify',
        body: { a: 1 },
      })
      const nowhere = await send(port, 'GET /nowhere')
      assert.equal((nowhere.json() as { message: string }).message, 'Route GET:/nowhere not found')
      assert.deepEqual(log, [])
    })

    test('event streams are served, and their owner learns when the peer is gone', async t => {
      Events.closed = []
      const { listen, app } = await both(t, made)
      const port = await listen()
      const peer = await StreamPeer.open(port, '/events')
      await peer.hears('data: hello\n\n')
      assert.equal(app.connections, 1)
      peer.raw.end()
      await eventually('it has closed', () => Events.closed.length === 1)
      assert.deepEqual(Events.closed, ['peer'])
      peer.raw.destroy()
    })

    test('sockets of both are served', async t => {
      const { listen, app, outer } = await both(t, made)
      const own = new WebSocketServer({ noServer: true })
      outer.server.on('upgrade', (request, socket, head) =>
        app.upgrade(request, socket as NetSocket, head, () => {
          if (request.url !== '/own') return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
          own.handleUpgrade(request, socket, head, peer => peer.send('fastify has sockets'))
        }),
      )
      const port = await listen()
      const ours = await WebSocketPeer.open(port, '/echo')
      await ours.send('text', 'hi')
      assert.equal(await ours.readText(), 'hi')
      const theirs = await WebSocketPeer.open(port, '/own')
      assert.equal(await theirs.readText(), 'fastify has sockets')
      assert.match(await rawRequest(port, handshake('/nowhere')), /^HTTP\/1\.1 404 /)
      ours.raw.destroy()
      theirs.raw.destroy()
    })

    test('draining ends our streams, and leaves Fastify as it is', async t => {
      const { listen, app } = await both(t, made)
      const port = await listen()
      const peer = await StreamPeer.open(port, '/events')
      await app.close()
      assert.equal((await peer.end()).whole, true)
      assert.equal((await send(port, 'GET /fastify')).status, 200)
    })
  })
}

describe('with Fastify, by a route that is hijacked', () => {
  // Fastify reads bodies before a route's handler: where it has no parsers, they are left to Palomino.
  const made = (app: Application) => {
    const outer = fastify(options)
    outer.register(async scope => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
      scope.all('/things', (request, reply) => {
        reply.hijack()
        app.handler(request.raw, reply.raw)
      })
    })
    return outer
  }

  test('that route, and its bodies, are ours', async t => {
    const { listen } = await both(t, made)
    const port = await listen()
    assert.deepEqual((await send(port, 'GET /things')).json(), { path: '/things', originalPath: '/things' })
    assert.deepEqual((await send(port, 'POST /things', { body: { a: 1 } })).json(), { added: { a: 1 } })
    assert.equal((await send(port, 'DELETE /things')).status, 405)
    assert.deepEqual((await send(port, 'POST /fastify', { body: { a: 1 } })).json(), { by: 'fastify', body: { a: 1 } })
    assert.equal((await send(port, 'GET /events')).status, 404)
  })
})
