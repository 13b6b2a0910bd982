import type { Socket } from 'node:net'
import type { Middleware } from '../../src/index.js'

const read = new WeakSet<Socket>()

/** Notes the text of each write to the sockets that requests come on, from the first request on. */
export function readWrites(writes: string[]): Middleware {
  return ({ socket }, _response, next) => {
    if (!read.has(socket)) noteAll(socket, writes)
    next()
  }
}

function noteAll(socket: Socket, writes: string[]): void {
  read.add(socket)
  const write = socket._write.bind(socket)
  const writev = socket._writev?.bind(socket)
  socket._write = (chunk, encoding, done) => {
    writes.push(String(chunk))
    write(chunk, encoding, done)
  }
  socket._writev = (chunks, done) => {
    writes.push(chunks.map(({ chunk }) => String(chunk)).join(''))
    writev?.(chunks, done)
  }
}
