import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { SessionGuard } from '../../src/server/http2-guard.js'

test('a connection that is destroyed, and has not told of its close, takes a beat', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  client.on('error', () => {})
  client.request().on('error', () => {})
  const [session] = (await once(server, 'session')) as [ServerHttp2Session]
  const limits = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0, maxResets: 9, maxControlFrames: 9 }
  const guard = new SessionGuard(session, limits)
  await once(session, 'stream')
  session.destroy()
  guard.beat()
  assert.ok(session.destroyed)
  client.destroy()
})
