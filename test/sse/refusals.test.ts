import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  Body,
  type CloseReason,
  ContextKey,
  Controller,
  EventStream,
  Get,
  Guard,
  Header,
  Intercept,
  int,
  notFound,
  Param,
  Query,
  redirect,
  Sse,
  stop,
} from '../../src/index.js'
import { ask, Closes, requestText, serve, wholeStream } from './app.js'

describe('before the head, the answer is an ordinary reply', () => {
  const key = new ContextKey<string>('user')
  const closes = new Closes()
  const order = z.object({ item: z.string(), count: z.int() })

  @Controller('/')
  class Streams {
    @Sse('/orders', { method: 'POST' })
    async *order(@Body(order) body: z.infer<typeof order>) {
      for (let at = 1; at <= body.count; at++) yield { event: 'made', data: `${body.item} ${at}` }
    }

    @Sse('/items/:id')
    *item(@Param('id', int()) id: number, @Query('q') q: string, @Header('x-lang') lang: string, stream: EventStream) {
      yield [id, q, lang, stream.get(key) ?? null]
    }

    @Sse('/guarded')
    @Guard(context => {
      if (context.header('authorization') === undefined) return false
      context.set(key, context.header('authorization') ?? '')
      return true
    })
    *guarded(stream: EventStream) {
      yield stream.get(key)
    }

    @Sse('/cached')
    @Intercept(context => (context.query.fresh === '1' ? context.query.fresh : { cached: true }))
    cached() {
      throw new Error('never runs')
    }
  }

  @Sse('/rooms/:room')
  class Rooms {
    async open(stream: EventStream, @Param('room') room: string) {
      await null
      if (room === 'none') throw notFound('no such room')
      if (room === 'gone') return notFound('returned')
      if (room === 'moved') return redirect('/elsewhere')
      if (room === 'broken') throw new Error('the secret reason')
      if (room === 'over') return stop()
      if (room === 'closed') stream.close()
      return room
    }
    close(reason: CloseReason) {
      closes.note(reason)
    }
  }

  const cases: [title: string, path: string, asked: Parameters<typeof ask>[2], status: number, body: RegExp][] = [
    ['B13: an HttpError in open', '/rooms/none', {}, 404, /"detail":"no such room"/],
    [
      'B13: any other error in open, without its text',
      '/rooms/broken',
      {},
      500,
      /^\{"type[^}]*500[^}]*\}$|^\{[^}]*"status":500\}$/,
    ],
    ['B13: B21: stop() in open is 204, so that nobody comes back', '/rooms/over', {}, 204, /^$/],
    ['a guard that refuses', '/guarded', {}, 403, /"status":403/],
    ['an interceptor that answers itself', '/cached', {}, 200, /^\{"cached":true\}$/],
    ['an HttpError that open returns', '/rooms/gone', {}, 404, /"detail":"returned"/],
    ['a reply that open returns', '/rooms/moved', {}, 302, /^$/],
    ['a parameter that does not fit', '/items/x', {}, 400, /"path":\["id"\]/],
    [
      'a body that does not fit',
      '/orders',
      { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"item":5,"count":1}' },
      422,
      /"path":\["item"\]/,
    ],
    [
      'a body of another type',
      '/orders',
      { method: 'POST', headers: { 'Content-Type': 'image/png' }, body: 'x' },
      415,
      /415/,
    ],
    [
      'a peer that wants JSON',
      '/rooms/a',
      { headers: { Accept: 'application/json' } },
      406,
      /accept text\/event-stream/,
    ],
    [
      'a peer that refuses event streams',
      '/rooms/a',
      { headers: { Accept: 'text/event-stream;q=0, */*' } },
      406,
      /406/,
    ],
    ['another method', '/rooms/a', { method: 'DELETE' }, 405, /405/],
  ]
  for (const [title, path, asked, status, body] of cases) {
    test(`${title}: ${status}, and the connection serves the next request`, async t => {
      const { port, errors } = await serve(t, [Streams, Rooms])
      const { peer, head } = await ask(port, path, asked)
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
      if (status >= 400) assert.match(head, /application\/problem\+json/)
      const length = Number(/Content-Length: (\d+)/.exec(head)?.[1] ?? 0)
      const content = length === 0 ? '' : await peer.readUntil(new RegExp(`^[\\s\\S]{${length}}`))
      assert.match(content, body)
      assert.doesNotMatch(content, /secret/)
      assert.equal(errors.length, status === 500 ? 1 : 0, `logged: ${errors.map(each => each[0]).join('; ')}`)
      await peer.write(requestText('/rooms/next'))
      assert.match(await peer.readUntil('data: next\n\n'), /HTTP\/1\.1 200 OK[\s\S]*text\/event-stream/)
      peer.destroy()
    })
  }

  test('close runs once for each open that began, whatever the answer', async t => {
    const { port, app } = await serve(t, [Streams, Rooms])
    for (const [room, kind] of [
      ['none', 'failed'],
      ['gone', 'failed'],
      ['moved', 'stopped'],
      ['broken', 'failed'],
      ['over', 'stopped'],
    ] as const) {
      closes.reasons.length = 0
      const { peer } = await ask(port, `/rooms/${room}`)
      assert.equal(await closes.first(), kind)
      peer.destroy()
      assert.equal(closes.reasons.length, 1)
    }
    assert.equal(app.connections, 0)
  })

  test('close() in open ends the stream as it does later: 200, and the end', async t => {
    const { port } = await serve(t, [Rooms])
    const { peer, head } = await ask(port, '/rooms/closed')
    assert.match(head, /^HTTP\/1\.1 200 /)
    assert.deepEqual(await wholeStream(peer), { text: '', complete: true })
  })

  test('a POST with a validated body streams', async t => {
    const { port } = await serve(t, [Streams])
    const { peer } = await ask(port, '/orders', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"item":"tea","count":2}',
    })
    const { text, complete } = await wholeStream(peer)
    assert.equal(text, 'event: made\ndata: tea 1\n\nevent: made\ndata: tea 2\n\n')
    assert.equal(complete, true)
  })

  test('P23: B8: B12: path, query, header and what guards left reach the handler', async t => {
    const { port } = await serve(t, [Streams])
    const item = await ask(port, '/items/7?q=a%20b', { headers: { 'X-Lang': 'eo' } })
    assert.equal((await wholeStream(item.peer)).text, 'data: [7,"a b","eo",null]\n\n')
    const guarded = await ask(port, '/guarded', { headers: { Authorization: 'me' } })
    assert.equal((await wholeStream(guarded.peer)).text, 'data: me\n\n')
  })
})

