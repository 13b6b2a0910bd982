import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type ApplicationOptions,
  type Context,
  Controller,
  Ctx,
  Get,
  HttpError,
  On,
  type RequestIdOptions,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { problemsOf } from '../support/boot-errors.js'
import { eventually } from '../support/eventually.js'
import { StreamPeer } from '../support/peers.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { moduleOf, serve } from '../support/serve.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

@Controller()
class Pages {
  @Get('/id') id(@Ctx() context: Context) {
    return { id: context.id ?? null }
  }
  @Get('/fails') fails() {
    throw new Error('inside')
  }
  @Get('/upstream') upstream() {
    throw new HttpError(502, 'no answer', { cause: new Error('refused') })
  }
}

@Sse('/events')
class Events {
  open(_stream: unknown, @Ctx() context: Context) {
    return context.id ?? 'none'
  }
}

@WebSocket('/socket')
class Sockets {
  @On('id') id(@Ctx() context: Context) {
    return context.id ?? 'none'
  }
  @On('fails') fails() {
    throw new Error('inside')
  }
  message() {
    throw new Error('inside')
  }
}

const controllers = [Pages, Events, Sockets]
const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
const options = (requestId: boolean | RequestIdOptions, more: ApplicationOptions = {}) => ({ requestId, ...more })
const given = { 'X-Request-Id': 'from-the-peer' }

describe('requestId', () => {
  test('is off by default: no id, no field', async t => {
    const { port } = await serve(t, { controllers })
    const answer = await send(port, 'GET /id', { headers: given })
    assert.deepEqual(answer.json(), { id: null })
    assert.equal(answer.headers['x-request-id'], undefined)
  })

  test('gives each exchange an id of its own, and sends it back: on replies, errors and what has no route', async t => {
    const { port } = await serve(t, { controllers }, options(true))
    const ids = new Set<string>()
    for (const path of ['/id', '/id', '/fails', '/nowhere', '/%']) {
      const id = String((await send(port, `GET ${path}`)).headers['x-request-id'])
      assert.match(id, UUID, path)
      ids.add(id)
    }
    assert.equal(ids.size, 5)
    const answer = await send(port, 'GET /id')
    assert.deepEqual(answer.json(), { id: answer.headers['x-request-id'] })
  })

  test('reaches event streams, the 101, refused handshakes and messages', async t => {
    const { port } = await serve(t, { controllers }, options({ generate: () => 'made' }))
    const stream = await StreamPeer.open(port, '/events')
    await stream.hears('data: made\n\n')
    assert.match(stream.raw.received, /X-Request-Id: made\r\n/)
    stream.raw.destroy()
    const socket = await WebSocketPeer.open(port, '/socket')
    assert.match(socket.head, /X-Request-Id: made\r\n/i)
    await socket.send('text', '{"event":"id","ack":1}')
    assert.deepEqual(await socket.readJson(), { ack: 1, data: 'made' })
    socket.raw.destroy()
    assert.match(await rawRequest(port, handshake('/nowhere')), /X-Request-Id: made\r\n/)
  })

  test('names the exchange in the log: its failures, those of its connection and of its messages', async t => {
    const { port, log } = await serve(t, { controllers }, options({ generate: () => 'made' }))
    await send(port, 'GET /fails')
    await send(port, 'GET /upstream')
    const socket = await WebSocketPeer.open(port, '/socket')
    await socket.send('text', '{"event":"fails","ack":1}')
    await socket.readJson()
    await socket.send('text', 'raw')
    await eventually('all have failed', () => log.length === 4)
    assert.deepEqual(
      log.map(({ message }) => message),
      [
        'GET Pages.fails (made) failed',
        'GET Pages.upstream (made) answered 502',
        'Sockets.fails (made) failed',
        'Sockets (made) failed',
      ],
    )
    socket.raw.destroy()
  })

  describe('takes an id from', () => {
    const proxied: ApplicationOptions = { trustProxy: 1 }
    const cases: [what: string, options: ApplicationOptions, taken: boolean][] = [
      ['nobody that is no trusted proxy', options(true), false],
      ['a trusted proxy', options(true, proxied), true],
      ['anybody, where it says so', options({ trust: true }), true],
      ['nobody, where it says so', options({ trust: false }, proxied), false],
    ]
    for (const [what, options, taken] of cases) {
      test(what, async t => {
        const { port } = await serve(t, { controllers }, options)
        const answer = await send(port, 'GET /id', { headers: { ...given, 'X-Forwarded-For': '203.0.113.7' } })
        assert.equal((answer.json() as { id: string }).id === 'from-the-peer', taken)
      })
    }

    test('a field of another name, only', async t => {
      const { port } = await serve(t, { controllers }, options({ header: 'X-Correlation', trust: true }))
      const answer = await send(port, 'GET /id', { headers: { ...given, 'X-Correlation': 'c-1' } })
      assert.deepEqual(answer.json(), { id: 'c-1' })
      assert.equal(answer.headers['x-correlation'], 'c-1')
      assert.equal(answer.headers['x-request-id'], undefined)
    })
  })

  const unsafe = ['', ' ', 'a b', 'x'.repeat(129), 'a,b', '<script>', 'a\tb', '"a"', 'é', '{}', 'a;b', '%0d%0a']
  for (const id of unsafe) {
    test(`replaces ${JSON.stringify(id.slice(0, 20))}`, async t => {
      const { port } = await serve(t, { controllers }, options({ trust: true }))
      const answer = await rawRequest(
        port,
        `GET /id HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n`,
      )
      assert.match(/X-Request-Id: (.*)\r\n/.exec(answer)?.[1] ?? '', UUID)
    })
  }

  test('keeps what is safe, up to 128 characters', async t => {
    const { port } = await serve(t, { controllers }, options({ trust: true }))
    for (const id of ['x'.repeat(128), 'Root=1-67891233-abcdef012345678912345678', 'a/b+c==', 'a@b:c_d.e-f'])
      assert.deepEqual((await send(port, 'GET /id', { headers: { 'X-Request-Id': id } })).json(), { id })
  })

  for (const [what, generate] of [
    ['answers what no field may hold', () => 'a\r\nSet-Cookie: b=c'],
    ['answers nothing', () => undefined as unknown as string],
    [
      'throws',
      () => {
        throw new Error('generate: no entropy')
      },
    ],
  ] as const) {
    test(`a generate that ${what} is 500, and told in the log`, async t => {
      const { port, log } = await serve(t, { controllers }, options({ generate }))
      const answer = await send(port, 'GET /id')
      assert.equal(answer.status, 500)
      assert.equal(answer.headers['set-cookie'], undefined)
      assert.match(String(log[0]?.details), /generate/)
    })
  }

  const wrong: [requestId: unknown, problem: string][] = [
    [5, 'bootstrap: requestId takes an object of options, not 5'],
    [{ heade: 'a' }, 'bootstrap: requestId has no option heade: did you mean header?'],
    [{ header: 'a b' }, "bootstrap: requestId: header should be the name of a header field, not 'a b'"],
    [{ generate: 'uuid' }, "bootstrap: requestId: generate should be a function, not 'uuid'"],
    [{ trust: 'proxy' }, "bootstrap: requestId: trust should be true, false or 'proxies', not 'proxy'"],
  ]
  for (const [requestId, problem] of wrong) {
    test(`${JSON.stringify(requestId)} is refused`, async () =>
      assert.deepEqual(await problemsOf(moduleOf({}), { requestId } as ApplicationOptions), [problem]))
  }
})
