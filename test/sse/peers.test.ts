import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { type CloseReason, Controller, EventStream, Get, Sse } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { ask, Closes, requestText, serve } from './app.js'

const closes = new Closes()

@Sse('/live')
class Live {
  open(stream: EventStream) {
    stream.every(5, 'tick')
    return 'hello'
  }
  info(message: string) {
    return message
  }
  close(reason: CloseReason) {
    closes.note(reason)
  }
}

@Sse('/quiet', { method: 'POST' })
class Quiet {
  open() {
    return 'hello'
  }
  close(reason: CloseReason) {
    closes.note(reason)
  }
}

@Controller('/pages')
class Pages {
  @Get('/quick')
  quick() {
    return 'quick'
  }
  @Get('/never')
  never() {
    return new Promise(() => {})
  }
}

describe('B20: P29: a peer that leaves is noticed at once, close runs once', () => {
  const ways: [how: string, leave: (peer: RawPeer) => unknown, kinds: readonly CloseReason['kind'][]][] = [
    ['a FIN', peer => peer.end(), ['peer']],
    ['a close', peer => peer.destroy(), ['peer', 'lost']],
    ['a RST', peer => peer.reset(), ['lost']],
    [
      'P34: bytes in mid-stream, then a FIN',
      async peer => {
        await peer.write('\r\n')
        peer.end()
      },
      ['peer'],
    ],
    [
      'P34: half a request in mid-stream, then a FIN',
      async peer => {
        await peer.write('GET /live HT')
        peer.end()
      },
      ['peer', 'lost'],
    ],
    ['P34: bytes that are no request', peer => peer.write('\0\0what?\r\n\r\n'), ['peer', 'lost']],
    [
      'a FIN while it does not read',
      peer => {
        peer.pause()
        peer.end()
      },
      ['peer'],
    ],
  ]
  for (const [path, asked] of [
    ['/live', {}],
    ['/quiet', { method: 'POST', body: 'a body that nobody asked for' }],
    ['/live', { version: '1.0' }],
  ] as const) {
    for (const [how, leave, kinds] of ways) {
      test(`P34: ${how}, on ${path} of HTTP/${'version' in asked ? asked.version : '1.1'}`, async t => {
        closes.reasons.length = 0
        const { port, app, errors } = await serve(t, [Live, Quiet])
        const { peer } = await ask(port, path, asked)
        await peer.readUntil('hello')
        await leave(peer)
        const kind = await closes.first()
        assert.ok(kinds.includes(kind), kind)
        await eventually('no connection is left', () => app.connections === 0)
        peer.resume()
        await peer.closed
        assert.equal(closes.reasons.length, 1)
        assert.deepEqual(errors, [])
      })
    }
  }

  test('P29: kill -9 of the process at the other end', async t => {
    closes.reasons.length = 0
    const { origin, app } = await serve(t, [Live])
    const program = `fetch('${origin}/live').then(async ({ body }) => { for await (const _ of body) console.log('heard') })`
    const child = spawn(process.execPath, ['--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    assert.ok(['peer', 'lost'].includes(await closes.first()))
    await eventually('no connection is left', () => app.connections === 0)
  })
})

describe('one connection, several requests', () => {
  test('a connection that was kept alive may go on to a stream', async t => {
    const { port } = await serve(t, [Live, Pages])
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const get = async (path: string) => {
      const sent = request({ port, path, agent }).end()
      const [response] = await once(sent, 'response')
      return { response, localPort: (response.socket as Socket).localPort }
    }
    const page = await get('/pages/quick')
    page.response.resume()
    await once(page.response, 'end')
    const stream = await get('/live')
    assert.equal(stream.localPort, page.localPort)
    const [first] = await once(stream.response, 'data')
    assert.match(String(first), /^data: hello\n\n/)
    stream.response.destroy()
  })

  test('a stream behind a request in the same packet follows its reply', async t => {
    const { port } = await serve(t, [Live, Pages])
    const peer = await RawPeer.connect(port)
    await peer.write(requestText('/pages/quick') + requestText('/live'))
    assert.match(await peer.readUntil('\r\n\r\nquick'), /^HTTP\/1\.1 200/)
    await peer.readUntil('data: hello\n\n')
    await peer.readUntil('data: tick\n\n')
    peer.destroy()
  })

  test('a stream behind a request that is never answered ends with the connection', async t => {
    closes.reasons.length = 0
    const { port, app } = await serve(t, [Live, Pages])
    const peer = await RawPeer.connect(port)
    await peer.write(requestText('/pages/never') + requestText('/live'))
    await eventually('the stream is open', () => app.connections === 1)
    peer.destroy()
    await closes.first()
    await eventually('no connection is left', () => app.connections === 0)
  })

  test('P15: what is asked for behind a stream is read over, and does not end up in it', async t => {
    closes.reasons.length = 0
    const { port } = await serve(t, [Live, Pages])
    const { peer } = await ask(port, '/live')
    await peer.write(requestText('/pages/quick') + requestText('/live', { method: 'HEAD' }))
    for (let heard = 0; heard < 5; heard++) assert.doesNotMatch(await peer.readUntil('tick\n\n'), /HTTP|quick/)
    peer.end()
    assert.equal(await closes.first(), 'peer')
  })

  test('P17: a body that nobody reads is no request behind the stream, chunked or not', async t => {
    closes.reasons.length = 0
    const { port } = await serve(t, [Quiet, Pages])
    const hidden = requestText('/pages/quick')
    for (const asked of [
      { body: hidden },
      { headers: { 'Transfer-Encoding': 'chunked', 'Content-Type': 'text/plain' } },
    ]) {
      const peer = await RawPeer.connect(port)
      await peer.write(requestText('/quiet', { method: 'POST', ...asked }))
      await peer.readUntil('data: hello\n\n\r\n')
      if (!('body' in asked)) await peer.write(`${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`)
      peer.end()
      assert.equal(await closes.first(), 'peer')
      await peer.closed
      assert.equal(peer.received, '')
    }
  })

  test('a peer that asks on and on behind its stream is cut off', async t => {
    closes.reasons.length = 0
    const { port } = await serve(t, [Live, Pages])
    const { peer } = await ask(port, '/live')
    await peer.write(requestText('/pages/quick').repeat(100))
    await closes.first()
    await peer.closed
    assert.equal(closes.reasons.length, 1)
  })

  const upgrade = { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } }

  test('an upgrade request behind a stream is read over, and the peer is still seen to leave', async t => {
    closes.reasons.length = 0
    const { port } = await serve(t, [Live])
    const { peer } = await ask(port, '/live')
    await peer.write(requestText('/live', upgrade))
    for (let heard = 0; heard < 5; heard++) assert.doesNotMatch(await peer.readUntil('tick\n\n'), /HTTP/)
    peer.end()
    assert.equal(await closes.first(), 'peer')
  })

  test('an upgrade request behind one that is not answered ends the connection, and nothing else', async t => {
    const { port, origin } = await serve(t, [Live, Pages])
    const peer = await RawPeer.connect(port)
    await peer.write(requestText('/pages/never') + requestText('/live', upgrade))
    await peer.closed
    assert.equal(await (await fetch(`${origin}/pages/quick`)).text(), 'quick')
  })

  test('a request for another protocol gets its stream all the same (RFC 9110 §7.8)', async t => {
    closes.reasons.length = 0
    const { port } = await serve(t, [Live])
    const { peer } = await ask(port, '/live', { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } })
    await peer.readUntil('tick')
    peer.end()
    assert.equal(await closes.first(), 'peer')
  })

  test('listeners stay as many as they were, over 1,000 streams of one server', async t => {
    const { port, app } = await serve(t, [Live, Pages])
    const sockets = new Set<Socket>()
    const server = createServer(app.handler)
    server.on('connection', socket => sockets.add(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const own = (server.address() as AddressInfo).port
    assert.notEqual(own, port)
    const counts = () => server.eventNames().map(name => [name, server.listenerCount(name)])
    const before = counts()
    const signals = process.eventNames().map(name => [name, process.listenerCount(name)])
    const onSockets = new Set<string>()
    for (let batch = 0; batch < 20; batch++) {
      const peers = await Promise.all(Array.from({ length: 50 }, () => ask(own, '/live')))
      for (const socket of sockets)
        onSockets.add(JSON.stringify(['close', 'end', 'error'].map(name => socket.listenerCount(name))))
      for (const { peer } of peers) peer.destroy()
      await eventually('no connection is left', () => app.connections === 0)
      await eventually('their sockets are closed', () => [...sockets].every(socket => socket.destroyed))
      sockets.clear()
    }
    assert.equal(onSockets.size, 1, [...onSockets].join(' '))
    assert.deepEqual(counts(), before)
    assert.deepEqual(
      process.eventNames().map(name => [name, process.listenerCount(name)]),
      signals,
    )
  })

  test('a kept-alive socket has no more listeners after streams that never began', async t => {
    const counts: number[] = []
    @Sse('/declined')
    class Declined {
      async open() {
        await null
        throw new Error('no')
      }
    }
    const { port } = await serve(t, [Declined], {
      use: [
        ({ socket }, _response, next) => {
          counts.push(...['close', 'end', 'error', 'drain'].map(name => socket.listenerCount(name)))
          next()
        },
      ],
    })
    const peer = await RawPeer.connect(port)
    for (let round = 0; round < 20; round++) {
      await peer.write(requestText('/declined'))
      await peer.readUntil('"status":500}')
    }
    assert.deepEqual(counts.slice(-4), counts.slice(4, 8))
    peer.destroy()
  })
})