describe('P16: HEAD', () => {
  let opened = 0
  @Sse('/')
  class Source {
    open() {
      opened++
    }
  }
  @Sse('/private')
  @Guard(() => false)
  class Private {
    open() {
      opened++
    }
  }

  test('P16: opens nothing, and has the head of GET', async t => {
    const { port, app } = await serve(t, [Source])
    const { peer, head } = await ask(port, '/', { method: 'HEAD' })
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(head, /Content-Type: text\/event-stream; charset=utf-8\r\n/)
    assert.match(head, /Cache-Control: no-cache, no-transform\r\n/)
    assert.doesNotMatch(head, /Content-Length/)
    await peer.closed
    assert.equal(peer.received, '')
    assert.equal(opened, 0)
    assert.equal(app.connections, 0)
  })

  test('is refused to those who may not GET', async t => {
    const { port } = await serve(t, [Private])
    const { peer, head } = await ask(port, '/private', { method: 'HEAD' })
    assert.match(head, /^HTTP\/1\.1 403 /)
    peer.destroy()
  })
})

describe('Accept', () => {
  @Controller('/both')
  class Both {
    @Get('/')
    page() {
      return { page: true }
    }
    @Sse('/')
    *live() {
      yield 'live'
    }
  }

  for (const [accept, kind] of [
    ['text/event-stream', 'stream'],
    ['application/json, Text/Event-Stream', 'stream'],
    ['*/*;q=0.8, text/event-stream;q=0.9', 'stream'],
    ['text/html, text/event-stream;q=0.5', 'page'],
    ['*/*, text/event-stream;q=0', 'page'],
    ['text/event-stream-of-another-kind', 'page'],
    ['text/html, text/event-stream', 'stream'],
    ['text/html;q=0.9, Text/Event-Stream', 'stream'],
    ['text/*', 'page'],
    ['application/json', 'page'],
    ['*/*', 'page'],
    [undefined, 'page'],
  ] as const) {
    test(`B9: GET and a stream on one path: ${accept ?? 'nothing'} gets the ${kind}`, async t => {
      const { port } = await serve(t, [Both])
      const { peer, head } = await ask(port, '/both', { headers: accept === undefined ? {} : { Accept: accept } })
      assert.match(head, kind === 'stream' ? /Content-Type: text\/event-stream/ : /Content-Type: application\/json/)
      assert.match(head, /Vary: Accept\r\n/, 'caches know that there are two')
      peer.destroy()
    })
  }

  for (const accept of [undefined, '*/*', 'text/*', 'TEXT/Event-Stream', 'text/html, */*;q=0.1']) {
    test(`a route that only streams takes ${accept ?? 'no Accept at all'}`, async t => {
      @Sse('/')
      class Source {
        open() {}
      }
      const { port } = await serve(t, [Source])
      const { peer, head } = await ask(port, '/', { headers: accept === undefined ? {} : { Accept: accept } })
      assert.match(head, /^HTTP\/1\.1 200 /)
      peer.destroy()
    })
  }
})
