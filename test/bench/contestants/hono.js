/** Hono 4 on @hono/node-server. */

import { once } from 'node:events'
import { serve as serveNode, upgradeWebSocket } from '@hono/node-server'
import { Hono } from 'hono'
import { answer, controllerPaths, created, HOST, routed, routePaths, tokens, userSchema } from '../fixtures.js'

export const packages = ['hono', '@hono/node-server', 'ws', 'zod']

async function serve(app, options = {}) {
  const server = serveNode({ fetch: app.fetch, port: 0, hostname: HOST, ...options })
  if (!server.listening) await once(server, 'listening')
  return { port: server.address().port }
}

export async function http() {
  const { validator } = await import('hono/validator')
  const User = await userSchema()
  const app = new Hono()
  app.get('/json', c => c.json(answer()))
  app.get('/users/:user/posts/:post', c => c.json({ ...c.req.param(), limit: c.req.query('limit') }))
  const valid = validator('json', (value, c) => {
    const { success, data } = User.safeParse(value)
    return success ? data : c.json({ status: 422 }, 422)
  })
  app.post('/users', valid, c => c.json(created(c.req.valid('json'))))
  return serve(app)
}

export async function routes({ count }) {
  const app = new Hono()
  for (const path of routePaths(count)) app.get(path, c => c.json(routed(c.req.param('id'))))
  return serve(app)
}

export async function start({ count }) {
  const app = new Hono()
  for (const { prefix, paths } of controllerPaths(count)) {
    const area = new Hono()
    for (const path of paths) area.get(path, c => c.json(routed(c.req.param('id'))))
    app.route(prefix, area)
  }
  return serve(app)
}

/** `writeSSE` takes text: the JSON is made once. */
export async function sse() {
  const { streamSSE } = await import('hono/streaming')
  const app = new Hono()
  const streams = new Set()
  app.get('/sse', c =>
    streamSSE(c, async stream => {
      streams.add(stream)
      await new Promise(resolve => stream.onAbort(resolve))
      streams.delete(stream)
    }),
  )
  let id = 0
  const send = data => {
    const message = { id: `${++id}`, event: 'update', data: JSON.stringify(data) }
    for (const stream of streams) stream.writeSSE(message)
  }
  return { ...(await serve(app)), send }
}

export async function generator() {
  const { streamSSE } = await import('hono/streaming')
  const app = new Hono()
  app.get('/tokens', c =>
    streamSSE(c, async stream => {
      for await (const token of tokens()) await stream.writeSSE({ data: JSON.stringify(token) })
    }),
  )
  return serve(app)
}

export async function ws({ deflate = false }) {
  const { WebSocketServer } = await import('ws')
  const app = new Hono()
  const sockets = new Set()
  const events = {
    onOpen: (_event, socket) => sockets.add(socket),
    onClose: (_event, socket) => sockets.delete(socket),
  }
  app.get(
    '/ws',
    upgradeWebSocket(() => events),
  )
  const send = data => {
    const text = JSON.stringify({ event: 'update', data })
    for (const socket of sockets) socket.send(text, { compress: deflate })
  }
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: deflate })
  return { ...(await serve(app, { websocket: { server } })), send }
}

export async function echo() {
  const { WebSocketServer } = await import('ws')
  const app = new Hono()
  app.get(
    '/ws',
    upgradeWebSocket(() => ({ onMessage: (event, socket) => socket.send(event.data) })),
  )
  return serve(app, { websocket: { server: new WebSocketServer({ noServer: true }) } })
}

/** Hono reads a form whole. */
export async function upload() {
  const app = new Hono()
  app.post('/upload', async c => c.json({ size: (await c.req.parseBody()).file.size }))
  return serve(app)
}
