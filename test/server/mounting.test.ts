import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import express from 'express'
import helmet from 'helmet'
import { WebSocket as Peer, WebSocketServer } from 'ws'
import {
  type ApplicationOptions,
  bootstrap,
  Controller,
  Ctx,
  Get,
  type Middleware,
  type MountOptions,
  mount,
  Post,
  type RequestContext,
} from '../../src/index.js'
import { Echo, Events } from '../support/hello.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { collecting, moduleOf, serve } from '../support/serve.js'
import { frame, handshake, WebSocketPeer } from '../support/websocket-peer.js'

@Controller('/things')
class Things {
  @Get() show(@Ctx() { request, response, path, originalPath }: RequestContext) {
    const isNodes =
      Object.getPrototypeOf(request) === IncomingMessage.prototype &&
      Object.getPrototypeOf(response) === ServerResponse.prototype
    return { path, originalPath, isNodes }
  }
}

async function unheard(t: TestContext, options: ApplicationOptions = {}) {
  const module = moduleOf({ controllers: [Things, Events, Echo] })
  const app = await bootstrap(module, { listen: false, logger: collecting([]), ...options })
  t.after(() => app.close({ deadline: 0 }))
  return app
}

async function listening(t: TestContext, server: Server) {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function echoed(port: number, path: string): Promise<string> {
  const peer = new Peer(`ws://127.0.0.1:${port}${path}`)
  return new Promise((resolve, reject) => {
    peer.on('error', reject)
    peer.on('open', () => peer.send('hi'))
    peer.on('message', data => {
      resolve(String(data))
      peer.terminate()
    })
  })
}

describe('inside Express', () => {
  test('routes are served, and what has none goes on to Express', async t => {
    const app = await unheard(t)
    const outer = express()
    outer.use('/api', app.handler)
    outer.use(app.handler)
    outer.post('/things', (_, response) => void response.send('Express takes POST'))
    outer.get('/echo', (_, response) => void response.send('Express has a page there'))
    outer.use((_, response) => void response.status(404).send('Express knows nothing'))
    const port = await listening(t, createServer(outer as unknown as RequestListener))
    const { path, originalPath } = (await send(port, 'GET /things')).json() as Record<string, string>
    assert.deepEqual([path, originalPath], ['/things', '/things'])
    const under = (await send(port, 'GET /api/things?a=1')).json() as Record<string, string>
    assert.deepEqual([under.path, under.originalPath], ['/things', '/api/things'])
    assert.equal((await send(port, 'POST /things')).text, 'Express takes POST')
    assert.equal((await send(port, 'GET /echo')).text, 'Express has a page there')
    assert.equal((await send(port, 'GET /nowhere')).text, 'Express knows nothing')
  })

  test('P49: event streams and sockets are served', async t => {
    const app = await unheard(t)
    const server = createServer(express().use(app.handler) as unknown as RequestListener)
    server.on('upgrade', app.upgrade)
    const port = await listening(t, server)
    assert.equal(await echoed(port, '/echo'), 'hi')
    const peer = await RawPeer.connect(port)
    await peer.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.readUntil('data: hello\n')
    peer.destroy()
  })
})

describe('inside any server of node:http', () => {
  test('what has no route is 404, without a next()', async t => {
    const app = await unheard(t)
    const port = await listening(t, createServer(app.handler))
    assert.deepEqual((await send(port, 'GET /things')).json(), {
      path: '/things',
      originalPath: '/things',
      isNodes: true,
    })
    assert.equal((await send(port, 'GET /nowhere')).status, 404)
    assert.equal((await send(port, 'POST /things')).status, 405)
  })

  test('P49: upgrades without a route go on to next(), with the socket as it came', async t => {
    const app = await unheard(t)
    const server = createServer()
    server.on('upgrade', (request, socket, head) =>
      app.upgrade(request, socket as Socket, head, () => void socket.end('HTTP/1.1 418 Mine\r\n\r\n')),
    )
    const port = await listening(t, server)
    assert.equal(await echoed(port, '/echo'), 'hi')
    assert.match(await rawRequest(port, handshake('/elsewhere')), /^HTTP\/1\.1 418 Mine/)
    assert.match(await rawRequest(port, handshake('/echo', { Upgrade: 'other' })), /^HTTP\/1\.1 418 Mine/)
  })
})

describe('with another application under a path', () => {
  const old = express()
  old.get('/page', (request, response) => void response.json([request.url, request.originalUrl]))
  old.get('/fails', () => {
    throw Object.assign(new Error('gone wrong'), { status: 410, expose: true })
  })
  old.post('/things', (_, response) => void response.send('old things'))

  @Controller('/old')
  class Newer {
    @Get('/things') things(@Ctx() { request, response }: RequestContext) {
      const isNodes =
        Object.getPrototypeOf(request) === IncomingMessage.prototype &&
        Object.getPrototypeOf(response) === ServerResponse.prototype
      return { isNodes, url: request.url }
    }
    @Post('/things') shadowed() {
      return 'unreached'
    }
  }
  const controllers = [Things, Newer]
  const use = [mount('/old', old as unknown as Middleware)]

  test('it answers there, and sees the path without the mount’s', async t => {
    const { port } = await serve(t, { controllers }, { use })
    assert.deepEqual((await send(port, 'GET /old/page?a=1')).json(), ['/page?a=1', '/old/page?a=1'])
    assert.deepEqual((await send(port, 'GET http://a.example/old/page')).json(), ['/page', 'http://a.example/old/page'])
    assert.equal((await send(port, 'POST /old/things')).text, 'old things')
  })

  test('what it passes on comes to our routes as it was, and so does everything else', async t => {
    const { port } = await serve(t, { controllers }, { use })
    assert.deepEqual((await send(port, 'GET /old/things')).json(), { isNodes: true, url: '/old/things' })
    assert.equal(((await send(port, 'GET /things')).json() as { isNodes: boolean }).isNodes, true)
    assert.equal((await send(port, 'GET /older')).status, 404)
    assert.equal((await send(port, 'GET /old')).status, 404)
  })

  test('its static files, streams, redirects and error handlers are its own', async t => {
    const folder = await mkdtemp(join(tmpdir(), 'palomino-'))
    t.after(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'page.txt'), 'x'.repeat(100_000))
    const other = express()
    other.use('/files', express.static(folder))
    other.get('/away', (_, response) => void response.redirect('page'))
    other.get('/fails', () => {
      throw new Error('inside')
    })
    other.use(((error, _request, response, _next) => {
      response.status(418).send(`its own: ${error.message}`)
    }) as express.ErrorRequestHandler)
    const { port, log } = await serve(t, { controllers }, { use: [mount('/old', other as unknown as Middleware)] })
    assert.equal((await send(port, 'GET /old/files/page.txt')).text.length, 100_000)
    const part = await send(port, 'GET /old/files/page.txt', { headers: { Range: 'bytes=0-9' } })
    assert.deepEqual([part.status, part.text], [206, 'x'.repeat(10)])
    assert.equal((await send(port, 'GET /old/files/missing.txt')).status, 404)
    assert.equal((await send(port, 'GET /old/away')).headers.location, 'page')
    const failed = await send(port, 'GET /old/fails')
    assert.deepEqual([failed.status, failed.text], [418, 'its own: inside'])
    assert.deepEqual(log, [])
  })

  test('whom it believes is its own affair', async t => {
    const [other, trusting] = [express(), express().set('trust proxy', true)]
    for (const each of [other, trusting])
      each.get('/ip', (request, response) => void response.json([request.ip, request.protocol, request.secure]))
    const headers = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https' }
    const use = [mount('/other', other as unknown as Middleware), mount('/trusting', trusting as unknown as Middleware)]
    const { port } = await serve(t, { controllers }, { use })
    assert.deepEqual((await send(port, 'GET /other/ip', { headers })).json(), ['127.0.0.1', 'http', false])
    assert.deepEqual((await send(port, 'GET /trusting/ip', { headers })).json(), ['203.0.113.7', 'https', true])
  })

  test('exchanges that it does not serve are untouched, also behind one that it served on the same connection', async t => {
    const { port } = await serve(t, { controllers }, { use })
    const peer = await RawPeer.connect(port)
    for (const path of ['/old/page', '/things', '/old/page', '/old/things', '/things']) {
      await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const body = path === '/old/page' ? '["/page","/old/page"]' : /"isNodes":true.*\}/
      await peer.readUntil(body)
    }
    peer.destroy()
  })

  test('its WebSockets are its own, beside ours', async t => {
    const sockets = new WebSocketServer({ noServer: true, clientTracking: true })
    const urls: (string | undefined)[] = []
    const upgrade: MountOptions['upgrade'] = (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, peer => {
        urls.push(request.url)
        peer.on('message', data => peer.send(`old ${data}`))
      })
    const { port } = await serve(
      t,
      { controllers: [...controllers, Echo] },
      { use: [helmet() as Middleware, mount('/old', old as unknown as Middleware, { upgrade })] },
    )
    assert.equal(await echoed(port, '/old/chat?a=1'), 'old hi')
    assert.equal(await echoed(port, '/echo'), 'hi')
    assert.deepEqual(urls, ['/chat?a=1'])
    const early = await WebSocketPeer.open(port, '/old/chat', { early: [frame('text', 'early')] })
    assert.equal(await early.readText(), 'old early', 'what came right behind the handshake is not lost')
    early.raw.destroy()
  })

  test('without them, an upgrade request is one like any other to it', async t => {
    const { port } = await serve(t, { controllers }, { use })
    assert.match(await rawRequest(port, handshake('/old/page')), /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(await rawRequest(port, handshake('/old/nowhere')), /^HTTP\/1\.1 404 /)
  })

  test('what fails in it is answered as every error is', async t => {
    const { port } = await serve(t, { controllers }, { use })
    const answer = await send(port, 'GET /old/fails')
    assert.equal(answer.status, 410)
    assert.deepEqual(answer.json(), { type: 'about:blank', title: 'Gone', status: 410, detail: 'gone wrong' })
  })
})
