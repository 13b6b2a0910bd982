/** Fastify 5 with @fastify/sse, @fastify/websocket and @fastify/multipart, as their documentation shows. */
import Fastify from 'fastify'
import {
  answer,
  certificate,
  controllerPaths,
  created,
  HOST,
  routed,
  routePaths,
  tokens,
  userSchema,
} from '../fixtures.js'

export const packages = ['fastify', '@fastify/sse', '@fastify/websocket', '@fastify/multipart', 'zod']

async function serve(app) {
  await app.listen({ port: 0, host: HOST, backlog: 4096 })
  return { port: app.server.address().port }
}

export async function http({ tls = false }) {
  const User = await userSchema()
  const app = Fastify(tls ? { https: await certificate() } : {})
  app.get('/json', async () => answer())
  app.get('/users/:user/posts/:post', async request => ({ ...request.params, limit: request.query.limit }))
  const validatorCompiler = ({ schema }) => {
    return data => {
      const { success, data: value, error } = schema.safeParse(data)
      return success ? { value } : { error }
    }
  }
  app.post('/users', { schema: { body: User }, validatorCompiler }, async request => created(request.body))
  return serve(app)
}

export async function routes({ count }) {
  const app = Fastify()
  for (const path of routePaths(count)) app.get(path, async request => routed(request.params.id))
  return serve(app)
}

export async function start({ count }) {
  const app = Fastify()
  for (const { prefix, paths } of controllerPaths(count)) {
    app.register(
      async area => {
        for (const path of paths) area.get(path, async request => routed(request.params.id))
      },
      { prefix },
    )
  }
  return serve(app)
}

export async function sse({ best = false, keepAlive }) {
  const app = Fastify()
  const options = { ...(best && { serializer: text => text }), ...(keepAlive && { heartbeatInterval: keepAlive }) }
  await app.register(import('@fastify/sse'), options)
  const streams = new Set()
  app.get('/sse', { sse: 'only' }, async (_request, reply) => {
    reply.sse.keepAlive()
    await reply.sse.send({ data: 'connected' }) // the head waits for the first event
    streams.add(reply.sse)
    reply.sse.onClose(() => streams.delete(reply.sse))
  })
  let id = 0
  const send = data => {
    const message = { id: `${++id}`, event: 'update', data: best ? JSON.stringify(data) : data }
    for (const stream of streams) stream.send(message)
  }
  return { ...(await serve(app)), send }
}

export async function generator() {
  const app = Fastify()
  await app.register(import('@fastify/sse'))
  app.get('/tokens', { sse: 'only' }, async (_request, reply) => {
    await reply.sse.send(
      (async function* () {
        for await (const data of tokens()) yield { data }
      })(),
    )
  })
  return serve(app)
}

export async function ws({ deflate = false }) {
  const app = Fastify()
  await app.register(import('@fastify/websocket'), { options: { perMessageDeflate: deflate } })
  app.get('/ws', { websocket: true }, () => {})
  const send = data => {
    const text = JSON.stringify({ event: 'update', data })
    for (const socket of app.websocketServer.clients) socket.send(text)
  }
  return { ...(await serve(app)), send }
}

export async function echo() {
  const app = Fastify()
  await app.register(import('@fastify/websocket'))
  app.get('/ws', { websocket: true }, socket => {
    socket.on('message', (message, binary) => socket.send(message, { binary }))
  })
  return serve(app)
}

export async function upload() {
  const app = Fastify()
  await app.register(import('@fastify/multipart'), { limits: { fileSize: 1e9 } })
  app.post('/upload', async request => {
    const { file } = await request.file()
    let size = 0
    for await (const chunk of file) size += chunk.length
    return { size }
  })
  return serve(app)
}
