import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { describe, test } from 'node:test'
import {
  type Context,
  Controller,
  Ctx,
  created,
  Get,
  HttpError,
  html,
  NotSentError,
  noContent,
  Post,
  type RequestContext,
  redirect,
  reply,
  Status,
  text,
} from '../../src/index.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'

const bytes = new Uint8Array([0, 1, 254, 255])
const plain = 'text/plain; charset=utf-8'
const octets = 'application/octet-stream'
const json = 'application/json'

interface Row {
  readonly what: string
  readonly answer: () => unknown
  readonly status?: number
  readonly type?: string | undefined
  readonly body?: string | Buffer
  readonly fields?: Record<string, string | undefined>
}

const rows: Row[] = [
  { what: 'a string', answer: () => 'é', type: plain, body: 'é', fields: { 'content-length': '2' } },
  { what: 'an empty string', answer: () => '', type: plain, body: '', fields: { 'content-length': '0' } },
  { what: 'an object', answer: () => ({ a: [1] }), type: json, body: '{"a":[1]}' },
  { what: 'an array', answer: () => [1, 'a', null], type: json, body: '[1,"a",null]' },
  { what: 'null', answer: () => null, type: json, body: 'null' },
  { what: 'zero', answer: () => 0, type: json, body: '0' },
  { what: 'false', answer: () => false, type: json, body: 'false' },
  { what: 'a date', answer: () => new Date(0), type: json, body: '"1970-01-01T00:00:00.000Z"' },
  { what: 'a promise', answer: () => Promise.resolve({ a: 1 }), type: json, body: '{"a":1}' },
  { what: 'a Buffer', answer: () => Buffer.from(bytes), type: octets, body: Buffer.from(bytes) },
  { what: 'a Uint8Array', answer: () => bytes, type: octets, body: Buffer.from(bytes) },
  { what: 'a part of a buffer', answer: () => bytes.subarray(2), type: octets, body: Buffer.from([254, 255]) },
  { what: 'an ArrayBuffer', answer: () => bytes.slice().buffer, type: octets, body: Buffer.from(bytes) },
  {
    what: 'a DataView',
    answer: () => new DataView(bytes.slice().buffer, 1),
    type: octets,
    body: Buffer.from([1, 254, 255]),
  },
  { what: 'noContent()', answer: noContent, status: 204, body: '', fields: { 'content-length': undefined } },
  { what: 'text()', answer: () => text('a'), type: plain, body: 'a' },
  { what: 'html()', answer: () => html('<p>'), type: 'text/html; charset=utf-8', body: '<p>' },
  {
    what: 'html() with a type of its own, in another case',
    answer: () => html('<p>', { headers: { 'content-type': 'text/html; charset=us-ascii' } }),
    type: 'text/html; charset=us-ascii',
    body: '<p>',
  },
  {
    what: 'reply() with a status and fields',
    answer: () => reply({ a: 1 }, { status: 202, headers: { 'X-A': 'b', 'X-C': ['d', 'e'] } }),
    status: 202,
    type: json,
    body: '{"a":1}',
    fields: { 'x-a': 'b', 'x-c': 'd, e' },
  },
  {
    what: 'created()',
    answer: () => created('/things/ä b', { id: 1 }),
    status: 201,
    type: json,
    fields: { location: '/things/%C3%A4%20b' },
  },
  { what: 'redirect()', answer: () => redirect('/there'), status: 302, body: '', fields: { location: '/there' } },
  { what: 'redirect() for good', answer: () => redirect('/there', 308), status: 308, fields: { location: '/there' } },
  {
    what: 'redirect() to a line break',
    answer: () => redirect('/a\r\nSet-Cookie: b'),
    status: 302,
    fields: { location: '/a%0D%0ASet-Cookie:%20b', 'set-cookie': undefined },
  },
  { what: 'a 304', answer: () => reply('unsent', { status: 304 }), status: 304, body: '' },
  {
    what: 'a 205',
    answer: () => reply('unsent', { status: 205 }),
    status: 205,
    body: '',
    fields: { 'content-length': '0' },
  },
  {
    what: 'a reply of nothing',
    answer: () => reply(undefined),
    body: '',
    type: undefined,
    fields: { 'content-length': '0' },
  },
  {
    what: 'a thenable that answers at once',
    answer: () => thenable(resolve => resolve('then')),
    type: plain,
    body: 'then',
  },
  {
    what: 'a thenable that answers twice',
    answer: () =>
      thenable(resolve => {
        resolve('first')
        resolve('second')
      }),
    body: 'first',
  },
]

function thenable(run: (resolve: (value: unknown) => void) => void) {
  // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
  return { then: (resolve: (value: unknown) => void) => run(resolve) }
}

