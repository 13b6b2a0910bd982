import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ClientHttp2Session } from 'node:http2'
import { describe, type TestContext, test } from 'node:test'
import compression from 'compression'
import cors from 'cors'
import session from 'express-session'
import helmet from 'helmet'
import {
  type ApplicationOptions,
  Body,
  type Context,
  Controller,
  Ctx,
  Get,
  type Middleware,
  Post,
  type RequestContext,
  reply,
  WebSocket,
} from '../../src/index.js'
import { start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { block, flags, frame, Http2Peer } from '../support/http2-frames.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { ask, extendedConnect, openSession, openSocketOn } from '../support/wires.js'
import { withResolvers } from '../support/with-resolvers.js'

const seen: string[] = []
let gate = withResolvers()
let arrived = withResolvers()

@Controller()
class Routes {
  @Get('/') get(@Ctx() context: Context) {
    return { host: context.header('host'), method: context.method, address: context.remoteAddress }
  }
  @Post('/') async post(@Body() body: unknown) {
    return { body: body ?? null }
  }
  @Post('/unread') unread() {
    return 'answered'
  }
  @Get('/fields') fields() {
    const headers = { Connection: 'close', 'Keep-Alive': 'timeout=5', 'Set-Cookie': ['a=1', 'b=2'], 'X-Own': 'yes' }
    return reply('fields', { headers })
  }
  @Get('/raw') raw(@Ctx() context: Context) {
    const { response } = context as RequestContext
    response.statusMessage = 'Fine'
    response.setHeader('Transfer-Encoding', 'chunked').setHeader('X-One', '1')
    response.writeHead(201, 'Created', ['X-Two', '2', 'Connection', 'close'])
    response.end('raw')
    return reply(undefined)
  }
  @Get('/numbers') async *numbers(@Ctx() context: Context) {
    try {
      for (let number = 0; ; number++) yield { number, filler: 'x'.repeat(1000) }
    } finally {
      seen.push(`let go ${context.signal.aborted}`)
    }
  }
  @Get('/broken') async *broken() {
    yield 'first'
    throw new Error('failed on purpose')
  }
  @Get('/slow') async slow() {
    arrived.resolve()
    await gate.promise
    return 'done'
  }
  @Get('/waiting') async waiting(@Ctx() { signal, method }: Context) {
    arrived.resolve()
    await once(signal, 'abort')
    seen.push(`${method} given up`)
    return 'too late'
  }
  @Get('/large') large() {
    return 'y'.repeat(500_000)
  }
}

@WebSocket('/echo')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

async function open(t: TestContext, options: ApplicationOptions = {}) {
  const served = await start([Routes, Echo], { http2: true, ...options })
  const session = await openSession(served.port, 'http')
  t.after(async () => {
    session.destroy()
    await served.app.close({ deadline: 0 })
  })
  return { ...served, session }
}

const post = (session: ClientHttp2Session, path: string, body: string, fields = {}) =>
  ask(session, { ':method': 'POST', ':path': path, 'content-type': 'application/json', ...fields }, body)

describe('a request over HTTP/2', () => {
  test('is what it is over HTTP/1.1: its host, its method, its peer', async t => {
    const { session, port } = await open(t)
    const { text } = await ask(session, { ':path': '/' })
    assert.deepEqual(JSON.parse(text), { host: `127.0.0.1:${port}`, method: 'GET', address: '127.0.0.1' })
  })

  test('has a body, with or without its length', async t => {
    const { session } = await open(t, { bodyLimit: 1000 })
    assert.deepEqual(JSON.parse((await post(session, '/', '{"a":1}')).text), { body: { a: 1 } })
    const length = { 'content-length': '7' }
    assert.deepEqual(JSON.parse((await post(session, '/', '{"a":1}', length)).text), { body: { a: 1 } })
    const none = await ask(session, { ':method': 'POST', ':path': '/' })
    assert.deepEqual(JSON.parse(none.text), { body: null })
    assert.equal((await post(session, '/', `"${'x'.repeat(2000)}"`)).status, 413)
    assert.equal((await post(session, '/', '{')).status, 400)
  })

  test('whose body nobody reads is answered, and its peer told to stop', async t => {
    const { session } = await open(t)
    const stream = session.request({ ':method': 'POST', ':path': '/unread' })
    stream.write('x'.repeat(10_000))
    const [headers] = await once(stream, 'response')
    assert.equal(headers[':status'], 200)
    stream.resume()
    await once(stream, 'close')
    assert.equal(stream.rstCode, 0)
  })

  test('that is given up in the middle of its body never reaches its handler', async t => {
    const { session, log } = await open(t)
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'application/json' })
    await new Promise(resolve => stream.write('{"a":', resolve))
    stream.close(8)
    await once(stream, 'close')
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
    assert.deepEqual(log.messages, [])
  })

  test('that is given up aborts its signal, whatever its method', async t => {
    seen.splice(0)
    const { session } = await open(t)
    for (const method of ['GET', 'HEAD']) {
      arrived = withResolvers()
      const stream = session.request({ ':path': '/waiting', ':method': method })
      await arrived.promise
      stream.close(8)
      await eventually('the handler knows', () => seen.includes(`${method} given up`))
    }
  })

  test('with 100-continue gets one when its body is wanted', async t => {
    const { session } = await open(t)
    const fields = { ':method': 'POST', ':path': '/', 'content-type': 'application/json', expect: '100-continue' }
    const stream = session.request(fields)
    const answered = once(stream, 'response')
    await once(stream, 'continue')
    stream.end('5')
    assert.equal((await answered)[0][':status'], 200)
    stream.resume()
    await once(stream, 'close')
  })

  test('is answered in all the ways that there are: HEAD, OPTIONS, 404, 405', async t => {
    const { session } = await open(t)
    const head = await ask(session, { ':path': '/large', ':method': 'HEAD' })
    assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '500000', ''])
    const options = await ask(session, { ':path': '/', ':method': 'OPTIONS' })
    assert.deepEqual([options.status, options.headers.allow], [204, 'GET, HEAD, OPTIONS, POST'])
    assert.equal((await ask(session, { ':path': '/missing' })).status, 404)
    assert.equal((await ask(session, { ':path': '/', ':method': 'DELETE' })).status, 405)
    assert.equal((await ask(session, { ':path': '/large' })).text.length, 500_000)
  })

  test('is answered without the fields of a connection, and without a warning', async t => {
    const { session } = await open(t)
    const fields = await ask(session, { ':path': '/fields' })
    assert.deepEqual(fields.headers['set-cookie'], ['a=1', 'b=2'])
    assert.equal(fields.headers['x-own'], 'yes')
    const raw = await ask(session, { ':path': '/raw' })
    assert.deepEqual([raw.status, raw.headers['x-one'], raw.headers['x-two'], raw.text], [201, '1', '2', 'raw'])
    for (const { headers } of [fields, raw])
      for (const name of ['connection', 'keep-alive', 'transfer-encoding']) assert.equal(headers[name], undefined)
  })

  test('with a Host that is not its authority is 400 (RFC 9113 §8.3.1)', async t => {
    const { port } = await open(t)
    const peer = await Http2Peer.open(port)
    const fields = (host: string): [string, string][] => [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'localhost'],
      ['host', host],
    ]
    const all = flags.endHeaders | flags.endStream
    await peer.write(frame('headers', all, 1, block(fields('localhost'))))
    assert.match((await peer.until('data', 1)).payload.toString(), /"host":"localhost"/)
    await peer.write(frame('headers', all, 3, block(fields('evil'))))
    assert.match((await peer.until('data', 3)).payload.toString(), /more than one Host/)
    peer.raw.destroy()
  })
})

