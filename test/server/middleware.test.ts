import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import compression from 'compression'
import cors from 'cors'
import express from 'express'
import session, { type SessionData } from 'express-session'
import helmet from 'helmet'
import {
  Body,
  Controller,
  Ctx,
  Get,
  Guard,
  HttpError,
  type Middleware,
  Post,
  type RequestContext,
  Sse,
} from '../../src/index.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'

declare module 'express-session' {
  interface SessionData {
    visits: number
  }
}

@Controller()
class Pages {
  @Get() show() {
    return 'shown'
  }
  @Get('/visits') visits(@Ctx() { request }: RequestContext) {
    const { session } = request as typeof request & { session: SessionData }
    session.visits = (session.visits ?? 0) + 1
    return { visits: session.visits }
  }
  @Get('/closed') @Guard(() => false) closed() {
    return 'unreached'
  }
  @Get('/long') long() {
    return 'x'.repeat(10_000)
  }
  @Get('/stream') async *stream(signal: AbortSignal) {
    yield 'first'
    await new Promise(resolve => signal.addEventListener('abort', resolve))
  }
  @Post('/body') body(@Body() body: unknown) {
    return { body: body ?? null }
  }
}

@Sse('/events')
class Events {
  open() {
    return 'hello'
  }
}

const controllers = [Pages, Events]

