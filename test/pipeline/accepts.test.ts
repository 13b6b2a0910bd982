import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Accepts, Controller, Get, On, reply, Sse, WebSocket } from '../../src/index.js'
import { asksFor, preferredType } from '../../src/pipeline/negotiate.js'
import { testBootErrors } from '../support/boot-errors.js'
import { fc } from '../support/properties.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

@Controller()
class Tables {
  @Get('/table') table(@Accepts('application/json', 'text/csv') type: string) {
    return type === 'text/csv' ? reply('a,b', { headers: { 'Content-Type': type } }) : { a: 'b' }
  }
  @Get('/csv')
  @Accepts('text/csv')
  csv() {
    return reply('a,b', { headers: { 'Content-Type': 'text/csv', Vary: 'Origin' } })
  }
}

@Controller('/both')
class Page {
  @Get('/') page() {
    return { kind: 'page' }
  }
}
@Sse('/both')
class Stream {
  *open() {
    yield 'live'
  }
}

describe('@Accepts', () => {
  const served = serveSuite({ controllers: [Tables, Page] })
  const get = (path: string, accept?: string) =>
    send(served.port, `GET ${path}`, { headers: accept === undefined ? {} : { Accept: accept } })

  for (const [accept, type] of [
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['text/csv', 'text/csv'],
    ['TEXT/CSV', 'text/csv'],
    ['text/*', 'text/csv'],
    ['text/csv, application/json', 'text/csv'],
    ['application/json;q=0.5, text/csv', 'text/csv'],
    ['application/json, text/csv;q=0.9', 'application/json'],
    ['text/csv;q=0.9, */*', 'application/json'],
    ['application/json;q=0, */*', 'text/csv'],
    ['application/json; charset=utf-8', 'application/json'],
    ['text/html, application/xhtml+xml, */*;q=0.8', 'application/json'],
  ] as const) {
    test(`${accept === undefined ? 'no Accept' : `Accept: ${accept}`} gets ${type}`, async () => {
      const { status, headers } = await get('/table', accept)
      assert.deepEqual([status, headers['content-type'], headers.vary], [200, type, 'Accept'])
    })
  }

  for (const accept of [
    'image/png',
    'text/csv;q=0',
    '*/*;q=0',
    'application/json;version=2',
    'text/csv;q=x',
    'nonsense',
  ]) {
    test(`Accept: ${accept} is 406, with what there is`, async () => {
      const { status, headers, json } = await get('/table', accept)
      assert.deepEqual([status, headers.vary], [406, 'Accept'])
      assert.deepEqual((json() as { types: unknown }).types, ['application/json', 'text/csv'])
    })
  }

  test('on a method only checks', async () => {
    const csv = await get('/csv', 'text/*')
    assert.deepEqual([csv.status, csv.headers.vary], [200, 'Accept, Origin'])
    assert.equal((await get('/csv', 'application/json')).status, 406)
  })
})

describe('GET and a stream on one path', () => {
  const served = serveSuite({ controllers: [Page, Stream] })

  test('depend on Accept, and caches are told', async () => {
    for (const accept of ['*/*', 'application/json']) {
      const { headers, json } = await send(served.port, 'GET /both', { headers: { Accept: accept } })
      assert.deepEqual([json(), headers.vary], [{ kind: 'page' }, 'Accept'])
    }
    const head = await send(served.port, 'HEAD /both', { headers: { Accept: 'text/event-stream' } })
    assert.deepEqual([head.headers['content-type'], head.headers.vary], ['text/event-stream; charset=utf-8', 'Accept'])
  })
})

describe('what a peer accepts', () => {
  test('is asked for only by its name, and only where nothing else is liked better', () => {
    for (const [accept, asks] of [
      [undefined, false],
      ['*/*', false],
      ['text/*', false],
      ['text/event-stream', true],
      ['application/json, text/event-stream', true],
      ['text/event-stream, */*;q=0.1', true],
      ['text/event-stream;q=0.1', true],
      ['text/event-stream;q=0', false],
      ['text/event-stream;q=0.9, text/html', false],
      ['text/event-streams', false],
    ] as const)
      assert.equal(asksFor(accept, 'text/event-stream'), asks, accept)
  })

  test('may be anything: reading it never fails', () => {
    const piece = fc.constantFrom(
      'text/event-stream',
      '*/*',
      'a/b',
      ',',
      ';',
      'q=',
      '0',
      '1',
      '"',
      '\\',
      ' ',
      '=',
      '/',
      '*',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30, size: 'max' }), pieces => {
        const accept = pieces.join('')
        const chosen = preferredType(accept, ['a/b', 'text/event-stream'])
        assert.ok(chosen === undefined || ['a/b', 'text/event-stream'].includes(chosen))
        asksFor(accept, 'text/event-stream')
      }),
      { seed: 20_26, numRuns: 3000 },
    )
  })
})

testBootErrors('@Accepts', {
  'takes media types': {
    module: () => {
      @Controller('/a')
      class A {
        @Get('/1') one(@Accepts('json') _: string) {}
        @Get('/2') @Accepts() two() {}
        @Get('/3') three(@Accepts('*/*', 'text/csv') _: string) {}
      }
      return [A]
    },
    problems: [
      "A.one: @Accepts takes media types, such as 'application/json', not 'json'",
      "A.two: @Accepts takes media types, such as 'application/json', not nothing",
      "A.three: @Accepts takes media types, such as 'application/json', not '*/*'",
    ],
  },
  'is for handlers of requests and openings': {
    module: () => {
      @WebSocket('/a')
      class A {
        @On('x') x(@Accepts('a/b') _: string) {}
      }
      @Controller('/b')
      @(Accepts('a/b') as ClassDecorator)
      class B {
        @Get() get() {}
      }
      return [A, B]
    },
    problems: [
      'B: @Accepts stands on the class; it belongs to methods and parameters',
      'A.x: @Accepts on a message, which has no header fields: read it in open, or in a guard of the class that keeps it by context.set',
    ],
  },
})
