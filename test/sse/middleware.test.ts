import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, test } from 'node:test'
import { constants, createGzip, gunzipSync } from 'node:zlib'
import compression from 'compression'
import { type CloseReason, ConnectionRegistry, EventStream, type Middleware, Registry, Sse } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { standstill } from '../support/standstill.js'
import { ask, serve, wholeStream } from './app.js'

describe('middleware in front', () => {
  const item = `${'words '.repeat(50)}\n`
  @Sse('/')
  class Source {
    open(stream: EventStream) {
      stream.every(5, 'tick')
      return 'hello'
    }
    info(message: string) {
      return message
    }
  }
  let produced = 0
  @Sse('/flood')
  class Flood {
    *open() {
      for (let count = 0; count < 3000; count++) {
        produced++
        yield `${count} ${item}`
      }
    }
  }
  @Sse('/transformed')
  class Transformed {
    open(stream: EventStream) {
      stream.setHeader('Cache-Control', 'no-cache')
      stream.every(5, 'tick')
      return 'hello'
    }
    info(message: string) {
      return message
    }
  }

  /** Compresses whatever it is told about `no-transform`, and keeps what it has until its buffer is full. */
  const careless: Middleware = (_request, response, next) => {
    const gzip = createGzip()
    const { write, end, on } = response
    gzip.on('data', (bytes: Buffer) => {
      if (write.call(response, bytes, 'utf8') === false) gzip.pause()
    })
    gzip.on('end', () => (end as () => void).call(response))
    on.call(response, 'drain', () => gzip.resume())
    Object.assign(response, {
      write: (bytes: Buffer) => gzip.write(bytes),
      end: () => void gzip.end(),
      flush: () => void gzip.flush(),
      on(type: string, listener: () => void) {
        if (type === 'drain') gzip.on(type, listener)
        else on.call(response, type, listener)
        return response as ServerResponse
      },
    })
    response.setHeader('Content-Encoding', 'gzip')
    next()
  }

  for (const [title, path, use, encoded] of [
    ['compression, which honours no-transform', '/', compression({ threshold: 0 }), null],
    ['compression, where open allows it', '/transformed', compression({ threshold: 0 }), 'gzip'],
    ['one that compresses all the same', '/', careless, 'gzip'],
    [
      'one that wraps write and end and does nothing',
      '/',
      (_request: unknown, response: ServerResponse, next: () => void) => {
        const { write, end } = response
        response.write = ((...args: Parameters<typeof write>) => write.apply(response, args)) as typeof write
        response.end = ((...args: Parameters<typeof end>) => end.apply(response, args)) as typeof end
        next()
      },
      null,
    ],
  ] as const) {
    test(`B14: ${title}: each event arrives when it is sent, and whole`, async t => {
      const { origin } = await serve(t, [Source, Transformed], { use: [use as Middleware] })
      const response = await fetch(origin + path, { headers: { 'Accept-Encoding': 'gzip' } })
      assert.equal(response.headers.get('content-encoding'), encoded)
      const decoder = new TextDecoder()
      let heard = ''
      for await (const bytes of response.body ?? []) {
        heard += decoder.decode(bytes, { stream: true })
        if (heard.split('tick').length > 3) break
      }
      assert.match(heard, /^data: hello\n\n(data: tick\n\n){3}/)
    })
  }

  test('a middleware that buffers does not stand in the way of backpressure: everything arrives, in order', async t => {
    const { origin, app } = await serve(t, [Flood], { use: [careless] })
    const response = await fetch(`${origin}/flood`)
    const reader = response.body?.getReader()
    await standstill('it is behind', () => produced)
    let text = ''
    const decoder = new TextDecoder()
    for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
      text += decoder.decode(read.value, { stream: true })
      if (text.includes('2999 ')) break
    }
    const numbers = [...text.matchAll(/data: (\d+) /g)].map(match => Number(match[1]))
    assert.deepEqual(numbers, [...Array(3000).keys()])
    await reader?.cancel()
    await eventually('it is gone', () => app.connections === 0)
  })

  for (const [title, use] of [
    ['compression', compression({ threshold: 0 })],
    ['a careless one', careless],
  ] as const) {
    test(`a failure is told through ${title}, behind what was sent, and then comes the cut`, async t => {
      @Sse('/')
      class Failing {
        open(stream: EventStream) {
          stream.setHeader('Cache-Control', 'no-cache')
          stream.after(20, 'fail')
          return 'first'
        }
        async info(_message: string, stream: EventStream) {
          await stream.send('last')
          throw new Error('no')
        }
      }
      const { port } = await serve(t, [Failing], { use: [use as Middleware] })
      const { peer, head } = await ask(port, '/', { headers: { 'Accept-Encoding': 'gzip' } })
      assert.match(head, /Content-Encoding: gzip/i)
      const { text, complete } = await wholeStream(peer)
      const heard = gunzipSync(Buffer.from(text, 'latin1'), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
      assert.match(heard, /^data: first\n\ndata: last\n\nevent: error\ndata: .*\n\n$/)
      assert.equal(complete, false)
    })
  }

  test('one that throws ends the stream it stands in front of, and no other', async t => {
    @Registry('news')
    class News extends ConnectionRegistry<{ said: number }> {}
    const ends: string[] = []
    @Sse('/news')
    class Readers {
      constructor(private readonly news: News) {}
      open(stream: EventStream) {
        return this.news.join(stream, 'all')
      }
      close(reason: CloseReason) {
        ends.push(reason.kind)
      }
    }
    let isBroken = false
    const brittle: Middleware = (request, response, next) => {
      const { write } = response
      if (request.url?.includes('brittle')) {
        response.write = ((...args: Parameters<typeof write>) => {
          if (isBroken) throw new Error('broken')
          return write.apply(response, args)
        }) as typeof write
      }
      next()
    }
    const { origin, app, errors } = await serve(t, [Readers], { use: [brittle], providers: [News] })
    const responses = await Promise.all(['?brittle', '', '?brittle', ''].map(query => fetch(`${origin}/news${query}`)))
    const news = app.get(News)
    await eventually('all are there', () => news.count('all') === 4)
    isBroken = true
    for (const number of [1, 2, 3]) await news.to('all').send('said', number)
    await eventually('two have failed', () => ends.length === 2)
    isBroken = false
    app.close()
    const [, whole = '', , other = ''] = await Promise.all(responses.map(each => each.text().catch(() => 'cut')))
    for (const text of [whole, other]) assert.deepEqual(text.match(/data: \d/g), ['data: 1', 'data: 2', 'data: 3'])
    assert.deepEqual(ends, ['failed', 'failed', 'drain', 'drain'])
    assert.equal(errors.length, 2)
  })

  const broken = () => {
    throw new Error('broken')
  }
  for (const [title, options, breaks] of [
    ['a flush that throws', {}, { flush: broken }],
    ['a write that throws behind our compression', { compression: true }, { write: broken }],
  ] as const) {
    test(`${title} ends its stream as failed, and no other`, async t => {
      const ends: CloseReason[] = []
      @Sse('/', options)
      class Ticks {
        open(stream: EventStream) {
          stream.every(5, 'tick')
        }
        info() {
          return 'tick'
        }
        close(reason: CloseReason) {
          ends.push(reason)
        }
      }
      const brittle: Middleware = (request, response, next) => {
        const { write } = response
        if (request.url?.includes('brittle')) Object.assign(response, { write: write.bind(response), ...breaks })
        next()
      }
      const { port, errors } = await serve(t, [Ticks], { use: [brittle] })
      const asked = { headers: { 'Accept-Encoding': 'gzip' } }
      const other = await ask(port, '/', asked)
      const { complete } = await wholeStream((await ask(port, '/?brittle', asked)).peer)
      assert.equal(complete, false)
      await eventually('it is closed', () => ends.length === 1)
      assert.equal(ends[0]?.kind, 'failed')
      assert.deepEqual(
        errors.map(([, error]) => (error as Error).message),
        ['broken'],
      )
      const heard = other.peer.received.length
      await eventually('the other goes on', () => other.peer.received.length > heard)
    })
  }

  test('what middleware lets out late is heard all the same, before the cut', async t => {
    @Sse('/')
    class Failing {
      open(stream: EventStream) {
        stream.after(1, 'fail')
      }
      async info(_message: string, stream: EventStream) {
        await stream.send('last')
        throw new Error('no')
      }
    }
    const slow: Middleware = (_request, response, next) => {
      const { write } = response
      const held: Buffer[] = []
      const letOut = () => void write.call(response, Buffer.concat(held.splice(0)), 'utf8')
      Object.assign(response, {
        write: (bytes: Buffer) => held.push(bytes) > 0,
        flush: () => void setTimeout(letOut, 400),
      })
      next()
    }
    const { port } = await serve(t, [Failing], { use: [slow] })
    const { text, complete } = await wholeStream((await ask(port, '/')).peer)
    assert.match(text, /^data: last\n\nevent: error\ndata: .*\n\n$/)
    assert.equal(complete, false)
  })

  test('one that has let out all it was given keeps nobody waiting for the cut', async t => {
    @Sse('/')
    class Failing {
      open(stream: EventStream) {
        stream.after(20, 'fail')
      }
      info() {
        throw new Error('no')
      }
    }
    const { port } = await serve(t, [Failing], { use: [compression({ threshold: 0 }) as Middleware] })
    const { peer } = await ask(port, '/', { headers: { 'Accept-Encoding': 'gzip' } })
    await peer.readUntil('event: error')
    const told = performance.now()
    assert.equal((await wholeStream(peer)).complete, false)
    const waited = performance.now() - told
    assert.ok(waited < 700, `${waited} ms`)
  })
})
