import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { type CloseReason, EventStream, Sse } from '../../src/index.js'
import { RawPeer } from '../support/raw-peer.js'
import { withResolvers } from '../support/with-resolvers.js'
import { ask, Closes, requestText, serve, wholeStream } from './app.js'

describe('silence', () => {
  test('B7: a comment keeps a silent stream alive, again and again', async t => {
    @Sse('/', { keepAlive: 20 })
    class Silent {
      open() {}
    }
    const { port } = await serve(t, [Silent])
    const { peer } = await ask(port, '/')
    await peer.readUntil('3\r\n:\n\n\r\n3\r\n:\n\n\r\n3\r\n:\n\n\r\n')
    peer.destroy()
  })

  test('B7: a stream that is busy, or whose head is not out, has no keep-alive comments', async t => {
    const { promise, resolve } = withResolvers()
    /** What the streams below are spared. */
    @Sse('/silent', { keepAlive: 20, idleTimeout: 100 })
    class Silent {
      open() {}
    }
    @Sse('/busy', { keepAlive: 200 })
    class Busy {
      open(stream: EventStream) {
        stream.every(20, 'tick')
      }
      info(message: string) {
        return message
      }
    }
    @Sse('/late', { keepAlive: 20, idleTimeout: 100 })
    class Late {
      async open() {
        await promise
        return 'opened'
      }
    }
    const { port } = await serve(t, [Silent, Busy, Late])
    const busy = await ask(port, '/busy')
    const late = await RawPeer.connect(port)
    await late.write(requestText('/late'))
    const silent = await ask(port, '/silent')
    assert.match((await wholeStream(silent.peer)).text, /:\n\n/)
    resolve()
    assert.match(await late.readUntil('data: opened'), /\r\n\r\ne\r\ndata: opened$/)
    let heard = ''
    for (let ticks = 0; ticks < 25; ticks++) heard += await busy.peer.readUntil('tick')
    assert.doesNotMatch(heard, /:\n\n/)
    busy.peer.destroy()
    late.destroy()
  })

  test('an idle timeout ends a stream without events, however many comments kept it alive', async t => {
    const closes = new Closes()
    @Sse('/', { keepAlive: 10, idleTimeout: 120 })
    class Idle {
      open() {
        return 'hello'
      }
      close(reason: CloseReason) {
        closes.note(reason)
      }
    }
    const { port } = await serve(t, [Idle])
    const { peer } = await ask(port, '/')
    const { text, complete } = await wholeStream(peer)
    assert.match(text, /^data: hello\n\n(:\n\n)+$/)
    assert.equal(complete, true)
    assert.equal(await closes.first(), 'idle')
  })

  test('B7: streams outlive the timeouts of requests, headers and kept-alive connections', async t => {
    @Sse('/', { method: 'POST' })
    class Silent {
      open(stream: EventStream) {
        stream.after(2300, 'still here')
      }
      info(message: string) {
        return message
      }
    }
    const { port } = await serve(t, [Silent], { headersTimeout: 100, requestTimeout: 200, keepAliveTimeout: 100 })
    const { peer } = await ask(port, '/', { method: 'POST', body: 'x' })
    await peer.readUntil('still here')
    peer.destroy()
  })

  test('B7: a server of somebody else does not cut a silent stream with its socket timeout', async t => {
    @Sse('/')
    class Silent {
      open(stream: EventStream) {
        stream.after(400, 'still here')
      }
      info(message: string) {
        return message
      }
    }
    const { app } = await serve(t, [Silent])
    const server = createServer()
    server.setTimeout(100)
    app.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { peer } = await ask((server.address() as AddressInfo).port, '/')
    await peer.readUntil('still here')
    peer.destroy()
  })
})
