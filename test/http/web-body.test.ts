/** The web's own objects as replies. */
import assert from 'node:assert/strict'
import { openAsBlob } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Controller, Get, reply, Status } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { folderOf } from '../support/folder.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'
import { standstill } from '../support/standstill.js'
import { ask, openSession } from '../support/wires.js'

const large = 'x'.repeat(300_000)
const folder = folderOf({ 'large.txt': large })
let pulled = 0
let cancelled = 0

const endless = () =>
  new ReadableStream({
    pull(controller) {
      pulled++
      controller.enqueue(Buffer.alloc(65_536))
    },
    cancel: () => void cancelled++,
  })

@Controller()
class Webs {
  @Get('/text') text() {
    return new Response('é', { status: 203, headers: { 'X-A': 'b' } })
  }
  @Get('/json') @Status(202) json() {
    return Response.json({ a: 1 })
  }
  @Get('/nothing') nothing() {
    return new Response(null, { status: 204 })
  }
  @Get('/empty') empty() {
    return new Response()
  }
  @Get('/away') away() {
    return Response.redirect('http://a.example/there', 303)
  }
  @Get('/cookies') cookies() {
    const headers = new Headers({ Connection: 'x', 'Keep-Alive': 'y' })
    headers.append('Set-Cookie', 'a=1')
    headers.append('Set-Cookie', 'b=2')
    return new Response('c', { headers })
  }
  @Get('/around') around() {
    return reply(Response.json({ a: 1 }, { status: 201, headers: { 'X-A': 'b' } }), {
      status: 202,
      headers: { 'x-a': 'c', 'X-D': 'e' },
    })
  }
  @Get('/endless') endless() {
    return new Response(endless())
  }
  @Get('/blob') blob() {
    return new Blob(['a,b\n', '1,2\n'], { type: 'text/csv' })
  }
  @Get('/typeless') typeless() {
    return new Blob([new Uint8Array([0, 255])])
  }
  @Get('/file') file() {
    return reply(new File(['a'], 'a.txt', { type: 'text/plain' }), {
      status: 201,
      headers: { 'content-type': 'text/x' },
    })
  }
  @Get('/on-disk') onDisk() {
    return openAsBlob(join(folder, 'large.txt'), { type: 'text/plain' })
  }
}

describe('a web Response', () => {
  const { get } = getter()

  test('is sent with its status, its fields and its body', async () => {
    const answer = await get('/text')
    assert.deepEqual([answer.status, answer.text, answer.headers['x-a']], [203, 'é', 'b'])
    assert.equal(answer.headers['content-type'], 'text/plain;charset=UTF-8')
    const { status, headers, text } = await get('/json')
    assert.deepEqual([status, headers['content-type'], text], [200, 'application/json', '{"a":1}'], 'its own status')
    const away = await get('/away')
    assert.deepEqual([away.status, away.headers.location], [303, 'http://a.example/there'])
  })

  test('without a body has none', async () => {
    const [nothing, empty] = [await get('/nothing'), await get('/empty')]
    assert.deepEqual([nothing.status, nothing.text, nothing.headers['content-length']], [204, '', undefined])
    assert.deepEqual([empty.status, empty.text, empty.headers['content-length']], [200, '', '0'])
  })

  test('has each of its cookies, and no field of a connection', async () => {
    const { headers } = await get('/cookies')
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
    assert.notEqual(headers.connection, 'x')
    assert.notEqual(headers['keep-alive'], 'y')
  })

  test('is sent as reply() says, where that says something', async () => {
    const { status, headers, text } = await get('/around')
    assert.deepEqual([status, text, headers['x-a'], headers['x-d']], [202, '{"a":1}', 'c', 'e'])
    assert.equal(headers['content-type'], 'application/json')
  })

  test('is asked for by HEAD: the same head, and its body is let go', async () => {
    const before = cancelled
    const { status, text } = await get('/endless', 'HEAD')
    assert.deepEqual([status, text], [200, ''])
    await eventually('its stream is cancelled', () => cancelled === before + 1)
  })

  test('goes at the pace of its peer, and is let go when that leaves', async t => {
    const { port } = await serve(t, { controllers: [Webs] })
    const before = cancelled
    const peer = await RawPeer.connect(port)
    await peer.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.readUntil('\r\n\r\n')
    peer.pause()
    await standstill('it waits', () => pulled)
    peer.destroy()
    await eventually('its stream is cancelled', () => cancelled === before + 1)
  })

  test('that was fetched is handed on as it was meant: without the coding that fetch has undone', async t => {
    @Controller()
    class Origin {
      @Get() get() {
        return reply(gzipSync(large), { headers: { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain' } })
      }
    }
    const origin = await serve(t, { controllers: [Origin] })
    @Controller()
    class Relay {
      @Get() get() {
        return fetch(`http://127.0.0.1:${origin.port}/`)
      }
    }
    const { port } = await serve(t, { controllers: [Relay] })
    const { headers, text } = await send(port, 'GET /')
    assert.equal(text, large)
    assert.deepEqual([headers['content-encoding'], headers['content-type']], [undefined, 'text/plain'])
  })

  test('is the same over HTTP/2', async t => {
    const { port } = await serve(t, { controllers: [Webs] }, { http2: true })
    const session = await openSession(port, 'http')
    const answer = await ask(session, { ':path': '/cookies' })
    assert.deepEqual([answer.status, answer.text, answer.headers['set-cookie']], [200, 'c', ['a=1', 'b=2']])
    assert.equal((await ask(session, { ':path': '/on-disk' })).text, large)
    session.close()
  })
})

describe('a Blob, or a File', () => {
  const { get } = getter()

  test('is sent with its type and its length', async () => {
    const { headers, text } = await get('/blob')
    assert.deepEqual([text, headers['content-type'], headers['content-length']], ['a,b\n1,2\n', 'text/csv', '8'])
    const typeless = await get('/typeless')
    assert.deepEqual(typeless.bytes, Buffer.from([0, 255]))
    assert.equal(typeless.headers['content-type'], 'application/octet-stream')
    const file = await get('/file')
    assert.deepEqual([file.status, file.text, file.headers['content-type']], [201, 'a', 'text/x'])
  })

  test('is asked for by HEAD', async () => {
    const { headers, text } = await get('/blob', 'HEAD')
    assert.deepEqual([text, headers['content-length']], ['', '8'])
  })

  test('may be on a disk', async () => assert.equal((await get('/on-disk')).text, large))
})

function getter() {
  const served = serveSuite({ controllers: [Webs] })
  return { get: (path: string, method = 'GET') => send(served.port, `${method} ${path}`) }
}
