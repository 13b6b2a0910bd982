/** Opens a WebSocket with undici on HTTP/2, and tells what it saw. In a process of its own: undici warns of it. */
import { Agent, WebSocket } from 'undici'

const [url = '', ca = ''] = process.argv.slice(2)
const dispatcher = new Agent({ allowH2: true, connect: { ca } })
const socket = new WebSocket(url, { dispatcher, protocols: ['chat'] })
socket.addEventListener('open', () => socket.send('hi'))
socket.addEventListener('message', ({ data }) => {
  console.log(`${socket.protocol} ${data}`)
  socket.close(4000, 'bye')
})
socket.addEventListener('error', ({ message }) => console.log(`error ${message}`))
socket.addEventListener('close', ({ code, reason }) => {
  console.log(`closed ${code} ${reason}`)
  void dispatcher.destroy()
})
