import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { describe, test } from 'node:test'
import { Body, Controller, Post } from '../../src/index.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'

@Controller()
class Bodies {
  @Post('/any') any(@Body() body: unknown) {
    return { is: body === undefined ? 'nothing' : typeof body, body }
  }
  @Post('/raw') raw(@Body({ as: 'raw' }) body: Buffer) {
    return { isBuffer: Buffer.isBuffer(body), hex: body.toString('hex') }
  }
  @Post('/text') text(@Body({ as: 'text' }) body: string) {
    return { body }
  }
  @Post('/json') json(@Body({ as: 'json' }) body: unknown) {
    return { body }
  }
  @Post('/form') form(@Body({ as: 'form' }) body: unknown) {
    return { body }
  }
  @Post('/small') small(@Body({ limit: 10 }) body: unknown) {
    return { body }
  }
}

const json = 'application/json'
const form = 'application/x-www-form-urlencoded'
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

interface Row {
  readonly what: string
  readonly path?: string
  readonly type?: string
  readonly headers?: Record<string, string>
  readonly body: string | Buffer
  readonly status?: number
  readonly gives?: unknown
  readonly detail?: RegExp
}

const rows: Row[] = [
  { what: 'JSON', type: json, body: '{"a":[1,null,"é"]}', gives: { a: [1, null, 'é'] } },
  { what: 'JSON in UTF-8, said so', type: `${json}; charset=UTF-8`, body: '"é"', gives: 'é' },
  { what: 'JSON with a quoted charset', type: `${json};charset="utf-8"`, body: '1', gives: 1 },
  { what: 'JSON with a type of its own', type: 'application/vnd.api+json', body: '{}', gives: {} },
  { what: 'JSON whose type is in another case', type: 'Application/JSON', body: '1', gives: 1 },
  { what: 'JSON with a tab behind its type', type: `${json}\t;charset=utf-8`, body: '1', gives: 1 },
  { what: 'JSON behind a byte order mark', type: json, body: '\ufeff{"a":1}', gives: { a: 1 } },
  { what: 'JSON that is null', type: json, body: 'null', gives: null },
  { what: 'JSON nested 100 deep', type: json, body: nested(100), gives: JSON.parse(nested(100)) },
  { what: 'JSON whose strings have brackets', type: json, body: `"${'['.repeat(300)}"`, gives: '['.repeat(300) },
  { what: 'JSON nested 101 deep', type: json, body: nested(101), status: 400, detail: /more than 100 deep/ },
  { what: 'JSON nested a million deep', type: json, body: '['.repeat(1_000_000), status: 400, detail: /deep/ },
  { what: 'half a JSON text', type: json, body: '{"a":', status: 400, detail: /cannot be read/ },
  { what: '__proto__ in JSON', type: json, body: '{"__proto__":{"admin":true}}', status: 400 },
  { what: '__proto__ in JSON, escaped', type: json, body: '{"\\u005f_proto__":{"a":1}}', status: 400 },
  { what: '__proto__ deep in JSON', type: json, body: '{"a":[{"__proto__":{}}]}', status: 400 },
  { what: 'constructor.prototype in JSON', type: json, body: '{"constructor":{"prototype":{"a":1}}}', status: 400 },
  { what: 'a constructor that is data', type: json, body: '{"constructor":"Ada"}', gives: { constructor: 'Ada' } },
  { what: 'bytes that are no UTF-8', type: json, body: Buffer.from([0x22, 0xff, 0x22]), status: 400, detail: /UTF-8/ },
  { what: 'no body at all', type: json, body: '', gives: undefined },
  { what: 'white space for JSON', type: json, body: ' ', status: 400 },
  { what: 'text', type: 'text/plain', body: 'a\r\nb', gives: 'a\r\nb' },
  { what: 'text of another kind', type: 'text/csv; header=present', body: 'a,b', gives: 'a,b' },
  { what: 'text in Latin-1', type: 'text/plain; charset=iso-8859-1', body: 'x', status: 415, detail: /iso-8859-1/ },
  { what: 'a form', type: form, body: 'a=1&b=%C3%A9+x', gives: { a: '1', b: 'é x' } },
  { what: 'a form with a repeated name', type: form, body: 'a=1&a=2', gives: { a: ['1', '2'] } },
  { what: 'a form whose names have brackets', type: form, body: 'a[b]=1&c[]=2', gives: { 'a[b]': '1', 'c[]': '2' } },
  { what: 'a form with a bad escape', type: form, body: 'a=%zz', gives: { a: '%zz' } },
  { what: 'a form of 1,000 fields', type: form, body: 'a&'.repeat(999).concat('b=1'), gives: 'skip' },
  { what: 'a form of 1,001 fields', type: form, body: 'a&'.repeat(1000).concat('b=1'), status: 413, detail: /1000/ },
  { what: 'no type', body: 'x', status: 415, detail: /needs a Content-Type/ },
  { what: 'a type that is not read', type: 'application/xml', body: '<a/>', status: 415, detail: /application\/xml/ },
  { what: 'a type that only looks like JSON', type: 'application/jsonx', body: '1', status: 415 },
  { what: 'two types', type: `${json}, text/plain`, body: '1', status: 415 },
  { what: 'an encoded body', type: json, headers: { 'content-encoding': 'gzip' }, body: 'x', status: 415 },
  { what: 'stacked encodings', type: json, headers: { 'content-encoding': 'gzip, gzip' }, body: 'x', status: 415 },
  { what: 'the identity encoding', type: json, headers: { 'content-encoding': 'identity' }, body: '1', gives: 1 },
  { what: 'JSON by order, whatever its type', path: '/json', type: 'text/plain', body: '[1]', gives: [1] },
  { what: 'text by order', path: '/text', type: json, body: '[1]', gives: '[1]' },
  { what: 'a form by order', path: '/form', body: 'a=1', gives: { a: '1' } },
  { what: 'a body at its limit', path: '/small', type: json, body: '12345678', gives: 12345678 },
  { what: 'a body past its limit', path: '/small', type: json, body: '12345678901', status: 413, detail: /10 bytes/ },
]

