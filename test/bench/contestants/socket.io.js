/** Socket.IO 4, WebSocket only. */
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { listen } from '../fixtures.js'

export const packages = ['socket.io']

/** How the load speaks to it. */
export const dialect = 'socket.io'

export async function ws({ deflate = false, heartbeat = 25_000 }) {
  const server = createServer()
  const io = new Server(server, {
    transports: ['websocket'],
    perMessageDeflate: deflate && { threshold: 1024 },
    pingInterval: heartbeat,
  })
  io.on('connection', socket => socket.join('all'))
  return { port: await listen(server), send: data => io.to('all').emit('update', data) }
}

export async function echo() {
  const server = createServer()
  const io = new Server(server, { transports: ['websocket'] })
  io.on('connection', socket => {
    socket.on('echo', message => socket.emit('echo', message))
  })
  return { port: await listen(server) }
}
