import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  AddressInUseError,
  Body,
  bootstrap,
  type Context,
  Controller,
  Ctx,
  Get,
  Injectable,
  type OnStart,
  type OnStop,
  Post,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { moduleOf, serve } from '../support/serve.js'

@Controller()
class Hello {
  @Get() hello(@Ctx() context: Context) {
    return { host: context.header('host') ?? null, fields: Object.keys(context.headers).length }
  }
  @Post() post(@Body({ as: 'text' }) body: string) {
    return { body }
  }
}

const get = (...fields: string[]) => `${['GET / HTTP/1.1', ...fields, 'Connection: close'].join('\r\n')}\r\n\r\n`

test('P1: bootstrap listens, and says where; close frees the port', async () => {
  const handles = activeHandles()
  const app = await bootstrap(moduleOf({ controllers: [Hello] }), { port: 0, host: '127.0.0.1' })
  const [address] = app.addresses as AddressInfo[]
  assert.equal(address?.port, app.port)
  assert.equal(address?.address, '127.0.0.1')
  assert.equal((await send(app.port, 'GET /')).status, 200)
  await app.close()
  await assert.rejects(send(address?.port ?? 0, 'GET /'), { code: 'ECONNREFUSED' })
  await noHandlesLeft(handles)
})

test('P1: a port that is taken is an AddressInUseError, and what had started is stopped', async t => {
  const { port } = await serve(t, { controllers: [Hello] })
  const lived: string[] = []
  @Injectable()
  class Started implements OnStart, OnStop {
    onStart() {
      lived.push('started')
    }
    onStop() {
      lived.push('stopped')
    }
  }
  const module = moduleOf({ controllers: [Hello], providers: [Started] })
  const error = await bootstrap(module, { port, host: '127.0.0.1' }).then(
    () => assert.fail('it listens on a port that is taken'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof AddressInUseError)
  assert.match(error.message, new RegExp(`^port ${port} is in use: stop what listens there, or choose another`))
  assert.equal((error.cause as { code: string }).code, 'EADDRINUSE')
  assert.deepEqual(lived, ['started', 'stopped'])
  assert.equal((await send(port, 'GET /')).status, 200, 'the other one is not harmed')
})

test('P1: an application may have several listeners, and the same module may be served twice', async t => {
  const { app, port } = await serve(t, { controllers: [Hello] }, { port: '0' })
  const second = (await app.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  assert.notEqual(second.port, port)
  assert.equal(app.addresses.length, 2)
  const other = await serve(t, { controllers: [Hello] })
  for (const each of [port, second.port, other.port]) assert.equal((await send(each, 'GET /')).status, 200)
})

test('a Unix socket is listened on', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'palomino-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'app.sock')
  const { app } = await serve(t, { controllers: [Hello] }, { path })
  assert.deepEqual(app.addresses, [path])
  assert.equal((await send(0, 'GET /', { socketPath: path })).status, 200)
  await assert.rejects(bootstrap(moduleOf({ controllers: [Hello] }), { path }), (error: Error) => {
    assert.ok(error instanceof AddressInUseError)
    return error.message.startsWith(`${path} is in use`)
  })
})

test('P5: an application that does not listen serves what a foreign server is asked', async t => {
  const app = await bootstrap(moduleOf({ controllers: [Hello] }), { listen: false })
  const server = createServer()
  app.attach(server)
  t.after(() => new Promise(resolve => server.close(resolve)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  assert.deepEqual(app.addresses, [])
  const { port } = server.address() as AddressInfo
  assert.equal((await send(port, 'GET /')).status, 200)
  assert.equal((await send(port, 'GET /nowhere')).status, 404)
  await app.close()
  assert.ok(server.listening, 'the server belongs to who made it')
})

describe('P8: the Host field', () => {
  const rows: [what: string, request: string, status: number, host?: string | null][] = [
    ['a name and a port', get('Host: example.com:80'), 200, 'example.com:80'],
    ['an IPv6 address', get('Host: [::1]:8080'), 200, '[::1]:8080'],
    ['nothing, from a peer of HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 200, null],
    ['nothing, from a peer of HTTP/1.1', get(), 400],
    ['two of them, even alike (RFC 9112 §3.2)', get('Host: a', 'hOST: a'), 400],
    ['two of them, on a handshake', get('Host: a', 'Host: b', 'Upgrade: websocket', 'Connection: Upgrade'), 400],
  ]
  for (const [what, request, status, host] of rows) {
    test(`${what}: ${status}`, async t => {
      const { port } = await serve(t, { controllers: [Hello] })
      const raw = await rawRequest(port, request)
      assert.match(raw, new RegExp(`^HTTP/1\\.1 ${status} `))
      if (host !== undefined) assert.equal(JSON.parse(raw.split('\r\n\r\n')[1] ?? '').host, host)
    })
  }

  test('a target in absolute form finds its route', async t => {
    const { port } = await serve(t, { controllers: [Hello] })
    const raw = await rawRequest(port, get('Host: a').replace('GET /', 'GET http://example.com:80/?a=1'))
    assert.match(raw, /^HTTP\/1\.1 200 /)
  })
})

describe('P2: limits', () => {
  test('a header section that is too large is 431', async t => {
    const { port } = await serve(t, { controllers: [Hello] }, { maxHeaderSize: 2048 })
    assert.match(await rawRequest(port, get('Host: a', `X-A: ${'a'.repeat(1000)}`)), /^HTTP\/1\.1 200 /)
    assert.match(await rawRequest(port, get('Host: a', `X-A: ${'a'.repeat(2100)}`)), /^HTTP\/1\.1 431 /)
    assert.match(await rawRequest(port, get('Host: a').replace('/', `/?${'a'.repeat(2100)}`)), /^HTTP\/1\.1 431 /)
  })

  test('too many header fields are 431, and none is dropped in silence', async t => {
    const { port } = await serve(t, { controllers: [Hello] }, { maxHeaders: 20 })
    const fields = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: a`)
    const fine = await rawRequest(port, get('Host: a', ...fields(18)))
    assert.equal(JSON.parse(fine.split('\r\n\r\n')[1] ?? '').fields, 20)
    for (const extra of [['Connection: Upgrade', 'Upgrade: websocket'], []])
      assert.match(await rawRequest(port, get('Host: a', ...extra, ...fields(19))), /^HTTP\/1\.1 431 /)
  })

  test('a peer that is slow with its header section, or says nothing at all, is cut off', async t => {
    const { port } = await serve(t, { controllers: [Hello] }, { headersTimeout: 50 })
    const slow = await RawPeer.connect(port)
    const silent = await RawPeer.connect(port)
    await slow.write('GET / HTTP/1.1\r\nHost:')
    await Promise.all([slow.closed, silent.closed])
    assert.match(slow.received, /^HTTP\/1\.1 408 /)
  })

  test('a peer that is slow with its body is cut off, and requestTimeout may be short', async t => {
    const { port, log } = await serve(t, { controllers: [Hello] }, { requestTimeout: 100 })
    const slow = await RawPeer.connect(port)
    await slow.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    await slow.closed
    assert.match(slow.received, /^HTTP\/1\.1 408 /)
    assert.deepEqual(log, [])
  })

  test('an idle connection is closed after keepAliveTimeout', async t => {
    const { port } = await serve(t, { controllers: [Hello] }, { keepAliveTimeout: 50 })
    const peer = await RawPeer.connect(port)
    await peer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.readUntil('}')
    assert.equal(await peer.closed, 'end')
  })

  test('of too many connections the rest is closed at once', async t => {
    const { port } = await serve(t, { controllers: [Hello] }, { maxConnections: 1 })
    const first = await RawPeer.connect(port)
    const second = await RawPeer.connect(port)
    await second.closed
    await first.write(get('Host: a'))
    assert.match(await first.readUntil('}'), /^HTTP\/1\.1 200 /)
  })

  test('of one address’s too many connections the rest is closed at once, until one has left', async t => {
    const { port } = await serve(t, { controllers: [Hello] }, { maxConnectionsPerAddress: 2, host: '127.0.0.1' })
    const peers = [await RawPeer.connect(port), await RawPeer.connect(port)]
    const third = await RawPeer.connect(port)
    await third.closed
    assert.equal(await connectFrom('127.0.0.2', port), 'served', 'another address has its own')
    peers[0]?.destroy()
    await eventually('there is room again', async () =>
      (await rawRequest(port, get('Host: a')).catch(() => '')).startsWith('HTTP/1.1 200'),
    )
    peers[1]?.destroy()
  })
})

function connectFrom(localAddress: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    socket.on('error', reject).on('close', () => resolve('closed'))
    socket.on('data', () => {
      resolve('served')
      socket.destroy()
    })
    socket.write(get('Host: a'))
  })
}
