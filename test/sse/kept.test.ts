/** A stream that is fed by a source has an end, and its connection goes on behind that. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Controller, EventStream, Get, type Middleware, Sse } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { readWrites } from '../support/written.js'
import { ask, requestText, serve, unchunk } from './app.js'

let release = () => {}

@Controller('/')
class Pages {
  @Sse('tokens', { method: 'POST' })
  async *tokens() {
    for (const token of ['one', 'two', 'three']) {
      await turn()
      yield token
    }
  }

  @Sse('list')
  list() {
    return ['one', 'two', 'three']
  }

  @Sse('halting')
  async *halting() {
    yield 'one'
    await new Promise<void>(resolve => {
      release = resolve
    })
    yield 'two'
  }

  @Sse('fails')
  async *fails() {
    yield 'one'
    throw new Error('for the test')
  }

  @Sse('started')
  started(stream: EventStream) {
    stream.start()
    return ['one']
  }

  @Sse('goes-on')
  goesOn() {
    return 'one'
  }

  @Get('page')
  page() {
    return 'page'
  }
}

const END = '0\r\n\r\n'

describe('behind the final chunk the connection serves the next request', () => {
  for (const [path, method] of [
    ['/tokens', 'POST'],
    ['/list', 'GET'],
  ] as const)
    test(`${method} ${path}: streams one after another, and a page behind them`, async t => {
      const { port, app, errors } = await serve(t, [Pages])
      const peer = await RawPeer.connect(port)
      for (let round = 0; round < 3; round++) {
        await peer.write(requestText(path, { method }))
        const head = await peer.readUntil('\r\n\r\n')
        assert.doesNotMatch(head, /Connection: close/i)
        const whole = unchunk(await peer.readUntil(END))
        assert.deepEqual(whole, { text: 'data: one\n\ndata: two\n\ndata: three\n\n', complete: true })
        await eventually('the stream is gone', () => app.connections === 0)
      }
      await peer.write(requestText('/page', { headers: { Connection: 'close' } }))
      assert.match(await peer.readUntil('page'), /^HTTP\/1\.1 200 /)
      assert.equal(await peer.closed, 'end')
      assert.deepEqual(errors, [])
    })

  test('a stream in between is not cut by the timeout of idle connections', async t => {
    const { port } = await serve(t, [Pages], { keepAliveTimeout: 50 })
    const peer = await RawPeer.connect(port)
    await peer.write(requestText('/list'))
    await peer.readUntil(END)
    await peer.write(requestText('/halting'))
    await peer.readUntil('data: one\n\n')
    await sleep(200)
    release()
    assert.match(await peer.readUntil(END), /data: two\n\n/)
    assert.equal(await peer.closed, 'end', 'and idle again, it is')
  })

  test('its listeners do not grow', async t => {
    const counts: number[] = []
    const { port } = await serve(t, [Pages], {
      use: [
        ({ socket }, _response, next) => {
          counts.push(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0))
          next()
        },
      ],
    })
    const peer = await RawPeer.connect(port)
    for (let round = 0; round < 20; round++) {
      await peer.write(requestText('/list'))
      await peer.readUntil(END)
    }
    assert.equal(counts.at(-1), counts[2])
    peer.destroy()
  })
})

/** Sends a request, and another one as soon as the end of the first answer has come; says when that was, and goes. */
const QUICK_PEER = `
  const { connect } = require('node:net')
  const { port, request, end, asked } = require('node:worker_threads').workerData
  let received = ''
  let times = 1
  const socket = connect(port, '127.0.0.1', () => socket.write(request))
  socket.on('data', chunk => {
    received += chunk
    if (!received.endsWith(end)) return
    received = ''
    if (times++ === 2) return socket.destroy()
    socket.write(request, () => {
      Atomics.store(asked, 0, 1)
      Atomics.notify(asked, 0)
    })
  })
`

test('the head leaves with the first item, also where the request came right behind the end of another stream', async t => {
  const asked = new Int32Array(new SharedArrayBuffer(4))
  @Controller('/')
  class Tokens {
    @Sse('tokens')
    async *tokens() {
      for (const token of ['one', 'two', 'three']) {
        await turn()
        yield token
      }
      // When the end is out, this process stands still until the peer has asked again.
      process.nextTick(() => Atomics.wait(asked, 0, 0, 5000))
    }
  }
  const writes: string[] = []
  const { port } = await serve(t, [Tokens], { use: [readWrites(writes)] })
  const workerData = { port, request: requestText('/tokens'), end: END, asked }
  await once(new Worker(QUICK_PEER, { eval: true, workerData }), 'exit')
  const heads = writes.filter(text => text.startsWith('HTTP/1.1 200 '))
  assert.equal(heads.length, 2)
  for (const head of heads) assert.match(head, /data: one\n\n/)
})

describe('the connection closes', () => {
  test('where the peer asked for that', async t => {
    const { port } = await serve(t, [Pages])
    const { peer, head } = await ask(port, '/list', { headers: { Connection: 'close' } })
    assert.match(head, /Connection: close/)
    assert.equal(await peer.closed, 'end')
    assert.equal(unchunk(peer.received).complete, true)
  })

  test('where the stream failed: cut, without the final chunk', async t => {
    const { port, errors } = await serve(t, [Pages])
    const { peer } = await ask(port, '/fails')
    await peer.closed
    const { text, complete } = unchunk(peer.received)
    assert.match(text, /^data: one\n\nevent: error\n/)
    assert.equal(complete, false)
    assert.equal(errors.length, 1)
  })

  test('behind a request that came while the stream went on: it is not answered, and the peer asks again', async t => {
    const sockets: Socket[] = []
    const keep: Middleware = ({ socket }, _response, next) => {
      sockets.push(socket)
      next()
    }
    const { port } = await serve(t, [Pages], { use: [keep] })
    const { peer } = await ask(port, '/halting')
    await peer.readUntil('data: one\n\n')
    const [socket] = sockets as [Socket]
    const before = socket.bytesRead
    const asked = requestText('/page')
    await peer.write(asked)
    await eventually('it has come', () => socket.bytesRead === before + asked.length)
    release()
    assert.equal(await peer.closed, 'end')
    assert.match(peer.received, /0\r\n\r\n$/)
  })

  test('where the server goes away, or has begun to', async t => {
    const { port, app } = await serve(t, [Pages])
    const { peer } = await ask(port, '/halting')
    await peer.readUntil('data: one\n\n')
    const closed = app.close({ drainDelay: 50 })
    release()
    assert.equal(await peer.closed, 'end')
    assert.match(peer.received, /data: two\n\n\r\n0\r\n\r\n$/)
    await closed
  })

  test('where the head went out before anybody knew of a source, and where there is none', async t => {
    const { port } = await serve(t, [Pages])
    const { peer, head } = await ask(port, '/started')
    assert.match(head, /Connection: close/)
    assert.equal(await peer.closed, 'end')
    const other = await ask(port, '/goes-on')
    assert.match(other.head, /Connection: close/)
    other.peer.destroy()
  })
})

test('the head comes at once, also where the first item does not', async t => {
  @Controller('/')
  class Slow {
    @Sse('slow')
    async *slow() {
      await new Promise<void>(resolve => {
        release = resolve
      })
      yield 'one'
    }
  }
  const { port } = await serve(t, [Slow])
  const { peer, head } = await ask(port, '/slow')
  assert.match(head, /^HTTP\/1\.1 200 /)
  release()
  assert.match(await peer.readUntil(END), /data: one/)
  peer.destroy()
})
