import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { constants } from 'node:http2'
import { PassThrough, Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  type Context,
  Controller,
  Ctx,
  Get,
  HttpError,
  MapError,
  ndjson,
  notFound,
  reply,
  text,
} from '../../src/index.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'
import { ask, openSession } from '../support/wires.js'

const plain = 'text/plain; charset=utf-8'
const lines = 'application/x-ndjson; charset=utf-8'
const octets = 'application/octet-stream'

async function* later(...items: unknown[]) {
  for (const item of items) {
    await turn()
    yield item
  }
}

function* now(...items: unknown[]) {
  yield* items
}

const observable = (...items: unknown[]) => ({
  '@@observable': () => ({
    subscribe(observer: { next(item: unknown): void; complete(): void }) {
      for (const item of items) observer.next(item)
      observer.complete()
      return { unsubscribe() {} }
    },
  }),
})

const rows: [what: string, answer: () => unknown, type: string, body: string][] = [
  ['a generator of strings', () => now('a', 'é', 'c'), plain, 'aéc'],
  ['an async generator of strings', () => later('a', 'b'), plain, 'ab'],
  ['a generator of bytes', () => now(Buffer.from('a'), new Uint8Array([98])), octets, 'ab'],
  ['an async generator of objects', () => later({ a: 1 }, { b: 2 }), lines, '{"a":1}\n{"b":2}\n'],
  ['a generator of strings as lines of JSON', () => ndjson(now('a\nb', 'c')), lines, '"a\\nb"\n"c"\n'],
  ['an array as lines of JSON', () => ndjson([1, null]), lines, '1\nnull\n'],
  ['a set as lines of JSON', () => ndjson(new Set(['a', 2])), lines, '"a"\n2\n'],
  ['a map as lines of JSON', () => ndjson(new Map([['a', 1]])), lines, '["a",1]\n'],
  ['an iterator of values', () => [1, 2].values(), lines, '1\n2\n'],
  ['an observable', () => observable({ a: 1 }, { b: 2 }), lines, '{"a":1}\n{"b":2}\n'],
  ['a Readable of bytes', () => Readable.from([Buffer.from('a'), Buffer.from('b')]), octets, 'ab'],
  ['a Readable of strings', () => Readable.from(['a', 'b']), plain, 'ab'],
  ['a web stream', () => new Blob(['a', 'b']).stream(), octets, 'ab'],
  ['a web stream of strings', () => ReadableStream.from(['a', 'b']), plain, 'ab'],
  [
    'a stream with a type of its own',
    () => reply(now('a'), { headers: { 'content-type': 'text/csv' } }),
    'text/csv',
    'a',
  ],
  ['text() of a stream as text', () => text(now('a', 'b') as never), plain, 'ab'],
]

describe('a source is sent item by item', () => {
  @Controller()
  class Sources {
    @Get('/:row') show(@Ctx() context: Context) {
      return rows[Number(context.params.row)]?.[1]()
    }
    @Get('/kind/empty') empty() {
      return now()
    }
    @Get('/kind/status') status() {
      return reply(now('x'), { status: 204 })
    }
  }
  const served = serveSuite({ controllers: [Sources] })

  for (const [index, [what, , type, body]] of rows.entries()) {
    test(what, async () => {
      const answer = await send(served.port, `GET /${index}`)
      assert.deepEqual([answer.status, answer.headers['content-type'], answer.text], [200, type, body])
      assert.equal(answer.headers['transfer-encoding'], 'chunked')
      assert.deepEqual(served.log, [])
    })
  }

  test('nothing, where there are no items', async () => {
    const answer = await send(served.port, 'GET /kind/empty')
    assert.deepEqual([answer.status, answer.text], [200, ''])
  })

  test('nothing, where the status has no content', async () => {
    const answer = await send(served.port, 'GET /kind/status')
    assert.deepEqual([answer.status, answer.text], [204, ''])
  })

  test('without chunks, to a peer of HTTP/1.0', async () => {
    const raw = await rawRequest(served.port, 'GET /0 HTTP/1.0\r\n\r\n')
    assert.doesNotMatch(raw, /Transfer-Encoding/i)
    assert.match(raw, /Connection: close\r\n/i)
    assert.match(Buffer.from(raw, 'latin1').toString(), /\r\n\r\naéc$/)
  })
})

test('each item arrives when it is there, and not when the source is done', async t => {
  const source = new PassThrough({ objectMode: true })
  @Controller()
  class Live {
    @Get() show() {
      return source
    }
  }
  const { port } = await serve(t, { controllers: [Live] })
  const peer = await RawPeer.connect(port)
  await peer.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  source.write({ n: 1 })
  assert.match(await peer.readUntil('{"n":1}\n'), /^HTTP\/1\.1 200 OK/)
  source.write({ n: 2 })
  await peer.readUntil('{"n":2}\n')
  source.end()
  assert.equal(await peer.closed, 'end')
})

