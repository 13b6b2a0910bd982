import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a peer says to open an event stream, or a WebSocket. */
export function openingOf(kind: 'stream' | 'socket', path: string): string {
  const head = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`
  if (kind === 'stream') return `${head}Accept: text/event-stream\r\n\r\n`
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  return `${head}Connection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`
}

/** A masked text frame (RFC 6455 §5.2), its mask being zero. */
export function textFrame(text: string): Buffer {
  return Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)])
}

/** A plain TCP connection that has said something, and takes whatever comes. */
export async function say(port: number, bytes: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  if (bytes !== '') await new Promise(resolve => socket.write(bytes, resolve))
  return socket
}

/** As `say`, until the head of the answer has come. What comes behind it is not kept. */
export async function sayAndHear(port: number, bytes: string): Promise<Socket> {
  const socket = await say(port, bytes)
  let heard = ''
  await new Promise<void>((resolve, reject) => {
    socket.once('close', () => reject(new Error('closed before the head of the answer')))
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      if (heard.includes('\r\n\r\n')) resolve()
    })
  })
  return socket.removeAllListeners('data').resume()
}

/** Runs `count` tasks, at most `width` of them at a time. */
export async function many(count: number, width: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, work))
}
