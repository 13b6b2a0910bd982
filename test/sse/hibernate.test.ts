import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { type CloseReason, EventStream, Sse, stop } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { ask, Closes, requestText, serve } from './app.js'

const closes = new Closes()
const streams: EventStream[] = []

@Sse('/quiet')
class Quiet {
  open(stream: EventStream) {
    streams.push(stream)
    return 'hello'
  }
  info(message: string) {
    return message === 'stop' ? stop() : message
  }
  close(reason: CloseReason) {
    closes.note(reason)
  }
}

/** What Node's HTTP server keeps for a socket while it parses. */
type Parsed = Socket & { readonly parser?: unknown; readonly _httpMessage?: unknown }

async function open(t: Parameters<typeof serve>[0]) {
  closes.reasons.length = 0
  streams.length = 0
  const sockets: Parsed[] = []
  const served = await serve(t, [Quiet], {
    use: [
      (request, _response, next) => {
        sockets.push(request.socket)
        next()
      },
    ],
  })
  const { peer } = await ask(served.port, '/quiet')
  await peer.readUntil('data: hello\n\n')
  const [socket] = sockets
  await eventually('it hibernates', () => !socket?.parser && !socket?._httpMessage)
  return { ...served, peer, socket: socket as Parsed, stream: streams[0] as EventStream }
}

describe('an open stream lets go of request, response and parser', () => {
  test('it goes on, and ends with the final chunk when it is stopped', async t => {
    const { peer, stream } = await open(t)
    assert.equal(await stream.send('on'), true)
    await peer.readUntil('data: on\n\n')
    stream.tell('stop')
    await peer.readUntil('0\r\n\r\n')
    await peer.closed
    assert.equal(await closes.first(), 'stopped')
  })

  test('its peer is seen to leave by a FIN, and by a reset', async t => {
    for (const [leave, kind] of [
      ['end', 'peer'],
      ['reset', 'lost'],
    ] as const) {
      const { peer, app } = await open(t)
      peer[leave]()
      assert.equal(await closes.first(), kind)
      await eventually('no connection is left', () => app.connections === 0)
      assert.equal(closes.reasons.length, 1)
    }
  })

  test('a request behind it is read over; one after another cuts it', async t => {
    const { peer, stream } = await open(t)
    await peer.write(requestText('/quiet'))
    await stream.send('on')
    assert.doesNotMatch(await peer.readUntil('data: on\n\n'), /HTTP/)
    await peer.write(requestText('/quiet').repeat(200))
    await peer.closed
    await closes.first()
    assert.equal(closes.reasons.length, 1)
  })

  test('where its peer is can still be asked: of the socket, and of the handshake when it is over', async t => {
    const { peer, socket, stream } = await open(t)
    assert.deepEqual([socket.remoteAddress, socket.listenerCount('end')], ['127.0.0.1', 1])
    peer.end()
    await closes.first()
    await eventually('the socket is closed', () => socket.closed)
    const { handshake } = stream
    assert.deepEqual([handshake.remoteAddress, Object.isFrozen(handshake)], ['127.0.0.1', true])
    assert.equal(stream.handshake, handshake)
  })

  test('half a request that has come already does not stand in the way', async t => {
    const { port } = await serve(t, [Quiet])
    const { peer } = await ask(port, '/quiet')
    await peer.write('GET /quiet HT')
    await peer.readUntil('data: hello\n\n')
    const stream = streams.at(-1) as EventStream
    await stream.send('on')
    await peer.readUntil('data: on\n\n')
    peer.destroy()
  })

  test('the server is not closed before it has ended', async t => {
    const { app, peer } = await open(t)
    const closed = app.close({ deadline: 2000 })
    await peer.readUntil('0\r\n\r\n')
    await closed
    assert.equal(await closes.first(), 'drain')
  })
})

describe('where somebody may need them they are kept', () => {
  test('who listens for the close of the socket is told where its peer was', async t => {
    closes.reasons.length = 0
    const left: (string | undefined)[] = []
    const { port } = await serve(t, [Quiet], {
      use: [
        ({ socket }, _response, next) => {
          socket.on('close', () => left.push(socket.remoteAddress))
          next()
        },
      ],
    })
    const { peer } = await ask(port, '/quiet')
    await peer.readUntil('data: hello\n\n')
    await new Promise(setImmediate)
    peer.end()
    await closes.first()
    await eventually('it was told', () => left.length === 1)
    assert.deepEqual(left, ['127.0.0.1'])
  })

  test('middleware that listens for the end of the response hears it', async t => {
    closes.reasons.length = 0
    let ended = 0
    const { port } = await serve(t, [Quiet], {
      use: [
        (_request, response, next) => {
          response.on('close', () => ended++)
          next()
        },
      ],
    })
    const { peer } = await ask(port, '/quiet')
    await peer.readUntil('data: hello\n\n')
    await new Promise(setImmediate)
    peer.end()
    await closes.first()
    await eventually('it was told', () => ended === 1)
  })
})