describe('a source that fails', () => {
  class Broken extends Error {}

  @Controller()
  @MapError(Broken, () => notFound('mapped'))
  class Failing {
    // biome-ignore lint/correctness/useYield: it fails before
    @Get('/first') async *first() {
      throw new Error('secret')
    }
    // biome-ignore lint/correctness/useYield: it fails before
    @Get('/mapped') async *mapped() {
      throw new Broken('secret')
    }
    // biome-ignore lint/correctness/useYield: it fails before
    @Get('/refused') *refused() {
      throw new HttpError(409, 'not now')
    }
    @Get('/unsendable') *unsendable() {
      yield 1n
    }
    @Get('/field') field() {
      return reply(now('a'), { headers: { 'X-A': 'a\nb' } })
    }
    @Get('/missing') missing() {
      return createReadStream('/there/is/no/such/file')
    }
    @Get('/second') async *second() {
      yield 'first'
      throw new Error('secret')
    }
    @Get('/no-json') *noJson() {
      yield { fine: true }
      yield undefined
    }
    @Get('/longer') longer() {
      return reply(now('abc', 'HTTP/1.1 200 OK'), { headers: { 'Content-Length': 3 } })
    }
    @Get('/shorter') shorter() {
      return reply(now('abc'), { headers: { 'Content-Length': 5 } })
    }
    @Get('/none') none() {
      return reply(now(), { headers: { 'Content-Length': 5 } })
    }
    @Get('/too-long') tooLong() {
      return reply(now('abcdef'), { headers: { 'Content-Length': 5 } })
    }
    @Get('/exact') exact() {
      return reply(now('ab', 'c'), { headers: { 'Content-Length': 3 } })
    }
  }

  const early: [path: string, status: number, logged: number][] = [
    ['/first', 500, 1],
    ['/mapped', 404, 0],
    ['/refused', 409, 0],
    ['/unsendable', 500, 1],
    ['/field', 500, 1],
    ['/missing', 500, 1],
    ['/none', 500, 1],
    ['/too-long', 500, 1],
  ]
  for (const [path, status, logged] of early) {
    test(`${path} before its first item: the peer hears ${status}`, async t => {
      const { port, log } = await serve(t, { controllers: [Failing] })
      const answer = await send(port, `GET ${path}`)
      assert.equal(answer.status, status)
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      assert.doesNotMatch(answer.text, /secret|such\/file/)
      assert.equal(log.length, logged)
    })
  }

  for (const path of ['/second', '/no-json']) {
    test(`${path} later on: the reply is cut, so that the peer knows that it is not whole`, async t => {
      const { port, log } = await serve(t, { controllers: [Failing] })
      const raw = await rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.match(raw, /^HTTP\/1\.1 200 OK/)
      assert.doesNotMatch(raw, /\r\n0\r\n/)
      assert.doesNotMatch(raw, /secret/)
      assert.equal(log.length, 1)
      assert.match(log[0]?.message ?? '', /^GET Failing\./)
    })
  }

  test('than its Content-Length says, longer or shorter: over HTTP/2 its stream is reset', async t => {
    const { port, log } = await serve(t, { controllers: [Failing] }, { http2: true })
    const session = await openSession(port, 'http')
    for (const path of ['/longer', '/shorter']) {
      const { status, text, code } = await ask(session, { ':path': path })
      assert.deepEqual([status, text, code], [200, 'abc', constants.NGHTTP2_INTERNAL_ERROR])
    }
    assert.equal((await ask(session, { ':path': '/exact' })).text, 'abc')
    assert.equal(log.length, 2)
    session.close()
  })

  for (const path of ['/longer', '/shorter']) {
    test(`${path} than its Content-Length says: the reply is cut, and nothing is taken for the next one`, async t => {
      const { port, log } = await serve(t, { controllers: [Failing] })
      const requests = [path, '/exact'].map(asked => `GET ${asked} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const raw = await rawRequest(port, requests.join(''))
      assert.match(raw, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nabc$/s)
      assert.match(String(log[0]?.details), /content-length/i)
    })
  }

  test('as long as its Content-Length says: it is not chunked', async t => {
    const { port } = await serve(t, { controllers: [Failing] })
    const { text: body, headers } = await send(port, 'GET /exact')
    assert.deepEqual([body, headers['content-length'], headers['transfer-encoding']], ['abc', '3', undefined])
  })

  test('HEAD does not even begin it', async t => {
    const { port, log } = await serve(t, { controllers: [Failing] })
    for (const path of ['/first', '/missing']) assert.equal((await send(port, `HEAD ${path}`)).status, 200)
    assert.deepEqual(log, [])
  })
})

test('how a source is framed is not for its fields to say (RFC 9112 §6.2), and trailers are announced where there may be some', async t => {
  @Controller('/')
  class Relayed {
    @Get('/chunked') chunked() {
      return reply(now('a'), { headers: { 'Transfer-Encoding': 'chunked', Trailer: 'Digest' } })
    }
    @Get('/counted') counted() {
      return reply(now('a'), { headers: { 'Transfer-Encoding': 'chunked', 'Content-Length': 1, Trailer: 'Digest' } })
    }
    @Get('/none') none() {
      return reply(now(), { headers: { Trailer: 'Digest' } })
    }
  }
  const { port } = await serve(t, { controllers: [Relayed] })
  for (const [request, fields, content] of [
    ['GET /chunked HTTP/1.1', ['Trailer', 'Transfer-Encoding'], '1\r\na\r\n0\r\n\r\n'],
    ['HEAD /chunked HTTP/1.1', [], ''],
    ['GET /chunked HTTP/1.0', [], 'a'],
    ['GET /counted HTTP/1.1', ['Content-Length'], 'a'],
    ['HEAD /counted HTTP/1.1', ['Content-Length'], ''],
    ['GET /none HTTP/1.1', ['Trailer', 'Transfer-Encoding'], '0\r\n\r\n'],
  ] as const) {
    const raw = await rawRequest(port, `${request}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const [head = '', ...rest] = raw.split('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 200 /, request)
    const found = ['Content-Length', 'Trailer', 'Transfer-Encoding'].filter(name => head.includes(`\r\n${name}: `))
    assert.deepEqual([found, rest.join('\r\n\r\n')], [fields, content], request)
  }
})