describe('a streamed reply over HTTP/2', () => {
  test('goes at its own peer’s pace, and is let go when that leaves, while others go on', async t => {
    seen.splice(0)
    const { session } = await open(t)
    const stream = session.request({ ':path': '/numbers' })
    stream.setEncoding('utf8')
    let text = ''
    for await (const chunk of stream) {
      text += chunk
      if (text.length > 200_000) break
    }
    stream.close(8)
    await eventually('it is let go', () => seen.length === 1)
    assert.deepEqual(seen, ['let go true'])
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
  })

  test('that fails is cut with an error code: its peer does not take it for whole', async t => {
    const { session, log } = await open(t)
    const { text, code } = await ask(session, { ':path': '/broken' })
    assert.deepEqual([text, code], ['first', 2])
    assert.deepEqual(log.messages, ['GET Routes.broken failed'])
  })
})

test('middleware of the ecosystem runs over HTTP/2, without a warning', async t => {
  const use = [
    helmet(),
    cors({ origin: 'https://page.example', credentials: true }),
    session({ secret: 'secret', resave: false, saveUninitialized: true, cookie: { secure: false } }),
    compression({ threshold: 0 }),
  ] as unknown as Middleware[]
  const { session: peer } = await open(t, { use })
  const { headers, status } = await ask(peer, { ':path': '/large', 'accept-encoding': 'gzip' })
  assert.equal(status, 200)
  assert.equal(headers['content-encoding'], 'gzip')
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['access-control-allow-origin'], 'https://page.example')
  assert.match(headers['set-cookie']?.[0] ?? '', /^connect\.sid=/)
  const preflight = await ask(peer, { ':path': '/', ':method': 'OPTIONS', 'access-control-request-method': 'GET' })
  assert.equal(preflight.status, 204)
  const socket = await openSocketOn(peer, '/echo')
  assert.match(socket.head, /^x-content-type-options: nosniff/m)
  await socket.send('text', 'hi')
  assert.equal(await socket.readText(), 'hi')
})