describe('request bodies', () => {
  const served = serveSuite({ controllers: [Bodies] })

  for (const { what, path = '/any', type, headers, body, status = 200, gives, detail } of rows) {
    test(`${what} is ${status === 200 ? 'read' : `refused with ${status}`}`, async () => {
      const fields = { ...(type === undefined ? {} : { 'content-type': type }), ...headers }
      const answer = await send(served.port, `POST ${path}`, { headers: fields, body })
      assert.equal(answer.status, status, answer.text)
      const said = answer.json() as { body: unknown; detail?: string }
      if (status === 200 && gives !== 'skip') assert.deepEqual(said.body, gives)
      if (detail !== undefined) assert.match(said.detail ?? '', detail)
      assert.equal(Object.hasOwn(Object.prototype, 'admin'), false)
    })
  }

  test('a form field named __proto__ is a field like any other', async () => {
    const answer = await send(served.port, 'POST /any', { headers: { 'content-type': form }, body: '__proto__=1&a=2' })
    assert.equal(answer.text, '{"is":"object","body":{"__proto__":"1","a":"2"}}')
  })

  test('bytes come as they were sent', async () => {
    const answer = await send(served.port, 'POST /raw', { body: Buffer.from([0, 255, 13, 10]) })
    assert.deepEqual(answer.json(), { isBuffer: true, hex: '00ff0d0a' })
  })

  test('415 tells what would be read', async () => {
    const type = await send(served.port, 'POST /any', { headers: { 'content-type': 'application/xml' }, body: 'x' })
    assert.match(type.headers.accept ?? '', /application\/json/)
    const fields = { 'content-type': json, 'content-encoding': 'br' }
    const encoding = await send(served.port, 'POST /any', { headers: fields, body: 'x' })
    assert.equal(encoding.headers['accept-encoding'], 'identity')
  })

  test('nothing of what peers send is logged', () => assert.deepEqual(served.log, []))
})

test('the limit of a body is 1 MiB, or the application’s, or the parameter’s own', async t => {
  const usual = await serve(t, { controllers: [Bodies] })
  const strict = await serve(t, { controllers: [Bodies] }, { bodyLimit: 100 })
  const post = (port: number, path: string, size: number) =>
    send(port, `POST ${path}`, { headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(size) })
  assert.equal((await post(usual.port, '/any', 1_048_576)).status, 200)
  assert.equal((await post(usual.port, '/any', 1_048_577)).status, 413)
  assert.equal((await post(strict.port, '/any', 100)).status, 200)
  assert.deepEqual((await post(strict.port, '/any', 101)).json(), {
    type: 'about:blank',
    title: STATUS_CODES[413],
    status: 413,
    detail: 'the body is larger than 100 bytes',
    limit: 100,
  })
  assert.equal((await post(strict.port, '/small', 11)).status, 413)
})
