import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSource } from 'eventsource'
import { z } from 'zod'
import {
  Body,
  type CloseReason,
  ContextKey,
  Controller,
  EventStream,
  event,
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
import { rawRequest } from '../support/raw-peer.js'
import { ask, Closes, firstPacket, parse, requestText, serve, unchunk, wholeStream } from './app.js'

describe('the head', () => {
  test('P23, B14: says event stream, no cache, no transformation, no buffering, and no connection after it', async t => {
    @Sse('/')
    class Source {
      open() {}
    }
    const { port } = await serve(t, [Source])
    const { peer, head } = await ask(port, '/')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    for (const field of [
      'Content-Type: text/event-stream; charset=utf-8',
      'Cache-Control: no-cache, no-transform',
      'X-Accel-Buffering: no',
      'Connection: close',
      'Transfer-Encoding: chunked',
    ])
      assert.ok(head.includes(`${field}\r\n`), `${field} in ${head}`)
    assert.doesNotMatch(head, /Content-Length|Content-Encoding/i)
    peer.destroy()
  })

  test('B13: open may set a status and header fields, also those that streams have, until the head is out', async t => {
    let late: unknown
    @Sse('/')
    class Source {
      async open(stream: EventStream) {
        stream.status(201).setHeader('X-Kind', 'news').setHeader('cache-control', 'no-store')
        assert.throws(() => stream.status(204), RangeError)
        assert.throws(() => stream.setHeader('X', 'a\r\nb'), TypeError)
        await null
        stream.start()
        assert.throws(() => stream.status(200), /status: the head of the event stream is out/)
        assert.throws(() => stream.setHeader('X', 'y'), /setHeader: the head of the event stream is out/)
        late = stream.started
      }
    }
    const { port, errors } = await serve(t, [Source])
    const { peer, head } = await ask(port, '/')
    assert.match(head, /^HTTP\/1\.1 201 /)
    assert.match(head, /X-Kind: news\r\n/)
    assert.match(head, /cache-control: no-store\r\n/)
    assert.doesNotMatch(head, /no-cache/)
    assert.equal(late, true)
    assert.deepEqual(errors, [])
    peer.destroy()
  })

  test('P25: the first event is in the same packet as the head', async t => {
    @Sse('/', { retry: 250 })
    class Source {
      open() {
        return ['one', { event: 'second', data: 2 }]
      }
    }
    const { port } = await serve(t, [Source])
    const packet = await firstPacket(port, '/')
    assert.match(packet, /^HTTP\/1\.1 200 /)
    assert.equal(
      unchunk(packet.slice(packet.indexOf('\r\n\r\n') + 4)).text,
      'retry: 250\n\ndata: one\n\nevent: second\ndata: 2\n\n',
    )
  })

  test('P13, P25, P37: what open returns comes first, then what was sent meanwhile, in order and without delay', async t => {
    const sent: boolean[] = []
    @Sse('/')
    class Source {
      async open(stream: EventStream) {
        sent.push(await stream.send('sent 1'))
        stream.tell('told')
        sent.push(await stream.send('sent 2'))
        await sleep(5)
        return 'first'
      }
      info(message: string) {
        return message
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    await peer.readUntil('told')
    assert.deepEqual(sent, [true, true])
    peer.destroy()
    const packet = await firstPacket(port, '/')
    const texts = [...packet.matchAll(/data: (.*)\n/g)].map(match => match[1])
    assert.deepEqual(texts.slice(0, 3), ['first', 'sent 1', 'sent 2'])
  })

  test('what open returns and what was sent before it both arrive when stop() ends them', async t => {
    @Sse('/')
    class Source {
      open(stream: EventStream) {
        void stream.send('sent')
        return ['first', stop(), 'never']
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    assert.deepEqual(await wholeStream(peer), { text: 'data: first\n\ndata: sent\n\n', complete: true })
  })

  test('start() sends the head before open has settled, and keeps the order', async t => {
    let resolve = () => {}
    const promise = new Promise<void>(done => (resolve = done))
    @Sse('/')
    class Source {
      async open(stream: EventStream) {
        void stream.send('before')
        stream.start()
        stream.start()
        void stream.send('after')
        await promise
        return 'returned'
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    await peer.readUntil('data: after')
    resolve()
    await peer.readUntil('data: returned')
    peer.destroy()
  })

  test('P14: HTTP/1.0 gets no chunks, even where it says that it takes them, and the end of the connection', async t => {
    @Sse('/')
    class Source {
      open() {
        return [1, { id: '2', data: 'é' }, stop()]
      }
    }
    const { port } = await serve(t, [Source])
    for (const headers of [{}, { TE: 'chunked' }, { Connection: 'keep-alive' }]) {
      const answer = await rawRequest(port, requestText('/', { version: '1.0', headers }))
      const [head = '', content] = answer.split('\r\n\r\n')
      assert.doesNotMatch(head, /Transfer-Encoding/)
      assert.match(head, /Connection: close/)
      assert.equal(Buffer.from(content ?? '', 'latin1').toString(), 'data: 1\n\nid: 2\ndata: é\n\n')
    }
  })
})

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
    ['B13, B21: stop() in open is 204, so that nobody comes back', '/rooms/over', {}, 204, /^$/],
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

  test('P23, B8, B12: path, query, header and what guards left reach the handler', async t => {
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
    ['text/html, text/event-stream;q=0.5', 'stream'],
    ['application/json', 'page'],
    ['*/*', 'page'],
    [undefined, 'page'],
  ] as const) {
    test(`B9: GET and a stream on one path: ${accept ?? 'nothing'} gets the ${kind}`, async t => {
      const { port } = await serve(t, [Both])
      const { peer, head } = await ask(port, '/both', { headers: accept === undefined ? {} : { Accept: accept } })
      assert.match(head, kind === 'stream' ? /Content-Type: text\/event-stream/ : /Content-Type: application\/json/)
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

describe('coming back', () => {
  @Sse('/')
  class Source {
    open(stream: EventStream) {
      return JSON.stringify(stream.lastEventId ?? null)
    }
  }
  for (const [title, path, headers, seen] of [
    ['from the header', '/', { 'Last-Event-ID': 'a-1' }, 'a-1'],
    ['from the query', '/?lastEventId=a-2', {}, 'a-2'],
    ['from the last of several in the query', '/?lastEventId=a&lastEventId=b', {}, 'b'],
    ['from the header first', '/?lastEventId=a-2', { 'Last-Event-ID': 'a-1' }, 'a-1'],
    ['as UTF-8', '/', { 'Last-Event-ID': Buffer.from('é😀').toString('latin1') }, 'é😀'],
    ['nowhere', '/', {}, null],
  ] as const) {
    test(`the last event id is read ${title}`, async t => {
      const { port } = await serve(t, [Source])
      const { peer } = await ask(port, path, { headers })
      const text = Buffer.from(await peer.readUntil('\n\n'), 'latin1').toString()
      assert.equal(/data: (.*)\n/.exec(text)?.[1], JSON.stringify(seen))
      peer.destroy()
    })
  }

  test('B21: after stop({ reconnect: false }) a real EventSource comes back once, hears 204, and stays away', async t => {
    const asked: (string | undefined)[] = []
    @Sse('/', { retry: 10 })
    class Once {
      open(stream: EventStream) {
        stream.after(1, 'enough')
        return event({ id: 'e-1', data: 'hello' })
      }
      info() {
        return ['bye', stop({ reconnect: false })]
      }
    }
    const { origin } = await serve(t, [Once], {
      use: [
        (request, _response, next) => {
          asked.push(request.headers['last-event-id'] as string | undefined)
          next()
        },
      ],
    })
    const source = new EventSource(origin)
    const messages: string[] = []
    source.onmessage = ({ data }) => messages.push(data)
    await new Promise<void>(resolve => {
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) resolve()
      }
    })
    assert.deepEqual(messages, ['hello', 'bye'])
    assert.equal(asked.length, 2)
    assert.equal(asked[0], undefined)
    assert.equal((await fetch(origin, { headers: { 'Last-Event-ID': asked[1] ?? '' } })).status, 204)
  })

  test('B21: after stop() it comes back', async t => {
    let opened = 0
    @Sse('/', { retry: 1 })
    class Again {
      open(stream: EventStream) {
        opened++
        stream.after(1, 'enough')
      }
      info() {
        return stop()
      }
    }
    const { origin } = await serve(t, [Again])
    const source = new EventSource(origin)
    await new Promise<void>(resolve => {
      source.onopen = () => opened >= 3 && resolve()
    })
    source.close()
  })

  test('the text that a real parser sees is what was sent', async t => {
    @Sse('/')
    class Source {
      open() {
        return [{ event: 'a', id: 0, data: 'x\ny' }, { comment: 'c' }, { retry: 0 }, event({ id: '' }), stop()]
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    const { events, comments, retries } = parse((await wholeStream(peer)).text)
    assert.deepEqual([events, comments, retries], [[{ id: '0', event: 'a', data: 'x\ny' }], ['c'], [0]])
  })
})