describe('replies', () => {
  @Controller()
  class Replies {
    @Get('/:row') show(@Ctx() context: Context) {
      return rows[Number(context.params.row)]?.answer()
    }
  }
  const served = serveSuite({ controllers: [Replies] })

  for (const [index, { what, status = 200, body, fields = {}, ...row }] of rows.entries()) {
    test(`${what} is sent as what it is`, async () => {
      const answer = await send(served.port, `GET /${index}`)
      assert.equal(answer.status, status, answer.text)
      if ('type' in row) assert.equal(answer.headers['content-type'], row.type)
      if (typeof body === 'string') assert.equal(answer.text, body)
      else if (body !== undefined) assert.deepEqual(answer.bytes, body)
      for (const [name, value] of Object.entries(fields)) assert.equal(answer.headers[name], value, name)
    })
  }
})

const faults: [what: string, answer: () => unknown, logged: RegExp][] = [
  ['undefined', () => undefined, /Faults\.show returned nothing: return a value or noContent\(\), or mark it @Status/],
  ['a function', () => () => {}, /returned a function, which has no JSON form/],
  ['a symbol', () => Symbol('a'), /returned a symbol, which has no JSON form/],
  [
    'a BigInt',
    () => ({ n: 1n }),
    /Faults\.show returned what has no JSON form \(Do not know how to serialize a BigInt\): return a BigInt as a string/,
  ],
  ['a cycle', cycle, /circular/],
  ['a BigInt', () => 1n, /BigInt/],
  ['an error', () => new Error('secret'), /secret/],
  ['a rejection', () => Promise.reject(new Error('secret')), /secret/],
  ['a field with a line break', () => reply('', { headers: { 'X-A': 'a\r\nX-B: b' } }), /Invalid character/],
  ['a field with a NUL', () => reply('', { headers: { 'X-A': 'a\0' } }), /Invalid character/],
  ['a field whose name is none', () => reply('', { headers: { 'X A': 'a' } }), /must be a valid HTTP token/],
  ['a status that is none', () => reply('', { status: 99 }), /99 is no status of a reply/],
  ['a status that only says that a reply follows', () => reply('', { status: 103 }), /103 is no status of a reply/],
  ['a value whose toJSON throws', () => ({ toJSON: fail }), /secret/],
  ['a thenable that throws', () => thenable(fail), /secret/],
  ['a locked stream', locked, /locked/],
  [
    'a map',
    () => new Map([['a', 1]]),
    /Faults\.show returned a Map, which has no JSON form: return Object\.fromEntries\(map\), or \[\.\.\.map\]/,
  ],
  ['a set', () => new Set(['a']), /returned a Set, which has no JSON form: return \[\.\.\.set\], or ndjson\(set\)/],
  [
    'a map inside',
    () => ({ users: [{ name: 'ada' }, { name: {}, tags: new Map() }] }),
    /Faults\.show returned what has no JSON form \(JSON makes \{\} of a Map at \.users\[1\]\.tags\): return Object\.fromEntries\(map\), or/,
  ],
  ['a set inside', () => [new Set(['a'])], /JSON makes \{\} of a Set at \[0\]\): return \[\.\.\.set\]$/],
  [
    'a promise inside',
    () => ({ user: Promise.resolve(1) }),
    /a Promise at \.user\): return what it resolves to: await it/,
  ],
  ['an error inside', () => ({ why: new Error('secret') }), /an Error at \.why\): return its message/],
  [
    'a generator inside',
    () => ({ all: (function* () {})() }),
    /a Generator at \.all\): return an array of what it yields/,
  ],
  ['a form', () => new FormData(), /returned a FormData, which has no JSON form: return Object\.fromEntries\(form\)/],
  ['a query', () => new URLSearchParams('a=1'), /a URLSearchParams, which has no JSON form: return String\(params\)/],
  [
    'header fields',
    () => reply(new Headers({ a: 'b' })),
    /a Headers, which has no JSON form: return Object\.fromEntries/,
  ],
  ['a regular expression', () => /a/, /returned a RegExp, which has no JSON form: return its source/],
  ['a web response that was read', readResponse, /a Response whose body was read: return response\.clone\(\)/],
  ['a web response that is an error', () => Response.error(), /0 is no status of a reply/],
]

function cycle() {
  const value: Record<string, unknown> = {}
  value.self = value
  return value
}

function fail(): never {
  throw new Error('secret')
}

function locked() {
  const stream = new ReadableStream()
  stream.getReader()
  return stream
}

async function readResponse() {
  const response = new Response('read')
  await response.text()
  return response
}

