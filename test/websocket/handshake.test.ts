import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  ConnectionRegistry,
  Controller,
  Get,
  Guard,
  Post,
  Registry,
  type Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { frame, handshake, WebSocketPeer } from '../support/websocket-peer.js'
import { readWrites } from '../support/written.js'

@WebSocket('/echo')
class Echo {
  message(message: string | Buffer) {
    return message
  }
}

@Controller('/')
class Pages {
  @Get('/page')
  page() {
    return 'a page'
  }
  @Post('/page')
  post() {
    return 'posted'
  }
  @Get('/big')
  big() {
    return 'x'.repeat(100_000)
  }
}

@Sse('/events')
class Events {
  open() {}
}

interface Answer {
  readonly status: number
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
}

function parse(answer: string): Answer {
  const [head = '', body = ''] = answer.split('\r\n\r\n', 2)
  const [line = '', ...lines] = head.split('\r\n')
  const fields = new Map(
    lines.map(each => [each.slice(0, each.indexOf(':')).toLowerCase(), each.slice(each.indexOf(':') + 2)]),
  )
  return { status: Number(line.split(' ')[1]), fields, body }
}

const ask = async (port: number, text: string) => parse(await rawRequest(port, text))

describe('the opening handshake (RFC 6455 §4.2.1)', () => {
  const refused: [what: string, request: string, status: number][] = [
    ['P40/B34: a version that is not 13 is 426', handshake('/echo', { 'Sec-WebSocket-Version': '12' }), 426],
    ['B34: version 8 is 426', handshake('/echo', { 'Sec-WebSocket-Version': '8' }), 426],
    ['B34: no version is 426', handshake('/echo', { 'Sec-WebSocket-Version': undefined }), 426],
    ['B34: no key is 400', handshake('/echo', { 'Sec-WebSocket-Key': undefined }), 400],
    ['B34: a key that is too short is 400', handshake('/echo', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400],
    [
      'B34: a key that is no base64 is 400',
      handshake('/echo', { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }),
      400,
    ],
    [
      'two keys are 400',
      handshake('/echo').replace('\r\n\r\n', '\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'),
      400,
    ],
    ['HTTP/1.0 is 400', handshake('/echo').replace('HTTP/1.1', 'HTTP/1.0'), 400],
    ['POST is 405', handshake('/echo', { 'Content-Length': '0', Connection: 'Upgrade, close' }, 'POST'), 405],
    ['subprotocols that are no tokens are 400', handshake('/echo', { 'Sec-WebSocket-Protocol': 'a b, c' }), 400],
    ['a subprotocol named twice is 400', handshake('/echo', { 'Sec-WebSocket-Protocol': 'a, a' }), 400],
    ['P40: an upgrade to no route is 404', handshake('/nowhere'), 404],
    ['B9: an upgrade to an HTTP route is 404', handshake('/page'), 404],
    ['B9: an upgrade to an event stream is 404', handshake('/events'), 404],
    ['a bad escape in the path is 400', handshake('/ec%ZZho'), 400],
    ['P40: a plain GET is 426', 'GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 426],
    ['an upgrade without Connection is a plain GET', handshake('/echo', { Connection: 'close' }), 426],
  ]
  for (const [what, request, status] of refused) {
    test(`${what}, with a whole HTTP answer`, async t => {
      const { port } = await serve(t, [Echo, Pages, Events])
      const answer = await ask(port, request)
      assert.equal(answer.status, status)
      assert.equal(answer.fields.get('content-type'), 'application/problem+json')
      assert.equal(Number(answer.fields.get('content-length')), answer.body.length)
      assert.equal(JSON.parse(answer.body).status, status)
      if (status === 426) {
        assert.equal(answer.fields.get('upgrade'), 'websocket')
        assert.equal(answer.fields.get('connection'), 'close, Upgrade')
        assert.equal(answer.fields.get('sec-websocket-version'), '13')
      }
    })
  }

  test('the names and values of its fields come in any case', async t => {
    const { port } = await serve(t, [Echo])
    const peer = await RawPeer.connect(port)
    await peer.write(
      'GET /echo HTTP/1.1\r\nHOST: a\r\nCONNECTION: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n' +
        'sec-websocket-version: 13\r\nSEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    assert.match(await peer.readUntil('\r\n\r\n'), /^HTTP\/1.1 101 Switching Protocols\r\n/)
    peer.destroy()
  })

  test('a request for another protocol is answered as an ordinary request (RFC 9110 §7.8)', async t => {
    const { port } = await serve(t, [Echo, Pages])
    const fields = {
      Upgrade: 'h2c',
      Connection: 'Upgrade, HTTP2-Settings, close',
      'HTTP2-Settings': 'AAMAAABkAAQAAP__',
    }
    const answer = await ask(port, handshake('/page', fields))
    assert.deepEqual([answer.status, answer.body], [200, 'a page'])
    const big = await ask(port, handshake('/big', fields))
    assert.deepEqual([big.status, big.body.length], [200, 100_000])
  })

  test('what comes right behind the handshake, in the same packet, is not lost', async t => {
    const { port } = await serve(t, [Echo])
    const early = ['one', 'two', 'three'].map(word => frame('text', word))
    const peer = await WebSocketPeer.open(port, '/echo', { early })
    assert.deepEqual([await peer.readText(), await peer.readText(), await peer.readText()], ['one', 'two', 'three'])
    peer.raw.destroy()
  })

  test('what comes while a guard still thinks is not lost', async t => {
    let admit = (_answer: boolean) => {}
    const asked = withResolvers<void>()
    @Guard(() => {
      asked.resolve()
      return new Promise<boolean>(resolve => {
        admit = resolve
      })
    })
    @WebSocket('/slow')
    class Slow extends Echo {}
    const { port } = await serve(t, [Slow])
    const peer = await RawPeer.connect(port)
    await peer.write(Buffer.concat([Buffer.from(handshake('/slow')), frame('text', 'early')]))
    await asked.promise
    await peer.write(frame('text', 'later'))
    admit(true)
    await peer.readUntil('\r\n\r\n')
    assert.equal(await peer.readBytes(14), '\x81\x05early\x81\x05later')
    peer.destroy()
  })

  for (const how of ['reset', 'end', 'destroy'] as const) {
    test(`a peer that leaves (${how}) while a guard still thinks leaves nothing behind`, async t => {
      let admit = (_answer: boolean) => {}
      const asked = withResolvers<void>()
      const seen: string[] = []
      @Guard(() => {
        asked.resolve()
        return new Promise<boolean>(resolve => {
          admit = resolve
        })
      })
      @WebSocket('/slow')
      class Slow {
        open() {
          seen.push('open')
        }
        close() {
          seen.push('close')
        }
      }
      const { port, app, log } = await serve(t, [Slow])
      const before = activeHandles()
      const peer = await RawPeer.connect(port)
      await peer.write(handshake('/slow'))
      await asked.promise
      peer[how]()
      await turn()
      admit(true)
      if (how === 'end') assert.match(await peer.closed.then(() => peer.received), /^HTTP\/1.1 101 |^$/)
      await peer.closed
      await noHandlesLeft(before)
      await eventually('it has closed', () => app.connections === 0)
      assert.ok(['', 'open,close'].includes(seen.join()), seen.join())
      assert.deepEqual(log.errors, [])
    })
  }

  test('an upgrade with more fields than are kept is 431, wherever its own fields stand, and the server lives', async t => {
    const { app, port } = await serve(t, [Echo], { maxHeaders: 20 })
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`X-${index}`, 'x']))
    const behind = handshake('/echo', many)
    const before = behind.replace('Upgrade: websocket\r\n', '').replace('\r\n\r\n', '\r\nUpgrade: websocket\r\n\r\n')
    for (const request of [behind, before]) assert.equal((await ask(port, request)).status, 431)
    for (let times = 0; times < 20; times++) {
      const gone = await RawPeer.connect(port)
      await gone.write(`${behind}${' '.repeat(1000)}`)
      gone.reset()
    }
    const peer = await WebSocketPeer.open(port, '/echo')
    peer.raw.destroy()
    const unmoved = await RawPeer.connect(port)
    t.after(() => unmoved.destroy())
    unmoved.pause()
    await unmoved.write(behind)
    let closed = false
    app.close().then(() => {
      closed = true
    })
    await eventually('nobody is left to wait for', () => closed)
  })

  test('long lists of spaces in its fields cost no time', async t => {
    const { port } = await serve(t, [Echo])
    const spaces = `a${' '.repeat(15_000)}b`
    assert.equal((await ask(port, handshake('/echo', { 'Sec-WebSocket-Protocol': spaces }))).status, 400)
    const peer = await WebSocketPeer.open(port, '/echo', { fields: { 'Sec-WebSocket-Extensions': spaces } })
    peer.raw.destroy()
  })
})

