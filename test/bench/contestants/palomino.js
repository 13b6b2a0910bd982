/** Palomino; the build that is measured is named by PALOMINO. */
import { decorateClass, decorateMethod } from '../decorate.js'
import {
  answer,
  certificate,
  controllerPaths,
  created,
  HOST,
  roomsOf,
  routed,
  routePaths,
  tokens,
  userSchema,
} from '../fixtures.js'

const palomino = await import(process.env.PALOMINO)
const { Body, bootstrap, ConnectionRegistry, Controller, EventStream, Get, Module } = palomino
const { File, Param, Post, Query, Registry, Socket, Sse, Upload, WebSocket } = palomino

export const packages = ['zod']

async function serve(controllers, providers = [], options = {}) {
  const AppModule = decorateClass(class {}, [Module({ controllers, providers })])
  const app = await bootstrap(AppModule, { port: 0, host: HOST, signals: false, backlog: 4096, ...options })
  return { app, port: app.port }
}

export async function http({ tls = false }) {
  const User = await userSchema()
  class Answers {
    json() {
      return answer()
    }
    post(user, post, limit) {
      return { user, post, limit }
    }
    create(user) {
      return created(user)
    }
  }
  decorateMethod(Answers, 'json', [Get('/json')])
  const place = [Param('user'), Param('post'), Query('limit')]
  decorateMethod(Answers, 'post', [Get('/users/:user/posts/:post')], place, [String, String, String])
  decorateMethod(Answers, 'create', [Post('/users')], [Body(User)])
  return serve([decorateClass(Answers, [Controller('/')])], [], tls ? { tls: await certificate() } : {})
}

export async function routes({ count }) {
  class Routes {}
  for (const path of routePaths(count)) route(Routes, path)
  return serve([decorateClass(Routes, [Controller('/')])])
}

export async function start({ count }) {
  return serve(
    [...controllerPaths(count)].map(({ prefix, paths }) => {
      class Area {}
      for (const path of paths) route(Area, path)
      return decorateClass(Area, [Controller(prefix)])
    }),
  )
}

function route(target, path) {
  const hasParameter = path.endsWith(':id')
  target.prototype[path] = hasParameter ? id => routed(id) : () => routed()
  decorateMethod(target, path, [Get(path)], hasParameter ? [Param('id')] : [], hasParameter ? [String] : [])
}

class Updates extends ConnectionRegistry {}
decorateClass(Updates, [Registry('updates')])

export async function sse(asks) {
  class Stream {
    constructor(updates) {
      this.updates = updates
    }
    open(stream) {
      return this.updates.join(stream, 'all')
    }
  }
  decorateMethod(Stream, 'open', [], [undefined], [EventStream])
  const { keepAlive, http2 = false } = asks
  decorateClass(Stream, [Sse('/sse', keepAlive === undefined ? {} : { keepAlive })], [Updates])
  const { app, port } = await serve([Stream], [Updates], http2 ? { http2: { maxStreams: 1000 } } : {})
  const updates = app.get(Updates)
  return { port, send: data => updates.to('all').send('update', data) }
}

/** Each stream is in one room with all, and in its share of all others. */
export async function rooms({ rooms: count }) {
  let next = 0
  class Stream {
    constructor(updates) {
      this.updates = updates
    }
    open(stream) {
      return this.updates.join(stream, roomsOf(next++, count))
    }
  }
  decorateMethod(Stream, 'open', [], [undefined], [EventStream])
  decorateClass(Stream, [Sse('/sse')], [Updates])
  const { app, port } = await serve([Stream], [Updates])
  const updates = app.get(Updates)
  return { port, send: data => updates.to('all').send('update', data) }
}

export async function joins() {
  let open
  class Stream {
    open(stream) {
      open = stream
    }
  }
  decorateMethod(Stream, 'open', [], [], [EventStream])
  decorateClass(Stream, [Sse('/sse')])
  const { app, port } = await serve([Stream], [Updates])
  const updates = app.get(Updates)
  const comeAndGo = async ({ rooms, times }) => {
    for (let time = 0; time < times; time++) {
      for (let room = 0; room < rooms; room++) await updates.join(open, `room${room}`)
      for (let room = 0; room < rooms; room++) updates.leave(open, `room${room}`)
    }
  }
  return { port, answers: { comeAndGo } }
}

export async function beside() {
  class Stream {
    constructor(updates) {
      this.updates = updates
    }
    open(stream) {
      return this.updates.join(stream, 'all')
    }
  }
  class Answers {
    json() {
      return answer()
    }
  }
  decorateMethod(Stream, 'open', [], [undefined], [EventStream])
  decorateMethod(Answers, 'json', [Get('/json')])
  decorateClass(Stream, [Sse('/sse')], [Updates])
  const { app, port } = await serve([Stream, decorateClass(Answers, [Controller('/')])], [Updates])
  const updates = app.get(Updates)
  return { port, send: data => updates.to('all').send('update', data) }
}

export async function generator() {
  class Stream {
    tokens() {
      return tokens()
    }
  }
  decorateMethod(Stream, 'tokens', [Sse('/tokens')])
  return serve([decorateClass(Stream, [Controller('/')])])
}

export async function ws({ deflate = false, heartbeat }) {
  class Peer {
    constructor(updates, socket) {
      this.updates = updates
      this.socket = socket
    }
    open() {
      return this.updates.join(this.socket, 'all')
    }
  }
  const options = { perMessageDeflate: deflate, ...(heartbeat === undefined ? {} : { heartbeat }) }
  decorateClass(Peer, [WebSocket('/ws', options)], [Updates, Socket])
  const { app, port } = await serve([Peer], [Updates])
  const updates = app.get(Updates)
  return { port, send: data => updates.to('all').send('update', data) }
}

export async function echo() {
  class Echo {
    message(frame) {
      return frame
    }
  }
  return serve([decorateClass(Echo, [WebSocket('/ws')])])
}

export async function upload() {
  class Uploads {
    async take(file) {
      let size = 0
      for await (const chunk of file) size += chunk.length
      return { size }
    }
  }
  const options = { uploads: { fileSize: 1e9, totalSize: 1e9 } }
  decorateMethod(Uploads, 'take', [Post('/upload', options)], [File('file', { to: 'stream' })], [Upload])
  return serve([decorateClass(Uploads, [Controller('/')])])
}
