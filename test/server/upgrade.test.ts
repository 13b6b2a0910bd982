import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Body, Controller, Get, Guard, type Middleware, Post, reply, Sse, upgrade, WebSocket } from '../../src/index.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { serve } from '../support/serve.js'

@WebSocket('/echo')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

@WebSocket('/closed')
@Guard(() => reply('x'.repeat(4 << 20), { status: 401 }))
class Closed {
  message() {}
}

@Sse('/events')
class Events {
  open() {
    return 'hello'
  }
}

@Controller()
class Pages {
  @Get('/plain') plain() {
    return 'plain'
  }
  @Post('/body') body(@Body() body: unknown) {
    return { body }
  }
  @Get('/maybe', { upgrade: [Echo] }) maybe() {
    return upgrade(Echo)
  }
  @Get('/rather-not', { upgrade: [Echo] }) async *ratherNot() {
    for (let index = 0; index < 100; index++) yield 'x'.repeat(65_536)
  }
}

const controllers = [Echo, Closed, Events, Pages]

const handshake = (path: string, ...fields: string[]) =>
  `${[
    `GET ${path} HTTP/1.1`,
    'Host: a',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...fields,
  ].join('\r\n')}\r\n\r\n`

describe('an upgrade request', () => {
  test('B11: goes through the middleware first, which may answer it', async t => {
    const seen: string[] = []
    const stops: Middleware = (request, response, next) => {
      seen.push(request.url ?? '')
      response.setHeader('X-Seen', 'yes')
      if (request.url === '/echo?no') response.writeHead(401, { 'Content-Length': 2 }).end('no')
      else next()
    }
    const { port } = await serve(t, { controllers }, { use: [stops] })
    const refused = await rawRequest(port, handshake('/echo?no'))
    assert.match(refused, /^HTTP\/1\.1 401 Unauthorized\r\n.*X-Seen: yes\r\n.*\r\n\r\nno$/s)
    const peer = await RawPeer.connect(port)
    await peer.write(handshake('/echo'))
    assert.match(await peer.readUntil('\r\n\r\n'), /^HTTP\/1\.1 101 .*X-Seen: yes\r\n/is, 'its fields go with the 101')
    peer.destroy()
    assert.deepEqual(seen, ['/echo?no', '/echo'])
  })

  test('B3: may have middleware of its own', async t => {
    const seen: string[] = []
    const notes =
      (who: string): Middleware =>
      (request, _, next) => {
        seen.push(`${who} ${request.url}`)
        next()
      }
    const { port } = await serve(t, { controllers }, { use: [notes('request')], useOnUpgrade: [notes('upgrade')] })
    const peer = await RawPeer.connect(port)
    await peer.write(handshake('/echo'))
    await peer.readUntil('101')
    peer.destroy()
    await rawRequest(port, 'GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.deepEqual(seen, ['upgrade /echo', 'request /plain'])
  })

  const refusals: [path: string, status: number][] = [
    ['/nowhere', 404],
    ['/plain', 404],
    ['/events', 404],
    ['/%zz', 400],
  ]
  for (const [path, status] of refusals) {
    test(`P40: to ${path} is answered with ${status}, and the connection closed`, async t => {
      const { port, log } = await serve(t, { controllers })
      const raw = await rawRequest(port, handshake(path))
      assert.match(raw, new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close\\r\\n[^]*"status":${status}`))
      assert.deepEqual(log, [])
    })
  }

  for (const path of ['/closed', '/rather-not']) {
    test(`to ${path} may be refused at length: a slow peer hears all of it`, async t => {
      const { port } = await serve(t, { controllers })
      const peer = await RawPeer.connect(port)
      peer.pause()
      await peer.write(handshake(path))
      for (let turns = 0; turns < 20; turns++) await turn()
      peer.resume()
      await peer.closed
      assert.ok(peer.received.length > 4 << 20)
      if (path === '/rather-not') assert.match(peer.received, /\r\n0\r\n\r\n$/)
    })
  }

  test('P40: that a @Get handler may take: a plain GET there is 426', async t => {
    const { port } = await serve(t, { controllers })
    const peer = await RawPeer.connect(port)
    await peer.write(handshake('/maybe'))
    assert.match(await peer.readUntil('\r\n\r\n'), /^HTTP\/1\.1 101 /)
    peer.destroy()
    const plain = await rawRequest(port, 'GET /maybe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(plain, /^HTTP\/1\.1 426 Upgrade Required\r\n/)
  })
})

describe('an offer to upgrade to something else is passed over', () => {
  const offer = (line: string, ...fields: string[]) =>
    `${[`${line} HTTP/1.1`, 'Host: a', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk', ...fields].join('\r\n')}\r\n\r\n`
  const last = 'GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

  test('the request is answered, its body is read, and the connection goes on', async t => {
    const { port, app } = await serve(t, { controllers })
    const peer = await RawPeer.connect(port)
    await peer.write(offer('GET /plain'))
    assert.match(await peer.readUntil('\r\n\r\nplain'), /^HTTP\/1\.1 200 OK/)
    await peer.write(offer('POST /body', 'Content-Type: application/json', 'Content-Length: 9'))
    await turn()
    await peer.write('{"a":[1]}')
    assert.match(await peer.readUntil('{"body":{"a":[1]}}'), /^HTTP\/1\.1 200 OK/)
    await peer.write(
      `${offer('POST /body', 'Content-Type: application/json', 'Transfer-Encoding: chunked')}3\r\n[1]\r\n0\r\n\r\n`,
    )
    await peer.readUntil('{"body":[1]}')
    await peer.write(last)
    await peer.closed
    assert.match(peer.received, /plain$/)
    assert.equal(app.connections, 0)
  })

  test('event streams are served, too', async t => {
    const { port } = await serve(t, { controllers })
    const peer = await RawPeer.connect(port)
    await peer.write(offer('GET /events'))
    assert.match(await peer.readUntil('data: hello\n'), /^HTTP\/1\.1 200 OK/)
    peer.destroy()
  })

  test('a POST that offers a WebSocket is a POST', async t => {
    const { port } = await serve(t, { controllers })
    const text = offer('POST /body', 'Content-Type: application/json', 'Content-Length: 3').replace('h2c', 'websocket')
    const peer = await RawPeer.connect(port)
    await peer.write(`${text}[1]`)
    await peer.readUntil('{"body":[1]}')
    peer.destroy()
  })

  test('no field that frames the body can be lost on the way', async t => {
    const { port } = await serve(t, { controllers }, { maxHeaders: 10 })
    const many = Array.from({ length: 20 }, (_, index) => `X-${index}: a`)
    const smuggled = 'GET /plain?smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    const raw = await rawRequest(
      port,
      `${offer('POST /body', ...many, `Content-Length: ${smuggled.length}`)}${smuggled}${last}`,
    )
    assert.doesNotMatch(raw, /plain.*plain/s)
  })
})
