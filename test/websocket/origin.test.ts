import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { WebSocket } from '../../src/index.js'
import { serve } from '../support/app.js'
import { rawRequest } from '../support/raw-peer.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

@WebSocket('/own')
class Own {
  open() {}
}

@WebSocket('/listed', { origins: ['https://app.example'] })
class Listed {
  open() {}
}

@WebSocket('/any', { origins: '*' })
class Open {
  open() {}
}

const sockets = [Own, Listed, Open]

async function status(port: number, path: string, origin: string | undefined, host: string): Promise<number> {
  const fields = { Host: host, Origin: origin, 'Sec-WebSocket-Protocol': 'bad one' }
  // The bad subprotocol is found after the origin: an origin that is let through is told by 400, and opens nothing.
  const [, code] = /^HTTP\/1\.1 (\d+)/.exec(await rawRequest(port, handshake(path, fields))) ?? []
  return Number(code)
}

const ADMITTED = 400
const REFUSED = 403

describe('P9: Origin (RFC 6455 §10.2) by default', () => {
  const cases: [what: string, origin: string | undefined, host: string, status: number][] = [
    ['none, and no other is invented', undefined, 'a.example:3000', ADMITTED],
    ["the host's own, with its port", 'http://a.example:3000', 'a.example:3000', ADMITTED],
    ["the host's own, on the default port", 'http://a.example', 'a.example', ADMITTED],
    ['the default port written in Host', 'http://a.example', 'a.example:80', ADMITTED],
    ['https, behind a proxy that ends TLS', 'https://a.example', 'a.example', ADMITTED],
    ['an IPv6 host', 'http://[::1]:3000', '[::1]:3000', ADMITTED],
    ['Host in other letters', 'http://a.example', 'A.Example', ADMITTED],
    ['another host', 'http://evil.example', 'a.example', REFUSED],
    ['another port', 'http://a.example:3001', 'a.example:3000', REFUSED],
    ['the default port of another scheme', 'https://a.example', 'a.example:80', REFUSED],
    ['another scheme', 'ftp://a.example', 'a.example', REFUSED],
    ['null', 'null', 'a.example', REFUSED],
    ['nothing at all', '', 'a.example', REFUSED],
    ['the host as a path', 'http://evil.example/a.example', 'a.example', REFUSED],
    ['the host as a path, with its port', 'http://evil.example/127.0.0.1:3000', '127.0.0.1:3000', REFUSED],
    ['the host as a user', 'http://a.example@evil.example', 'a.example', REFUSED],
    ['a user before the host', 'http://evil.example@a.example', 'a.example', REFUSED],
    ['the host as a prefix', 'http://a.example.evil.example', 'a.example', REFUSED],
    ['the host as a suffix', 'http://evila.example', 'a.example', REFUSED],
    ['a subdomain', 'http://sub.a.example', 'a.example', REFUSED],
    ['two origins', 'http://a.example, http://a.example', 'a.example', REFUSED],
    ['a closing slash', 'http://a.example/', 'a.example', REFUSED],
    ['a host that is no host', 'http://a.example', ':::', REFUSED],
  ]
  for (const [what, origin, host, expected] of cases) {
    test(`P9: ${what} is ${expected === ADMITTED ? 'admitted' : 'refused'}`, async t => {
      const { port } = await serve(t, sockets)
      assert.equal(await status(port, '/own', origin, host), expected)
    })
  }
})

test('P9: a route lists origins of its own, besides the host', async t => {
  const { port } = await serve(t, sockets, { origins: ['https://everywhere.example'] })
  assert.equal(await status(port, '/listed', 'https://app.example', 'a'), ADMITTED)
  assert.equal(await status(port, '/listed', 'http://a', 'a'), ADMITTED)
  assert.equal(await status(port, '/listed', 'https://everywhere.example', 'a'), REFUSED)
  assert.equal(await status(port, '/listed', 'https://app.example.evil', 'a'), REFUSED)
  assert.equal(await status(port, '/own', 'https://everywhere.example', 'a'), ADMITTED)
})

test('P9: with * every origin is admitted, by route or by application', async t => {
  const { port } = await serve(t, sockets)
  assert.equal(await status(port, '/any', 'null', 'a'), ADMITTED)
  const open = await serve(t, sockets, { origins: '*' })
  assert.equal(await status(open.port, '/own', 'http://evil.example', 'a'), ADMITTED)
})

test('P9: an admitted origin gets its 101', async t => {
  const { port } = await serve(t, sockets)
  const peer = await WebSocketPeer.open(port, '/own', {
    fields: { Origin: `http://127.0.0.1:${port}`, Host: `127.0.0.1:${port}` },
  })
  peer.raw.destroy()
})