describe('CONNECT over HTTP/2', () => {
  test('opens no tunnel, and no other protocol (RFC 9113 §8.5, RFC 9220 §3)', async t => {
    const { session } = await open(t)
    const tunnel = await ask(session, { ':method': 'CONNECT', ':authority': 'elsewhere:443' })
    assert.equal(tunnel.status, 501)
    const other = await ask(session, { ...extendedConnect('/echo'), ':protocol': 'connect-udp' })
    assert.deepEqual(
      [other.status, JSON.parse(other.text).detail],
      [501, 'the protocol connect-udp is not spoken here'],
    )
  })

  test('to a WebSocket has the scheme of its connection, a path and an authority (RFC 8441 §4)', async t => {
    const { session, port } = await open(t)
    assert.equal((await ask(session, { ...extendedConnect('/echo'), ':scheme': 'ftp' })).status, 400)
    const behindProxy = await ask(session, { ...extendedConnect('/missing'), ':scheme': 'https' })
    assert.equal(behindProxy.status, 404)
    const peer = await Http2Peer.open(port)
    const fields: [string, string][] = [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'http'],
      [':path', '/echo'],
      [':authority', 'localhost'],
      ['sec-websocket-version', '13'],
    ]
    for (const [index, left] of [':scheme', ':path', ':authority'].entries()) {
      const some = fields.filter(([name]) => name !== left)
      await peer.write(frame('headers', flags.endHeaders, 2 * index + 1, block(some)))
      assert.equal((await peer.until('rstStream', 2 * index + 1)).payload.readUInt32BE(), 1)
    }
    peer.raw.destroy()
  })

  test('is what a socket class is opened with: GET is told so', async t => {
    const { session } = await open(t)
    const { status, headers } = await ask(session, { ':path': '/echo' })
    assert.deepEqual([status, headers.allow, headers.upgrade], [405, 'CONNECT', undefined])
  })

  test('over HTTP/1.1 closes the connection', async t => {
    const { port } = await open(t)
    const peer = await RawPeer.connect(port)
    await peer.write('CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n')
    await peer.closed
    assert.equal(peer.received, '')
  })
})

describe('HTTP/1.1 and HTTP/2 without TLS on one port', () => {
  test('are told apart by their first bytes, however these come', async t => {
    const { port } = await open(t)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'OPTIONS', 'HEAD'])
      assert.notEqual((await send(port, `${method} /`)).status, 500)
    const peer = await RawPeer.connect(port)
    for (const byte of 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n') await peer.write(byte)
    await peer.closed
    assert.match(peer.received, /^HTTP\/1\.1 200 OK\r\n/)
    const drop = await RawPeer.connect(port)
    await drop.write('PRX / HTTP/1.1\r\n\r\n')
    await drop.closed
    assert.match(drop.received, /^HTTP\/1\.1 400 /)
    const slow = await RawPeer.connect(port)
    for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') await slow.write(byte)
    await slow.write(frame('settings'))
    assert.equal((await slow.readBytes(9)).charCodeAt(3), 4)
    slow.destroy()
    const leaving = await RawPeer.connect(port)
    await leaving.write('PRI')
    leaving.end()
    await leaving.closed
  })

  test('pipelined requests, and a large body, lose nothing', async t => {
    const { port } = await open(t)
    const peer = await RawPeer.connect(port)
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    await peer.write(`${get}${get}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    await peer.closed
    assert.equal(peer.received.split('HTTP/1.1 200 OK').length, 4)
    const body = JSON.stringify('z'.repeat(900_000))
    const headers = { 'Content-Type': 'application/json' }
    assert.equal((await send(port, 'POST /', { body, headers })).text.length, body.length + 9)
  })
})

describe('draining over HTTP/2', () => {
  test('says GOAWAY, lets running handlers finish, and ends', async t => {
    gate = withResolvers()
    arrived = withResolvers()
    const { app, session } = await open(t)
    const slow = ask(session, { ':path': '/slow' })
    await arrived.promise
    const goaway = once(session, 'goaway')
    const closed = once(session, 'close')
    const draining = app.close()
    assert.equal((await goaway)[0], 0)
    gate.resolve()
    assert.equal((await slow).text, 'done')
    await closed
    await draining
  })

  test('cuts what is left at the deadline', async t => {
    gate = withResolvers()
    arrived = withResolvers()
    const { app, session } = await open(t)
    const slow = ask(session, { ':path': '/slow' })
    await arrived.promise
    await app.close({ deadline: 50 })
    await slow
    gate.resolve()
  })
})
