/** One file in a form, as fast as the server takes it. */
import { once } from 'node:events'
import { now } from '../clock.js'
import { HOST } from '../fixtures.js'
import { open } from './connection.js'

const block = Buffer.alloc(256 * 1024, 'palomino')
const BOUNDARY = 'a-boundary-of-a-form'

export async function upload({ port, bytes }) {
  const before =
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n` +
    'Content-Type: application/octet-stream\r\n\r\n'
  const after = `\r\n--${BOUNDARY}--\r\n`
  let response = ''
  let answered
  const whole = new Promise(resolve => {
    answered = resolve
  })
  const socket = await open(
    port,
    (buffer, length) => {
      response += buffer.toString('latin1', 0, length)
      if (response.includes('}')) answered()
    },
    () => answered(),
  )
  const began = now()
  socket.write(
    `POST /upload HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${before.length + bytes + after.length}\r\n` +
      `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n\r\n${before}`,
  )
  for (let sent = 0; sent < bytes; sent += block.length) {
    const part = block.subarray(0, Math.min(block.length, bytes - sent))
    if (!socket.write(part)) await Promise.race([once(socket, 'drain'), whole])
  }
  socket.write(after)
  await whole
  const milliseconds = now() - began
  socket.destroy()
  if (!response.includes(`"size":${bytes}`)) throw new Error(`not taken: ${response}`)
  return { milliseconds }
}
