/** Where `ws` does not do what is expected of it, it reads by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket as Ws } from 'ws'
import { WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { closing, frame, opcodes, WebSocketPeer } from '../support/websocket-peer.js'

test('a version of ws that takes nothing over is left all frames from the start', async t => {
  const inner = Ws.prototype as unknown as { setSocket(this: object, ...given: unknown[]): void }
  const { setSocket } = inner
  const asked: boolean[] = []
  inner.setSocket = function (...given) {
    asked.push('wire' in this && this.wire !== undefined)
    if (asked.at(-1)) throw new Error('not of this version')
    setSocket.apply(this, given)
  }
  @WebSocket('/')
  class Echo {
    message(message: string | Buffer) {
      return message
    }
  }
  const { port } = await serve(t, [Echo])
  const peer = await WebSocketPeer.open(port, '/', { early: [frame('text', 'early')] })
  assert.equal(await peer.readText(), 'early')
  await peer.raw.write(Buffer.concat([frame('text', 'whole'), frame('ping', 'p'), frame('text', 'ha', { fin: false })]))
  assert.equal(await peer.readText(), 'whole')
  assert.equal((await peer.read()).opcode, opcodes.pong)
  await peer.send('continuation', 'lves')
  assert.equal(await peer.readText(), 'halves')
  await peer.send('close', closing(1000))
  assert.equal((await peer.readClose()).code, 1000)
  assert.deepEqual(asked, [true, false], 'it was tried once')
})