describe('what cannot be sent', () => {
  @Controller()
  class Faults {
    @Get('/:row') show(@Ctx() context: RequestContext) {
      context.response.setHeader('Content-Security-Policy', "default-src 'self'")
      context.response.setHeader('Content-Language', 'en')
      return faults[Number(context.params.row)]?.[1]()
    }
  }

  for (const [index, [what, , logged]] of faults.entries()) {
    test(`${what} is a 500 without detail, logged once with the handler's name`, async t => {
      const { port, log } = await serve(t, { controllers: [Faults] })
      const answer = await send(port, `GET /${index}`)
      assert.equal(answer.status, 500)
      assert.deepEqual(answer.json(), { type: 'about:blank', title: STATUS_CODES[500], status: 500 })
      assert.equal(answer.headers['x-b'], undefined)
      assert.equal(answer.headers['content-language'], undefined, 'what spoke of the lost body is gone')
      assert.ok(answer.headers['content-security-policy'], 'what did not is kept')
      assert.deepEqual(
        log.map(line => [line.level, line.message]),
        [['error', 'GET Faults.show failed']],
      )
      assert.match(String(log[0]?.details), logged)
    })
  }

  test('P21: a handler that answers nothing is a NotSentError, and its log line has the cure', async t => {
    const { port, log } = await serve(t, { controllers: [Faults] })
    await send(port, 'GET /0')
    assert.ok(log[0]?.details instanceof NotSentError)
  })
})

test('P11: the status is the one that was given, whatever is sent with it', async t => {
  @Controller()
  class Statuses {
    @Get('/missing') @Status(404) *missing() {
      yield 'streamed, and still 404'
    }
    @Get('/reply') @Status(202) reply() {
      return reply({ a: 1 })
    }
    @Get('/own') @Status(202) own() {
      return reply({ a: 1 }, { status: 203 })
    }
    @Post('/silent') @Status(204) silent() {}
  }
  const { port } = await serve(t, { controllers: [Statuses] })
  assert.deepEqual(await statusAndText(port, 'GET /missing'), [404, 'streamed, and still 404'])
  assert.deepEqual(await statusAndText(port, 'GET /reply'), [202, '{"a":1}'])
  assert.deepEqual(await statusAndText(port, 'GET /own'), [203, '{"a":1}'])
  assert.deepEqual(await statusAndText(port, 'POST /silent'), [204, ''])
})

test('P10: nothing is sent before the handler has returned, and no field is sent twice', async t => {
  @Controller()
  class Deferred {
    @Get() show(@Ctx() context: RequestContext) {
      context.response.setHeader('X-Late', 'set by the handler')
      context.response.setHeader('Vary', 'Origin')
      context.response.setHeader('Set-Cookie', 'a=1')
      const headers = { 'content-length': 99, 'content-TYPE': 'text/csv', vary: 'Accept', 'Set-Cookie': ['b=2', 'c=3'] }
      return reply('abc', { headers })
    }
  }
  const { port } = await serve(t, { controllers: [Deferred] })
  const { headers, text: body } = await send(port, 'GET /')
  assert.equal(body, 'abc')
  assert.equal(headers['content-length'], '3')
  assert.equal(headers['content-type'], 'text/csv')
  assert.equal(headers['x-late'], 'set by the handler')
  assert.equal(headers.vary, 'Origin, Accept')
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2', 'c=3'])
})

test('the fields of a reply from elsewhere may be given back: what is whole is not chunked, too', async t => {
  @Controller()
  class Forwarded {
    @Get() show(@Ctx() context: RequestContext) {
      context.response.setHeader('Transfer-Encoding', 'gzip')
      return reply('hello', { headers: { 'transfer-encoding': 'chunked', 'content-length': '99', etag: '"a"' } })
    }
  }
  const { port } = await serve(t, { controllers: [Forwarded] })
  const { headers, text: body } = await send(port, 'GET /')
  assert.equal(body, 'hello')
  assert.equal(headers['transfer-encoding'], undefined)
  assert.deepEqual([headers['content-length'], headers.etag], ['5', '"a"'])
})

test('a reply of 32 MiB arrives whole', async t => {
  const huge = Buffer.alloc(32 << 20, 'abcdefgh')
  @Controller()
  class Huge {
    @Get() show() {
      return huge
    }
  }
  const { port } = await serve(t, { controllers: [Huge] })
  assert.ok(huge.equals((await send(port, 'GET /')).bytes))
})

test('a handler may write the response itself, and then nothing is added', async t => {
  @Controller()
  class ByHand {
    @Get('/now') now(@Ctx() context: RequestContext) {
      context.response.end('by hand')
    }
    @Get('/error') error(@Ctx() context: RequestContext) {
      context.response.end('by hand')
      throw new HttpError(418)
    }
    @Get('/late') late(@Ctx() { response }: RequestContext) {
      setImmediate(() => response.write('too late'))
      return 'in time'
    }
  }
  const { port, log } = await serve(t, { controllers: [ByHand] })
  assert.equal((await send(port, 'GET /now')).text, 'by hand')
  assert.equal((await send(port, 'GET /error')).text, 'by hand')
  assert.deepEqual(log, [])
  assert.equal((await send(port, 'GET /late')).text, 'in time')
  assert.equal((await send(port, 'GET /now')).text, 'by hand', 'the process lives')
})

async function statusAndText(port: number, line: string) {
  const answer = await send(port, line)
  return [answer.status, answer.text]
}
