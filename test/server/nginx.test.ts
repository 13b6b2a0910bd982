/** The recipe of README.md: nginx in front of requests, event streams and sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  type ApplicationOptions,
  type Context,
  Controller,
  Ctx,
  EventStream,
  Get,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { nginxTest, startNginx } from '../support/nginx.js'
import { StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

@Controller('/seen')
class Seen {
  @Get() seen(@Ctx() { remoteAddress, protocol, host, id }: Context) {
    return { remoteAddress, protocol, host, id }
  }
}

@Sse('/events', { keepAlive: 400 })
class Events {
  static stream: EventStream
  static closed: string[] = []
  open(stream: EventStream) {
    Events.stream = stream
    return 'first'
  }
  close({ kind }: { kind: string }) {
    Events.closed.push(kind)
  }
}

@WebSocket('/echo')
class Echo {
  static closed: string[] = []
  message(frame: string | Buffer) {
    return frame
  }
  close({ kind }: { kind: string }) {
    Echo.closed.push(kind)
  }
}

async function behindNginx(
  t: TestContext,
  options: ApplicationOptions = {},
  changes?: Readonly<Record<string, string>>,
) {
  Events.closed = []
  Echo.closed = []
  const believed: ApplicationOptions = { trustProxy: 'loopback', requestId: true }
  const { app, port: inner } = await serve(t, { controllers: [Seen, Events, Echo] }, { ...believed, ...options })
  const where = options.path === undefined ? `127.0.0.1:${inner}` : `unix:${options.path}`
  return { app, port: await startNginx(t, where, changes) }
}

nginxTest('trustProxy sees the peer, not nginx, and not what the peer pretends', async t => {
  const { port } = await behindNginx(t)
  const headers = {
    Host: 'public.example:8080',
    'X-Forwarded-For': '203.0.113.7',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.example',
    Forwarded: 'for=203.0.113.7',
  }
  const { id, ...seen } = (await send(port, 'GET /seen', { headers })).json() as Record<string, string>
  assert.deepEqual(seen, { remoteAddress: '127.0.0.1', protocol: 'http', host: 'public.example:8080' })
  assert.match(id ?? '', /^[\da-f]{32}$/, 'the id is that of nginx’s own logs')
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  socket.write('GET /seen HTTP/1.0\r\nHost: a\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += chunk
  assert.match(text, /"remoteAddress":"127\.0\.0\.2"/)
})

nginxTest('events arrive one by one: nothing is held back', async t => {
  const { port } = await behindNginx(t)
  const peer = await StreamPeer.open(port, '/events')
  for (const event of ['first', 'second', 'third']) {
    await peer.hears(`data: ${event}\n\n`)
    if (event !== 'third') await Events.stream.send(event === 'first' ? 'second' : 'third')
  }
  peer.raw.destroy()
  await eventually('its owner has learned that the peer is gone', () => Events.closed.length === 1)
  assert.deepEqual(Events.closed, ['peer'])
})

nginxTest('a silent stream outlives proxy_read_timeout, by its keep-alive', async t => {
  const { port } = await behindNginx(t, {}, { 'proxy_read_timeout 60s;': 'proxy_read_timeout 2s;' })
  const peer = await StreamPeer.open(port, '/events')
  await eventually(
    'eight comments have come',
    () =>
      peer
        .read()
        .text.split('\n')
        .filter(line => line.startsWith(':')).length >= 8,
  )
  await Events.stream.send('still here')
  await peer.hears('data: still here\n\n')
  peer.raw.destroy()
})

nginxTest('sockets work, and the public origin is their own', async t => {
  const { port } = await behindNginx(t)
  const fields = { Host: 'public.example:8080', Origin: 'http://public.example:8080' }
  const socket = await WebSocketPeer.open(port, '/echo', { fields })
  await socket.send('text', 'hello')
  assert.equal(await socket.readText(), 'hello')
  await socket.send('binary', Buffer.alloc(100_000, 1))
  assert.equal((await socket.read()).payload.length, 100_000)
  socket.raw.end()
  await eventually('its owner has learned that the peer is gone', () => Echo.closed.length === 1)
  socket.raw.destroy()
  for (const origin of ['https://public.example:8080', 'http://evil.example']) {
    const peer = await RawPeer.connect(port)
    await peer.write(handshake('/echo', { ...fields, Origin: origin }))
    await peer.readUntil(/^HTTP\/1\.1 403 /)
    peer.destroy()
  }
})

nginxTest('draining reaches peers behind nginx: streams end whole, sockets are told 1012', async t => {
  const { app, port } = await behindNginx(t)
  const peer = await StreamPeer.open(port, '/events', { Connection: 'close' })
  await peer.hears('data: first\n\n')
  const socket = await WebSocketPeer.open(port, '/echo')
  const closed = app.close()
  assert.equal((await socket.agree()).code, 1012)
  const { whole, text } = await peer.end()
  assert.ok(whole)
  assert.match(text, /retry: \d+\n\n$/)
  await closed
  assert.equal((await send(port, 'GET /seen')).status, 502)
})

nginxTest('by a Unix socket', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'palomino-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const { port } = await behindNginx(t, { path: join(folder, 'app.sock') })
  const { id: _, ...seen } = (await send(port, 'GET /seen', { headers: { Host: 'a.example' } })).json() as Record<
    string,
    string
  >
  assert.deepEqual(seen, { remoteAddress: '127.0.0.1', protocol: 'http', host: 'a.example' })
  const socket = await WebSocketPeer.open(port, '/echo')
  await socket.send('text', 'hello')
  assert.equal(await socket.readText(), 'hello')
  socket.raw.destroy()
})

nginxTest('a request behind another on one connection of nginx’s has its own peer', async t => {
  const { port } = await behindNginx(t)
  const seen: string[] = []
  for (const localAddress of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    await once(socket, 'connect')
    socket.write('GET /seen HTTP/1.0\r\nHost: a\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    seen.push(/"remoteAddress":"([^"]*)"/.exec(text)?.[1] ?? '')
  }
  assert.deepEqual(seen, ['127.0.0.2', '127.0.0.3', '127.0.0.2'])
})
