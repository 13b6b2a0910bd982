import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Socket, WebSocket } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer } from '../support/peers.js'
import { serve } from '../support/serve.js'

const HEARTBEAT = 700

/** What many write first: it waits for what lasts as long as the connection, and so never settles. */
class Feed {
  async open(socket: Socket) {
    await new Promise<void>(resolve => socket.signal.addEventListener('abort', () => resolve()))
  }

  message(frame: string | Buffer) {
    return frame
  }
}

@WebSocket('/said', { heartbeat: 0 })
class Said extends Feed {}

@WebSocket('/silent', { heartbeat: HEARTBEAT })
class Silent extends Feed {}

@WebSocket('/unasked', { heartbeat: HEARTBEAT })
class Unasked extends Feed {}

test('messages that wait for an `open` which does not settle are told of, once for each route', async t => {
  const { port, log } = await serve(t, { controllers: [Said, Silent, Unasked] })
  const [said, , silent] = await Promise.all(['/said', '/unasked', '/silent'].map(path => SocketPeer.open(port, path)))
  silent?.ws.send('one message, and no more')
  const told = () => log.map(({ level, message }) => `${level}: ${message}`).sort()
  await eventually('a warning for each', async () => {
    said?.ws.send('another')
    await sleep(100) // so few that it is not paused
    return ['Said', 'Silent'].every(name => told().some(line => line.includes(name)))
  })
  for (const _ of [1, 2, 3]) said?.ws.send('nobody is told again')
  const cure = 'do not wait there for what lasts as long as the connection, but begin it and return'
  const expected = ['Said', 'Silent'].map(
    name => `warn: ${name} is sent messages, and none is handled before open has settled: ${cure}`,
  )
  assert.deepEqual(told(), expected)
  assert.deepEqual(said?.messages, [])
})
