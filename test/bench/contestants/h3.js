/** h3 2 with crossws. */
import {
  createEventStream,
  defineWebSocketHandler,
  getQuery,
  getRouterParam,
  getRouterParams,
  H3,
  readFormData,
  readValidatedBody,
  serve as serveNode,
} from 'h3'
import { answer, controllerPaths, created, HOST, routed, routePaths, tokens, userSchema } from '../fixtures.js'

export const packages = ['h3', 'crossws', 'srvx', 'zod']

async function serve(app, plugins = []) {
  const server = serveNode(app, { port: 0, hostname: HOST, silent: true, plugins })
  await server.ready()
  return { server, port: Number(new URL(server.url).port) }
}

export async function http() {
  const User = await userSchema()
  const app = new H3()
  app.get('/json', () => answer())
  app.get('/users/:user/posts/:post', event => ({ ...getRouterParams(event), limit: getQuery(event).limit }))
  app.post('/users', async event => created(await readValidatedBody(event, User)))
  return serve(app)
}

export async function routes({ count }) {
  const app = new H3()
  for (const path of routePaths(count)) app.get(path, event => routed(getRouterParam(event, 'id')))
  return serve(app)
}

export async function start({ count }) {
  const app = new H3()
  for (const { prefix, paths } of controllerPaths(count)) {
    for (const path of paths) app.get(prefix + path, event => routed(getRouterParam(event, 'id')))
  }
  return serve(app)
}

/** `push` takes text: the JSON is made once. */
export async function sse() {
  const app = new H3()
  const streams = new Set()
  app.get('/sse', event => {
    const stream = createEventStream(event)
    stream.push('connected') // the head waits for the first event
    streams.add(stream)
    stream.onClosed(() => streams.delete(stream))
    return stream.send()
  })
  let id = 0
  const send = data => {
    const message = { id: `${++id}`, event: 'update', data: JSON.stringify(data) }
    for (const stream of streams) stream.push(message)
  }
  return { ...(await serve(app)), send }
}

export async function generator() {
  const app = new H3()
  app.get('/tokens', event => {
    const stream = createEventStream(event)
    const feed = async () => {
      for await (const token of tokens()) await stream.push(JSON.stringify(token))
      await stream.close()
    }
    feed()
    return stream.send()
  })
  return serve(app)
}

async function withSockets(app) {
  const { plugin: sockets } = await import('crossws/server')
  return [sockets({ resolve: async request => (await app.fetch(request)).crossws })]
}

export async function ws() {
  const app = new H3()
  const peers = new Set()
  const hooks = { open: peer => peers.add(peer), close: peer => peers.delete(peer) }
  app.get('/ws', defineWebSocketHandler(hooks))
  const send = data => {
    const text = JSON.stringify({ event: 'update', data })
    for (const peer of peers) peer.send(text)
  }
  return { ...(await serve(app, await withSockets(app))), send }
}

export async function echo() {
  const app = new H3()
  app.get('/ws', defineWebSocketHandler({ message: (peer, message) => peer.send(message.text()) }))
  return serve(app, await withSockets(app))
}

/** h3 reads a form whole. */
export async function upload() {
  const app = new H3()
  app.post('/upload', async event => ({ size: (await readFormData(event)).get('file').size }))
  return serve(app)
}
