/** Express inside of an application that speaks HTTP/2: it knows nothing of that, and works. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import compression from 'compression'
import express from 'express'
import session from 'express-session'
import {
  type ApplicationOptions,
  Controller,
  Ctx,
  Get,
  type Middleware,
  mount,
  type RequestContext,
  Sse,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { folderOf } from '../support/folder.js'
import { serve } from '../support/serve.js'
import { ask, extendedConnect, openEvents, openSession, read } from '../support/wires.js'

const large = 'x'.repeat(300_000)
const folder = folderOf({ 'page.txt': large })
let closed = 0

@Controller()
class Routes {
  @Get('/old/ours') ours(@Ctx() { path, host, method }: RequestContext) {
    return { path, host: host !== undefined, method }
  }
  @Get('/ours') also() {
    return 'ours'
  }
}

@Sse('/old/events')
class Events {
  open() {
    return 'hello'
  }
}

function makeExpress() {
  const inner = express()
  inner.get('/deep', (request, response) => void response.json({ url: request.originalUrl, base: request.baseUrl }))
  const app = express()
  app.use(session({ secret: 'a', resave: false, saveUninitialized: true, cookie: { secure: 'auto' } }))
  app.use(express.json())
  app.get('/page', (request, response) => {
    const { method, url, originalUrl, protocol, secure, hostname, ip, path, httpVersion } = request
    response
      .cookie('a', '1')
      .json({ method, url, originalUrl, protocol, secure, hostname, ip, path, httpVersion, q: request.query })
  })
  app.post('/page', (request, response) => void response.status(201).set('X-A', 'b').send({ got: request.body }))
  app.get('/away', (_, response) => void response.redirect('page'))
  app.get('/empty', (_, response) => void response.sendStatus(204))
  app.get('/streamed', (_, response) => void Readable.from([large, 'end']).pipe(response))
  app.get('/open', (_, response) => {
    response.on('close', () => void closed++)
    response.write('first')
  })
  app.get('/fails', () => {
    throw Object.assign(new Error('not found here'), { status: 404 })
  })
  app.use('/files', express.static(folder))
  app.use('/inner', inner)
  return app
}

async function open(t: TestContext, use: Middleware[], options: ApplicationOptions = {}) {
  const served = await serve(t, { controllers: [Routes, Events] }, { http2: true, use, ...options })
  const session = await openSession(served.port, 'http')
  t.after(() => session.destroy())
  return { ...served, session, get: (path: string, fields = {}) => ask(session, { ':path': path, ...fields }) }
}

for (const [way, use, base] of [
  ['mounted', () => [mount('/old', makeExpress() as unknown as Middleware)], '/old'],
  ['as middleware', () => [makeExpress() as unknown as Middleware], ''],
] as const) {
  test(`${way}: it reads requests and answers them`, async t => {
    const { session, get, log } = await open(t, use())
    const page = await get(`${base}/page?x=1`)
    assert.equal(page.status, 200)
    assert.deepEqual(JSON.parse(page.text), {
      method: 'GET',
      url: '/page?x=1',
      originalUrl: `${base}/page?x=1`,
      protocol: 'http',
      secure: false,
      hostname: '127.0.0.1',
      ip: '127.0.0.1',
      path: '/page',
      httpVersion: '2.0',
      q: { x: '1' },
    })
    assert.equal(page.headers['content-type'], 'application/json; charset=utf-8')
    assert.match(String(page.headers['set-cookie']), /^a=1; Path=\/,connect\.sid=/)
    assert.equal((await get(`${base}/page?x=1`, { 'if-none-match': page.headers.etag })).status, 304)
    const head = await get(`${base}/page`, { ':method': 'HEAD' })
    assert.deepEqual([head.status, head.text], [200, ''])
    const post = { ':method': 'POST', ':path': `${base}/page`, 'content-type': 'application/json' }
    const posted = await ask(session, post, '{"a":[1]}')
    assert.deepEqual([posted.status, posted.headers['x-a'], posted.text], [201, 'b', '{"got":{"a":[1]}}'])
    const away = await get(`${base}/away`)
    assert.deepEqual([away.status, away.headers.location], [302, 'page'])
    assert.equal((await get(`${base}/empty`)).status, 204)
    assert.deepEqual(log, [])
  })

  test(`${way}: its files, streams, errors and the applications inside of it`, async t => {
    const { session, get } = await open(t, use())
    assert.equal((await get(`${base}/files/page.txt`)).text, large)
    const part = await get(`${base}/files/page.txt`, { range: 'bytes=0-9' })
    assert.deepEqual([part.status, part.text], [206, 'x'.repeat(10)])
    assert.equal((await get(`${base}/streamed`)).text, `${large}end`)
    assert.deepEqual(JSON.parse((await get(`${base}/inner/deep`)).text), { url: `${base}/inner/deep`, base: `/inner` })
    const failed = await get(`${base}/fails`)
    assert.equal(failed.status, 500)
    const before = closed
    const stream = session.request({ ':path': `${base}/open` })
    stream.on('error', () => {})
    await new Promise(resolve => stream.once('data', resolve))
    stream.close(8)
    await eventually('it hears its peer leave', () => closed === before + 1)
  })

  test(`${way}: what it passes on comes to our routes`, async t => {
    const { session, get } = await open(t, use())
    assert.deepEqual(JSON.parse((await get('/old/ours')).text), { path: '/old/ours', host: true, method: 'GET' })
    assert.equal((await get('/ours')).text, 'ours')
    assert.equal((await get('/old/none')).status, 404)
    const events = await openEvents(session, '/old/events')
    await events.hears('data: hello\n\n')
    events.raw.destroy()
  })
}

test('the WebSockets of what is mounted are 505, and the log has the cure', async t => {
  const upgraded: unknown[] = []
  const use = [
    mount('/old', makeExpress() as unknown as Middleware, { upgrade: request => void upgraded.push(request) }),
  ]
  const { session, get, log } = await open(t, use)
  const { status, text } = await read(session.request(extendedConnect('/old/live'), { endStream: false }))
  assert.deepEqual([status, JSON.parse(text).detail], [505, 'the WebSockets here are spoken over HTTP/1.1'])
  assert.equal((await get('/old/page')).status, 200)
  assert.deepEqual(upgraded, [])
  assert.match(
    String((log[0]?.details as Error | undefined)?.cause),
    /mount\('\/old'\): its upgrade takes WebSockets of HTTP\/1\.1 alone: serve it on a listener without http2, or make them socket classes/,
  )
})

test('middleware in front of it that compresses does so', async t => {
  const use = [compression() as Middleware, mount('/old', makeExpress() as unknown as Middleware)]
  const { get } = await open(t, use)
  const { headers } = await get('/old/streamed', { 'accept-encoding': 'gzip' })
  assert.equal(headers['content-encoding'], undefined, 'it has no type')
  assert.equal((await get('/old/files/page.txt', { 'accept-encoding': 'gzip' })).headers['content-encoding'], 'gzip')
  assert.equal((await get('/old/files/page.txt')).text, large)
})
