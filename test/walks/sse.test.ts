import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import {
  Body,
  type CloseReason,
  ConnectionRegistry,
  Controller,
  EventStream,
  event,
  Get,
  int,
  type Middleware,
  Param,
  Post,
  Registry,
  reply,
  type ServerSentEvent,
  Sse,
  stop,
  WebSocket,
} from '../../src/index.js'
import { ask, Closes, requestText, serve, wholeStream } from '../sse/app.js'
import { eventually } from '../support/eventually.js'

/** The tests of the ancestor's `event` and `init_chunk`, one by one: what is sent, and what is on the wire. */
const ported: [title: string, sent: unknown, wire: string][] = [
  ['event with a string', 'hello', 'data: hello\n\n'],
  ['event with a map', { hello: 'world' }, 'data: {"hello":"world"}\n\n'],
  [
    'event with options, those that are none filtered out',
    event({ event: 'join', id: 1, retry: 0, data: 'hello', fake: 'x' } as ServerSentEvent),
    'event: join\nid: 1\nretry: 0\ndata: hello\n\n',
  ],
]

describe('P50: the tests of the ancestor', () => {
  for (const [title, sent, wire] of ported) {
    test(`P50: ${title}`, async t => {
      @Sse('/')
      class Source {
        open() {
          return [sent, stop()]
        }
      }
      const { port } = await serve(t, [Source])
      const { peer } = await ask(port, '/')
      assert.deepEqual(await wholeStream(peer), { text: wire, complete: true })
    })
  }

  test('P50: the first chunk comes first, then two that were deferred, then the close: equal to the byte', async t => {
    @Sse('/')
    class Source {
      open(stream: EventStream) {
        stream.tell('two')
        stream.tell('three')
        return 'one'
      }
      info(message: string) {
        return message === 'three' ? [message, stop()] : message
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    await peer.closed
    assert.equal(peer.received, 'b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\nd\r\ndata: three\n\n\r\n0\r\n\r\n')
  })

  test('P50: P29: a peer that closes ends what is linked to its stream at once, with the reason', async t => {
    let signal: AbortSignal | undefined
    @Sse('/')
    class Source {
      open(stream: EventStream) {
        signal = stream.signal
        return 'hello'
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    await peer.readUntil('hello')
    peer.destroy()
    await eventually('the signal has aborted', () => signal?.aborted)
    assert.match((signal?.reason as CloseReason | undefined)?.kind ?? '', /^(peer|lost)$/)
  })

  test('P50: status, header fields and content of a plain reply, whole or in pieces, are as they were given', async t => {
    @Controller('/')
    class Pages {
      @Get('/whole')
      whole() {
        return reply('ERROR', { status: 404, headers: { 'X-Own': 'own' } })
      }
      @Get('/pieces')
      pieces() {
        return reply(['ERR', Buffer.from('OR')].values(), { status: 404, headers: { 'X-Own': 'own' } })
      }
    }
    const { origin } = await serve(t, [Pages])
    for (const path of ['/whole', '/pieces']) {
      const response = await fetch(origin + path)
      assert.deepEqual([response.status, response.headers.get('x-own'), await response.text()], [404, 'own', 'ERROR'])
    }
  })

  test('P50: a handler that answers nothing is a 500, and ends itself alone', async t => {
    @Controller('/')
    class Pages {
      @Get('/halted')
      halted() {}
      @Get('/page')
      page() {
        return 'page'
      }
    }
    const { port } = await serve(t, [Pages])
    const { peer, head } = await ask(port, '/halted')
    assert.match(head, /^HTTP\/1\.1 500 /)
    await peer.write(requestText('/page', { headers: { Connection: 'close' } }))
    await peer.closed
    assert.match(peer.received, /\r\n\r\npage$/)
  })

  test('P50: what was sent before its turn is not sent again, and its handler does not run', async t => {
    let runs = 0
    @Controller('/')
    class Pages {
      @Get('/page')
      page() {
        return String(++runs)
      }
    }
    const sent: Middleware = (_, response, next) => {
      response.end('sent')
      next()
    }
    const { origin } = await serve(t, [Pages], { use: [sent] })
    assert.equal(await (await fetch(`${origin}/page`)).text(), 'sent')
    assert.equal(runs, 0)
  })

  test('P50: an upgrade is handed over with its options, and anything else is a request like any other', async t => {
    @WebSocket('/live', { protocols: ['chat'] })
    class Live {
      message(frame: string) {
        return frame
      }
    }
    @Controller('/live')
    class Pages {
      @Get()
      page() {
        return 'page'
      }
    }
    const { port, origin } = await serve(t, [Live, Pages])
    assert.equal(await (await fetch(`${origin}/live`)).text(), 'page')
    const handshake = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' }
    const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol': 'other, chat' }
    const { peer, head } = await ask(port, '/live', { headers: { ...handshake, ...key } })
    assert.match(head, /^HTTP\/1\.1 101 .*Sec-WebSocket-Protocol: chat\r\n/s)
    peer.destroy()
  })
})

@Registry('remotes')
class Remotes extends ConnectionRegistry<{ join: { id: string }; leave: { id: string }; goto: { slide: number } }> {}

const closes = new Closes()

/** P36: a controller hears who comes and goes; a remote is sent to by its id. */
@Sse('/remotes/:deck')
class Remote {
  constructor(
    private readonly remotes: Remotes,
    private readonly stream: EventStream,
  ) {}
  async open(stream: EventStream, @Param('deck', int()) deck: number) {
    await this.remotes.join(stream, `deck ${deck}`)
    await this.remotes.to('controllers').send('join', { id: stream.id })
    return { event: 'welcome', data: { id: stream.id } }
  }
  async close(reason: CloseReason) {
    closes.note(reason)
    await this.remotes.to('controllers').send('leave', { id: this.stream.id })
  }
}

@Sse('/controllers')
class Presenter {
  constructor(private readonly remotes: Remotes) {}
  async open(stream: EventStream) {
    await this.remotes.join(stream, 'controllers')
    return { event: 'now', data: this.remotes.members('deck 7').map(({ id }) => id) }
  }
}

@Controller('/')
class Decks {
  constructor(private readonly remotes: Remotes) {}
  @Post('/decks/:deck')
  async goto(@Param('deck') deck: string, @Body() slide: number) {
    return { id: await this.remotes.to(`deck ${deck}`).send('goto', { slide }) }
  }
  @Get('/remotes/:deck')
  page() {
    return 'a page'
  }
}

@WebSocket('/remotes/:deck')
class RemoteSocket {
  message(frame: string) {
    return frame
  }
}

describe('a walk with event streams', () => {
  const app = (t: Parameters<typeof serve>[0]) =>
    serve(t, [Remote, Presenter, Decks, RemoteSocket], { providers: [Remotes] })

  test('P36: P38: who comes and goes is told, a message reaches its deck, a real EventSource hears all of it', async t => {
    const { origin } = await app(t)
    const heard: string[] = []
    const presenter = new EventSource(`${origin}/controllers`)
    t.after(() => presenter.close())
    for (const name of ['now', 'join', 'leave'])
      presenter.addEventListener(name, ({ data }) => heard.push(`${name} ${data}`))
    await eventually('the presenter is there', () => heard.length === 1)
    const remote = new EventSource(`${origin}/remotes/7`)
    t.after(() => remote.close())
    const [welcome] = await heardBy(remote, 'welcome', 1)
    const { id } = JSON.parse(welcome ?? '') as { id: string }
    const slides = heardBy(remote, 'goto', 2)
    for (const slide of [4, 5]) {
      const headers = { 'Content-Type': 'application/json' }
      const response = await fetch(`${origin}/decks/7`, { method: 'POST', headers, body: String(slide) })
      assert.match(((await response.json()) as { id: string }).id, /-\d+$/)
    }
    assert.deepEqual(await slides, ['{"slide":4}', '{"slide":5}'])
    remote.close()
    await eventually('the presenter heard of it', () => heard.length === 3)
    assert.deepEqual(heard, ['now []', `join {"id":"${id}"}`, `leave {"id":"${id}"}`])
  })

  test('B9: B10: a page, a stream and a socket live on one path', async t => {
    const { port, origin } = await app(t)
    assert.equal(await (await fetch(`${origin}/remotes/7`)).text(), 'a page')
    const { peer, head } = await ask(port, '/remotes/7', { headers: { Accept: 'text/event-stream' } })
    assert.match(head, /text\/event-stream/)
    peer.destroy()
    const socket = await ask(port, '/remotes/7', {
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    })
    assert.match(socket.head, /^HTTP\/1\.1 101 /)
    socket.peer.destroy()
  })

  test('B5: a segment of the path is decoded once, after the split; a bad escape is 400', async t => {
    @Sse('/rooms/:room')
    class Rooms {
      open(stream: EventStream) {
        return stream.params
      }
    }
    const { port } = await serve(t, [Rooms])
    const { peer } = await ask(port, '/rooms/a%2Fb%2520c')
    assert.match(await peer.readUntil('\n\n'), /data: \{"room":"a\/b%20c"\}/)
    peer.destroy()
    const bad = await ask(port, '/rooms/%zz')
    assert.match(bad.head, /^HTTP\/1\.1 400 /)
    bad.peer.destroy()
  })

  test('B6: boot warns of a stream whose keep-alives are off, or rarer than proxies wait', async t => {
    const warnings: string[] = []
    @Sse('/silent', { keepAlive: 0 })
    class Silent {
      open() {}
    }
    @Sse('/rare', { keepAlive: 60_000 })
    class Rare {
      open() {}
    }
    @Sse('/often', { keepAlive: 59_999 })
    class Often {
      open() {}
    }
    const logger = { debug() {}, info() {}, error() {}, warn: (message: string) => void warnings.push(message) }
    await serve(t, [Silent, Rare, Often], { logger })
    assert.deepEqual(warnings, [
      'Silent: keepAlive is off, so proxies will cut the stream when it is silent, and a lost peer is not noticed',
      'Rare: keepAlive is 60000, and most proxies cut a stream after 60000 ms of silence',
    ])
  })

  test('B15: P44: a stream that was idle goes on as if nothing had been', async t => {
    const { port, app: running } = await app(t)
    const { peer } = await ask(port, '/remotes/7', { headers: { Accept: 'text/event-stream' } })
    await peer.readUntil('welcome')
    const before = performance.now()
    await eventually('some time has passed', () => performance.now() - before > 200)
    await running.get(Remotes).to('deck 7').send('goto', { slide: 1 })
    await peer.readUntil('{"slide":1}')
    peer.destroy()
  })

  test('B23: what is kept of the request is small and frozen', async t => {
    let handshake: EventStream['handshake'] | undefined
    @Sse('/:name', { keepHeaders: ['User-Agent'] })
    class Source {
      open(stream: EventStream) {
        handshake = stream.handshake
        return 'x'
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/me?q=1', { headers: { 'User-Agent': 'test', Cookie: 'secret=1' } })
    await peer.readUntil('data: x')
    assert.deepEqual(structuredClone(handshake), {
      method: 'GET',
      path: '/me',
      params: { name: 'me' },
      query: { q: '1' },
      headers: { 'user-agent': 'test' },
      remoteAddress: '127.0.0.1',
      protocol: 'http',
      host: 'test',
    })
    assert.ok(Object.isFrozen(handshake) && Object.isFrozen(handshake?.headers))
    peer.destroy()
  })
})

/** The data of the next events of a name. */
function heardBy(source: EventSource, name: string, count: number): Promise<string[]> {
  return new Promise(resolve => {
    const data: string[] = []
    source.addEventListener(name, event => {
      if (data.push(event.data as string) === count) resolve(data)
    })
  })
}
