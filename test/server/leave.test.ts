/** How an application goes away, as those see it who balance between several. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { Controller, EventStream, Get, Guard, Sse, WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { SocketPeer, StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { withResolvers } from '../support/with-resolvers.js'

@Sse('/events')
class Events {
  open(stream: EventStream) {
    stream.every(10, 'tick')
    return { event: 'hello', data: 1 }
  }
  info() {
    return { event: 'tick', data: 2 }
  }
}

@WebSocket('/socket')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

@Controller('/')
class Requests {
  @Get('quick')
  quick() {
    return 'quick'
  }

  @Get('slow')
  slow() {
    return new Promise<string>(resolve => arrived.resolve(() => resolve('slow')))
  }
}

/** Whoever is let in by what it gives. */
let arrived = withResolvers<() => void>()
const later = () => new Promise<true>(resolve => arrived.resolve(() => resolve(true)))

@Sse('/guarded')
@Guard(later)
class Guarded {
  open() {
    return 'never'
  }
}

@Controller('/tokens')
class Tokens {
  @Sse('/', { method: 'POST' })
  @Guard(later)
  async *stream() {
    yield 'token'
  }
}

const ASK = 'GET /quick HTTP/1.1\r\nHost: a\r\n\r\n'

describe('in the delay before it drains', () => {
  const options = { health: true, drainDelay: 400 }

  test('/ready says 503 while new connections, requests, streams and sockets are served, and nobody is sent away', async t => {
    const { app, port } = await serve(t, [Events, Echo, Requests], { health: true, drainDelay: 3000 })
    const before = await SocketPeer.open(port, '/socket')
    const closed = app.close()
    assert.equal((await send(port, 'GET /ready')).status, 503)
    assert.equal((await send(port, 'GET /live')).status, 200)
    const quick = await send(port, 'GET /quick')
    assert.deepEqual([quick.text, quick.headers.connection], ['quick', 'close'])
    const stream = await StreamPeer.open(port, '/events')
    await stream.hears('data: 2')
    const socket = await SocketPeer.open(port, '/socket')
    for (const { ws } of [before, socket]) ws.send('still here')
    await eventually('both hear', () => [before, socket].every(({ messages }) => messages[0] === 'still here'))
    const heard = await stream.end()
    assert.match(heard.text, /retry: [12]\d{3}\n\n$/)
    assert.equal(heard.whole, true)
    assert.deepEqual(await socket.closed, { code: 1012, text: '' })
    await closed
    await assert.rejects(send(port, 'GET /quick'), /ECONNREFUSED/)
  })

  test('connections that are kept are told to close with their next reply', async t => {
    const { app, port } = await serve(t, [Requests], options)
    const kept = await RawPeer.connect(port)
    await kept.write(ASK)
    assert.match(await kept.readUntil('quick'), /Connection: keep-alive/)
    const closed = app.close()
    await kept.write(ASK)
    assert.match(await kept.readUntil('quick'), /Connection: close/)
    assert.equal(await kept.closed, 'end')
    await closed
  })

  test('`close` has its own delay', async t => {
    const { app, port } = await serve(t, [Requests], { drainDelay: 60_000 })
    assert.equal((await send(port, 'GET /quick')).text, 'quick')
    await app.close({ drainDelay: 0 })
  })
})

describe('what has come when the listeners close', () => {
  test('is answered: a request on a connection that was idle', async t => {
    const { app, port } = await serve(t, [Requests])
    const kept = await RawPeer.connect(port)
    await kept.write(ASK)
    await kept.readUntil('quick')
    const written = kept.write(ASK)
    const closed = app.close()
    await written
    assert.match(await kept.readUntil('quick'), /Connection: close/)
    assert.equal(await kept.closed, 'end')
    await closed
  })

  test('is answered: a connection that waits to be accepted, and its request', async t => {
    const { app, port } = await serve(t, [Requests])
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    socket.on('connect', () => {
      socket.write(ASK)
      void app.close()
    })
    let heard = ''
    socket.on('data', text => {
      heard += text
    })
    await once(socket, 'close')
    assert.match(heard, /Connection: close[\s\S]*quick$/)
    await app.close()
  })

  test('is heard out: a request that runs, on a connection that is kept', async t => {
    const { app, port } = await serve(t, [Requests])
    arrived = withResolvers()
    const kept = await RawPeer.connect(port)
    await kept.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
    const release = await arrived.promise
    const closed = app.close()
    release()
    assert.match(await kept.readUntil('slow'), /Connection: close/)
    await closed
  })
})

test('options of `close` that are undefined are as if they were not given', async t => {
  const { app, port } = await serve(t, [Requests])
  arrived = withResolvers()
  const kept = await RawPeer.connect(port)
  await kept.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  const release = await arrived.promise
  const closed = app.close({ deadline: undefined, drainDelay: undefined } as never)
  const isRefused = () =>
    send(port, 'GET /quick').then(
      () => false,
      () => true,
    )
  await eventually('nobody is let in', isRefused)
  release()
  assert.match(await kept.readUntil('slow'), /Connection: close/)
  await closed
})

describe('a stream that is being opened when it drains', () => {
  test('is told to come back where it is an EventSource, which would give up for good on 503; others hear 503', async t => {
    const { app, port } = await serve(t, [Guarded, Tokens])
    const waiting: StreamPeer[] = []
    const admit: (() => void)[] = []
    const ask = async (begin: () => Promise<StreamPeer>) => {
      arrived = withResolvers()
      waiting.push(await begin())
      admit.push(await arrived.promise)
    }
    await ask(() => StreamPeer.ask(port, '/guarded', { Accept: 'text/event-stream' }))
    await ask(() => StreamPeer.ask(port, '/guarded', { Accept: '*/*' }))
    await ask(async () => {
      const raw = await RawPeer.connect(port)
      await raw.write('POST /tokens HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nContent-Length: 0\r\n\r\n')
      return StreamPeer.of(raw)
    })
    const closed = app.close()
    for (const each of admit) each()
    const [source, any, post] = await Promise.all(waiting.map(peer => peer.end()))
    assert.deepEqual([source?.status, source?.closed], [200, 'end'])
    assert.match(source?.text ?? '', /^retry: [12]\d{3}\n\n$/)
    assert.deepEqual([any?.status, post?.status], [503, 503])
    await closed
  })
})