describe('a refused upgrade', () => {
  @WebSocket('/forbidden')
  @Guard(() => false)
  class Forbidden {
    open() {}
  }

  test('leaves no socket and no descriptor behind, 1,000 times, and also where the peer never reads', async t => {
    const { port } = await serve(t, [Forbidden])
    const before = activeHandles()
    const refuse = async (reads: boolean) => {
      const peer = await RawPeer.connect(port)
      if (!reads) peer.pause()
      await peer.write(handshake('/forbidden'))
      if (reads) assert.equal(await peer.closed, 'end')
      return peer
    }
    for (let round = 0; round < 10; round++) {
      const peers = await Promise.all(Array.from({ length: 100 }, (_, index) => refuse(index % 10 !== 0)))
      assert.equal(peers.filter(peer => parse(peer.received).status === 403).length, 90)
      for (const peer of peers) peer.destroy()
    }
    await noHandlesLeft(before)
  })

  test('is closed by the server though its peer never reads, nor closes', async t => {
    const server = createServer()
    const { app } = await serve(t, [Forbidden], { listen: false })
    server.on('upgrade', app.upgrade).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const peer = await RawPeer.connect((server.address() as AddressInfo).port)
    peer.pause()
    await peer.write(handshake('/forbidden'))
    await eventually('the server has no connection', async () => {
      const count = await new Promise((resolve, reject) =>
        server.getConnections((error, n) => (error ? reject(error) : resolve(n))),
      )
      return count === 0
    })
    peer.destroy()
  })

  test('is followed by no other answer on the same connection', async t => {
    const { port } = await serve(t, [Forbidden, Pages])
    const both = await rawRequest(port, handshake('/forbidden') + handshake('/page', { Upgrade: undefined }))
    assert.equal(both.match(/HTTP\/1\.1/g)?.length, 1)
  })
})

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

test('what `open` sends, and the place in the room that it joins, leave with the 101, in one write', async t => {
  @Registry('greeted')
  class Greeted extends ConnectionRegistry {}
  @WebSocket('/greeted')
  class Greeter {
    constructor(private readonly greeted: Greeted) {}
    async open(socket: Socket) {
      await this.greeted.join(socket, 'all')
      return 'hello'
    }
  }
  const writes: string[] = []
  const { port } = await serve(t, [Greeter], { providers: [Greeted], use: [readWrites(writes)] })
  const peer = await WebSocketPeer.open(port, '/greeted')
  assert.equal(await peer.readText(), 'hello')
  assert.match(await peer.readText(), /^{"id":/)
  assert.equal(writes.length, 1)
  assert.match(writes.join(), /^HTTP\/1\.1 101 .*hello.*"id":/s)
})
