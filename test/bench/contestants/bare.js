/** `node:http` and `ws` with nothing around them: the limit of the platform. */

import { createServer } from 'node:http'
import {
  answer,
  certificate,
  controllerPaths,
  created,
  listen,
  roomsOf,
  routed,
  routePaths,
  tokens,
  userSchema,
} from '../fixtures.js'

export const packages = ['ws', 'busboy', 'zod']

function json(response, body, status = 200) {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}

export async function http({ tls = false }) {
  const User = await userSchema()
  const serve = (request, response) => {
    const { method, url } = request
    if (method === 'GET' && url === '/json') return json(response, answer())
    const query = url.indexOf('?')
    const path = query < 0 ? url : url.slice(0, query)
    const [, users, user, posts, post] = path.split('/')
    if (method === 'GET' && users === 'users' && posts === 'posts') {
      const limit = new URLSearchParams(url.slice(query + 1)).get('limit')
      return json(response, { user: decodeURIComponent(user), post: decodeURIComponent(post), limit })
    }
    if (method === 'POST' && path === '/users') return body(request, response, User)
    json(response, { status: 404 }, 404)
  }
  const { createServer: createSecureServer } = await import('node:https')
  return { port: await listen(tls ? createSecureServer(await certificate(), serve) : createServer(serve)) }
}

function body(request, response, User) {
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    const { success, data } = User.safeParse(JSON.parse(Buffer.concat(chunks).toString()))
    if (success) json(response, created(data))
    else json(response, { status: 422 }, 422)
  })
}

/** A map of the static paths, and of those before a parameter. */
export async function routes({ count }) {
  const table = new Map()
  for (const path of routePaths(count)) table.set(path.replace('/:id', '/'), id => routed(id))
  const server = createServer((request, response) => {
    const { url } = request
    const slash = url.lastIndexOf('/') + 1
    const handler = table.get(url) ?? table.get(url.slice(0, slash))
    if (handler === undefined) return json(response, { status: 404 }, 404)
    json(response, handler(table.has(url) ? undefined : decodeURIComponent(url.slice(slash))))
  })
  return { port: await listen(server) }
}

/** 1,000 routes over 200 classes, as the frameworks with controllers have them. */
export async function start({ count }) {
  const table = new Map()
  for (const { prefix, paths } of controllerPaths(count)) {
    for (const path of paths) table.set(prefix + path.replace('/:id', '/'), id => routed(id))
  }
  const server = createServer((request, response) => json(response, table.get(request.url)?.()))
  return { port: await listen(server) }
}

const HEAD = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' }

export async function sse({ keepAlive, http2 = false }) {
  const streams = new Set()
  let id = 0
  const create = http2 ? (await import('node:http2')).createServer : createServer
  const server = create((_request, response) => {
    response.writeHead(200, HEAD)
    response.flushHeaders()
    streams.add(response)
    const timer = keepAlive && setInterval(() => response.write(':\n\n'), keepAlive)
    response.on('close', () => {
      streams.delete(response)
      clearInterval(timer)
    })
  })
  const send = data => {
    const text = `id: ${++id}\nevent: update\ndata: ${JSON.stringify(data)}\n\n`
    for (const response of streams) response.write(text)
  }
  return { port: await listen(server), send }
}

export async function rooms({ rooms: count }) {
  const members = new Map()
  let next = 0
  let id = 0
  const server = createServer((_request, response) => {
    response.writeHead(200, HEAD)
    response.flushHeaders()
    const own = roomsOf(next++, count)
    for (const room of own) members.set(room, (members.get(room) ?? new Set()).add(response))
    response.on('close', () => own.forEach(room => void members.get(room).delete(response)))
  })
  const send = data => {
    const text = `id: ${++id}\nevent: update\ndata: ${JSON.stringify(data)}\n\n`
    for (const response of members.get('all')) response.write(text)
  }
  return { port: await listen(server), send }
}

export async function beside() {
  const streams = new Set()
  let id = 0
  const server = createServer((request, response) => {
    if (request.url === '/json') return json(response, answer())
    response.writeHead(200, HEAD)
    response.flushHeaders()
    streams.add(response)
    response.on('close', () => streams.delete(response))
  })
  const send = data => {
    const text = `id: ${++id}\nevent: update\ndata: ${JSON.stringify(data)}\n\n`
    for (const response of streams) response.write(text)
  }
  return { port: await listen(server), send }
}

export async function generator() {
  const server = createServer(async (_request, response) => {
    response.writeHead(200, HEAD)
    for await (const token of tokens()) response.write(`data: ${JSON.stringify(token)}\n\n`)
    response.end()
  })
  return { port: await listen(server) }
}

export async function ws({ deflate = false, heartbeat }) {
  const { WebSocketServer } = await import('ws')
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: deflate })
  if (heartbeat !== undefined) setInterval(() => checkAlive(sockets), heartbeat)
  const send = data => {
    const text = JSON.stringify({ event: 'update', data })
    for (const socket of sockets.clients) socket.send(text)
  }
  return { port: await listen(server), send }
}

/** As the documentation of ws has it. */
function checkAlive({ clients }) {
  for (const socket of clients) {
    if (socket.isAlive === false) socket.terminate()
    socket.isAlive = false
    socket.ping()
    if (socket.listenerCount('pong') === 0) {
      socket.on('pong', () => {
        socket.isAlive = true
      })
    }
  }
}

export async function echo() {
  const { WebSocketServer } = await import('ws')
  const server = createServer()
  new WebSocketServer({ server }).on('connection', socket => {
    socket.on('message', (message, binary) => socket.send(message, { binary }))
  })
  return { port: await listen(server) }
}

export async function upload() {
  const { default: busboy } = await import('busboy')
  const server = createServer((request, response) => {
    let size = 0
    const form = busboy({ headers: request.headers })
    form.on('file', (_name, file) => {
      file.on('data', chunk => {
        size += chunk.length
      })
    })
    form.on('close', () => json(response, { size }))
    request.pipe(form)
  })
  return { port: await listen(server) }
}