describe('the middleware that people use', () => {
  test('helmet and cors: fields on replies, refusals, errors and event streams', async t => {
    const use = [helmet(), cors({ origin: 'https://example.com', credentials: true })]
    const { port } = await serve(t, { controllers }, { use })
    for (const [path, status] of [
      ['/', 200],
      ['/closed', 403],
      ['/nowhere', 404],
    ] as const) {
      const answer = await send(port, `GET ${path}`)
      assert.equal(answer.status, status)
      assert.match(String(answer.headers['content-security-policy']), /default-src 'self'/)
      assert.equal(answer.headers['access-control-allow-origin'], 'https://example.com')
    }
    const peer = await RawPeer.connect(port)
    await peer.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await peer.readUntil('data: hello'), /Access-Control-Allow-Origin: https:\/\/example\.com\r\n/)
    peer.destroy()
    const preflight = await send(port, 'OPTIONS /', { headers: { 'Access-Control-Request-Method': 'PUT' } })
    assert.deepEqual([preflight.status, preflight.headers['access-control-allow-credentials']], [204, 'true'])
  })

  test('sessions: their cookie reaches replies, refusals and the heads of event streams', async t => {
    const use = [session({ secret: 'x', resave: false, saveUninitialized: true }) as unknown as Middleware]
    const { port } = await serve(t, { controllers }, { use })
    for (const path of ['/visits', '/closed', '/nowhere'])
      assert.match(String((await send(port, `GET ${path}`)).headers['set-cookie']), /^connect\.sid=/, path)
    const first = await send(port, 'GET /visits')
    const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
    assert.deepEqual((await send(port, 'GET /visits', { headers: { cookie } })).json(), { visits: 2 })
    const peer = await RawPeer.connect(port)
    await peer.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await peer.readUntil('data: hello'), /Set-Cookie: connect\.sid=/)
    peer.destroy()
  })

  test('compression: replies are compressed, and what a stream gives arrives when it gives it', async t => {
    const { port } = await serve(t, { controllers }, { use: [compression() as unknown as Middleware] })
    const long = await fetch(`http://127.0.0.1:${port}/long`)
    assert.equal(long.headers.get('content-encoding'), 'gzip')
    assert.equal(await long.text(), 'x'.repeat(10_000))
    for (const [path, expected] of [
      ['/stream', /^first/],
      ['/events', /data: hello/],
    ] as const) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`)
      assert.equal(answer.headers.get('content-encoding'), path === '/stream' ? 'gzip' : null)
      const reader = answer.body?.getReader()
      let heard = ''
      while (!expected.test(heard)) heard += Buffer.from((await reader?.read())?.value ?? []).toString()
      await reader?.cancel()
    }
  })

  test('body parsers: what they have read is the body', async t => {
    const use = [express.json() as unknown as Middleware]
    const { port } = await serve(t, { controllers }, { use })
    assert.deepEqual((await send(port, 'POST /body', { body: { a: 1 } })).json(), { body: { a: 1 } })
    assert.deepEqual((await send(port, 'POST /body')).json(), { body: null })
    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1' }
    assert.deepEqual((await send(port, 'POST /body', form)).json(), { body: { a: '1' } }, 'what they left is ours')
    const broken = await send(port, 'POST /body', { headers: { 'content-type': 'application/json' }, body: '{' })
    assert.equal(broken.status, 400, 'and what they refuse is refused as they say')
    assert.equal(broken.headers['content-type'], 'application/problem+json')
  })

  test('middleware that reads the body and leaves none is told so', async t => {
    const greedy: Middleware = (request, _, next) => void request.resume().on('end', () => next())
    const { port, log } = await serve(t, { controllers }, { use: [greedy] })
    assert.equal((await send(port, 'POST /body', { body: {} })).status, 500)
    assert.match(String(log[0]?.details), /middleware has read the body and left no request\.body/)
  })
})

describe('middleware', () => {
  test('runs in order, before the match, and may be asynchronous', async t => {
    const order: string[] = []
    const notes =
      (who: string): Middleware =>
      async (_request, _response, next) => {
        await null
        order.push(who)
        next()
      }
    const rewrites: Middleware = (request, _, next) => {
      request.url = '/'
      next()
    }
    const { port } = await serve(t, { controllers }, { use: [notes('a'), rewrites, notes('b')] })
    assert.equal((await send(port, 'GET /elsewhere')).text, 'shown')
    assert.deepEqual(order, ['a', 'b'])
  })

  const answers: [what: string, middleware: Middleware, status: number, logged: boolean][] = [
    ['answers itself', (_, response) => void response.writeHead(202).end('mine'), 202, false],
    [
      'answers and passes on',
      (_, response, next) => {
        response.writeHead(202).end('mine')
        next()
      },
      202,
      false,
    ],
    [
      'passes on twice',
      (_request, _response, next) => {
        next()
        next()
      },
      200,
      false,
    ],
    ['passes an HttpError on', (_request, _response, next) => next(new HttpError(418)), 418, false],
    ['throws an HttpError', () => raise(new HttpError(418)), 418, false],
    ['throws', () => raise(new Error('secret')), 500, true],
    ['throws nothing at all', () => raise(undefined), 500, true],
    ['rejects', async () => raise(new Error('secret')), 500, true],
    ['rejects with nothing at all', async () => raise(undefined), 500, true],
    ['passes a string on', (_request, _response, next) => next('secret'), 500, true],
    ['fails as http-errors do', () => raise(httpError(403, true)), 403, false],
    ['fails as http-errors do, in secret', () => raise(httpError(403, false)), 500, true],
    ['fails as http-errors do, by itself', () => raise(httpError(503, true)), 500, true],
    [
      'fails when it has passed on',
      async (_request, _response, next) => {
        next()
        raise(new Error('secret'))
      },
      200,
      true,
    ],
  ]
  for (const [what, middleware, status, logged] of answers) {
    test(`that ${what}: ${status}`, async t => {
      const { port, log } = await serve(t, { controllers }, { use: [middleware] })
      const answer = await send(port, 'GET /')
      assert.equal(answer.status, status)
      if (status !== 403) assert.doesNotMatch(answer.text, /secret/)
      assert.equal(log.length, logged ? 1 : 0)
    })
  }
})

function httpError(status: number, expose: boolean) {
  return Object.assign(new Error('secret'), { status, statusCode: status, expose })
}

function raise(error: unknown): never {
  throw error
}
