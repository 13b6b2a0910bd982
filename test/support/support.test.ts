import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { eventually } from './eventually.js'
import { activeHandles, noHandlesLeft } from './handles.js'
import { RawPeer, rawRequest } from './raw-peer.js'

async function listening(t: TestContext, server: Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

describe('RawPeer', () => {
  test('reads up to a mark and keeps the rest', async t => {
    const port = await listening(
      t,
      createServer((_, response) => response.end('one\ntwo\nthree')),
    )
    const peer = await RawPeer.connect(port)
    await peer.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await peer.readUntil('\r\n\r\n'), /^HTTP\/1.1 200 OK\r\n/)
    assert.equal(await peer.readUntil(/\n/g), 'one\n')
    assert.equal(await peer.closed, 'end')
    assert.equal(peer.received, 'two\nthree')
  })

  test('says what it missed when the connection closes first', async t => {
    const port = await listening(
      t,
      createServer((_, response) => response.destroy()),
    )
    const peer = await RawPeer.connect(port)
    await peer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await assert.rejects(peer.readUntil('200'), /Waited for "200", but the connection closed \(end\)/)
  })

  test('says what it missed when it did not come in time', async t => {
    const port = await listening(t, createServer())
    const peer = await RawPeer.connect(port)
    await assert.rejects(peer.readUntil(/200/, 20), /Waited for \/200\/, but it did not come within 20 ms/)
    peer.destroy()
    assert.equal(await peer.closed, 'destroyed')
  })

  test('sees a reset, and can vanish with one', async t => {
    const server = createServer((request, response) => {
      if (request.url === '/reset') request.socket.resetAndDestroy()
      else response.write('x')
    })
    const port = await listening(t, server)
    const seeing = await RawPeer.connect(port)
    await seeing.write('GET /reset HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal(await seeing.closed, 'reset')

    const vanishing = await RawPeer.connect(port)
    await vanishing.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const [request] = await once(server, 'request')
    const failed = once(request.socket, 'error')
    vanishing.reset()
    assert.equal((await failed)[0].code, 'ECONNRESET')
  })

  test('rawRequest answers everything until the close', async t => {
    const port = await listening(t, createServer())
    assert.match(await rawRequest(port, 'nonsense\r\n\r\n'), /^HTTP\/1.1 400 Bad Request/)
  })
})

describe('eventually', () => {
  test('answers what the condition answered, once it is met', async () => {
    let calls = 0
    assert.equal(await eventually('three calls', () => (++calls === 3 ? 'met' : undefined)), 'met')
  })

  test('names what it waited for and what it last saw', async () => {
    const never = eventually('the impossible', () => assert.equal(1, 2, 'one is not two'), { timeout: 20 })
    await assert.rejects(never, /^Error: Not within 20 ms: the impossible \(last: one is not two\)/)
  })
})

describe('noHandlesLeft', () => {
  test('waits until what was opened is closed', async () => {
    const before = activeHandles()
    const timer = setTimeout(() => {}, 60_000)
    await assert.rejects(noHandlesLeft(before, { timeout: 20 }), /no handles left \(last: left: 1 Timeout\)/)
    clearTimeout(timer)
    await noHandlesLeft(before)
  })
})
