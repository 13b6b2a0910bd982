import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, test } from 'node:test'
import { Controller, Ctx, Get, int, type Middleware, Param, type RequestContext, reply } from '../../src/index.js'
import { serve } from '../support/app.js'
import { rawRequest } from '../support/raw-peer.js'

const LARGE = 'é'.repeat(4 * 1024 * 1024)

/** Holds its reply back until the next request has come. */
class Gate {
  open = () => {}
  readonly passed = new Promise<void>(resolve => {
    this.open = resolve
  })
}

function pages(gate = new Gate()) {
  @Controller('/')
  class Pages {
    @Get('/text')
    text() {
      return 'hello'
    }

    @Get('/large')
    large() {
      return LARGE
    }

    @Get('/empty/:kind')
    empty(@Param('kind') kind: string) {
      const options = { status: 204, headers: { 'Content-Length': 4 } }
      return kind === 'whole' ? reply('body', options) : reply(['body'].values(), options)
    }

    @Get('/bodiless/:status')
    bodiless(@Param('status', int()) status: number) {
      const headers = { 'Content-Length': 4, 'Transfer-Encoding': 'chunked', Trailer: 'Digest' }
      return reply(['body'].values(), { status, headers })
    }

    @Get('/trailing')
    trailing() {
      return reply('text', { headers: { Trailer: 'Digest' } })
    }

    @Get('/said')
    said(@Ctx() { response }: RequestContext) {
      response.statusMessage = 'Fine'
      throw new Error('not fine')
    }

    @Get('/held')
    async held() {
      await gate.passed
      return 'first'
    }

    @Get('/next/:name')
    next(@Param('name') name: string) {
      gate.open()
      return name
    }
  }
  return Pages
}

const ask = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

describe('replies that are whole', () => {
  test('204 has no length, whatever is said of one (RFC 9110 §8.6)', async t => {
    const { port } = await serve(t, [pages()])
    for (const kind of ['whole', 'stream']) {
      const raw = await rawRequest(port, ask(`/empty/${kind}`, 'Connection: close\r\n'))
      assert.match(raw, /^HTTP\/1\.1 204 No Content\r\n/)
      assert.doesNotMatch(raw, /Content-Length/)
    }
  })

  test('what has no content has none, nor a framing of it, also where it came item by item (RFC 9112 §6.1)', async t => {
    const { port } = await serve(t, [pages()])
    for (const [status, length] of [
      [204, undefined],
      [205, '0'],
      [304, '4'],
    ] as const) {
      const raw = await rawRequest(port, ask(`/bodiless/${status}`) + ask('/text', 'Connection: close\r\n'))
      const [head = '', second = ''] = raw.split('\r\n\r\n')
      assert.match(head, new RegExp(`^HTTP/1.1 ${status} `))
      assert.equal(/Content-Length: (\d+)/.exec(head)?.[1], length)
      assert.doesNotMatch(head, /Transfer-Encoding|Trailer/)
      assert.match(second, /^HTTP\/1\.1 200 OK/)
    }
  })

  test('have no trailers, which only chunked ones can have (RFC 9110 §6.5.1)', async t => {
    const { port } = await serve(t, [pages()])
    const raw = await rawRequest(port, ask('/trailing', 'Connection: close\r\n'))
    assert.match(raw, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\ntext$/s)
    assert.doesNotMatch(raw, /Trailer/)
  })

  test('a problem has the reason phrase of its own status', async t => {
    const { port } = await serve(t, [pages()])
    const raw = await rawRequest(port, ask('/said', 'Connection: close\r\n'))
    assert.match(raw, /^HTTP\/1\.1 500 Internal Server Error\r\n/)
  })

  test('leave in one write, head and text together', async t => {
    const written: unknown[] = []
    const spy: Middleware = (request, _response, next) => {
      const { socket } = request
      const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
      socket.write = ((...args: unknown[]) => {
        written.push(args[0])
        return write(...args)
      }) as typeof socket.write
      next()
    }
    const { port } = await serve(t, [pages()], { use: [spy] })
    const received = await rawRequest(port, ask('/text', 'Connection: close\r\n'))
    assert.deepEqual(written, [received])
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n.*\r\nContent-Length: 5\r\n.*\r\n\r\nhello$/s)
  })

  test('are seen by `end` alone where middleware has put a `write` of its own in place', async t => {
    const seen: [string, unknown][] = []
    const wrap: Middleware = (_request, response: ServerResponse, next) => {
      const { write, end } = response
      response.write = ((...args: Parameters<typeof write>) => {
        seen.push(['write', args[0]])
        return write.apply(response, args)
      }) as typeof write
      response.end = ((...args: Parameters<typeof end>) => {
        seen.push(['end', args[0]])
        return end.apply(response, args)
      }) as typeof end
      next()
    }
    const { port } = await serve(t, [pages()], { use: [wrap] })
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/text`)).text(), 'hello')
    assert.deepEqual(seen, [['end', 'hello']])
  })

  test('keep the order of requests that came at once', async t => {
    const { port } = await serve(t, [pages()])
    const text = ask('/held') + ask('/next/second') + ask('/next/third', 'Connection: close\r\n')
    const bodies = (await rawRequest(port, text)).split(/HTTP\/1\.1 200 OK\r\n.*?\r\n\r\n/s).slice(1)
    assert.deepEqual(bodies, ['first', 'second', 'third'])
  })

  test('arrive whole when they are larger than the socket takes at once', async t => {
    const { port } = await serve(t, [pages()])
    const url = `http://127.0.0.1:${port}/large`
    const [one, other] = await Promise.all([fetch(url), fetch(url)])
    assert.equal(await one.text(), LARGE)
    assert.equal(await other.text(), LARGE)
  })
})
