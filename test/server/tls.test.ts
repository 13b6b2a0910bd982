import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { before, describe, type TestContext, test } from 'node:test'
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import {
  type Application,
  type ApplicationOptions,
  bootstrap,
  type Context,
  Controller,
  Ctx,
  Get,
  type RequestContext,
  WebSocket,
} from '../../src/index.js'
import { start } from '../support/app.js'
import { type Certificate, makeCertificate } from '../support/certificate.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { moduleOf } from '../support/serve.js'
import { ask, openSession, tls } from '../support/wires.js'

@Controller()
class Hello {
  @Get() hello(@Ctx() context: Context) {
    const { socket, httpVersion } = (context as RequestContext).request
    return { secure: 'encrypted' in socket, httpVersion }
  }
}

@WebSocket('/echo')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

const first: Certificate = tls
let second: Certificate
before(async () => {
  second = await makeCertificate('renewed.example')
})

async function serve(t: TestContext, options: ApplicationOptions): Promise<Application> {
  const { app } = await start([Hello, Echo], options)
  t.after(() => app.close({ deadline: 0 }))
  return app
}

/** One request on a connection of its own. */
function get(port: number, options: ConnectionOptions = {}): Promise<{ text: string; certificate: string }> {
  return new Promise((resolve, reject) => {
    const trusted = { ca: [first.cert, second.cert], host: '127.0.0.1', agent: false as const, ...options }
    const sent = request({ port, path: '/', ...trusted }, response => {
      const certificate = (response.socket as TLSSocket).getPeerX509Certificate()?.subject ?? ''
      let text = ''
      response.setEncoding('utf8')
      response.on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve({ text, certificate }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: [first.cert, second.cert], ...options })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket.resume()
}

describe('P4: HTTPS', () => {
  test('P4: a key and a certificate are all it takes', async t => {
    const app = await serve(t, { tls: first })
    assert.equal(app.url, `https://127.0.0.1:${app.port}`)
    assert.deepEqual(JSON.parse((await get(app.port)).text), { secure: true, httpVersion: '1.1' })
  })

  test('alone is HTTP/1.1: another protocol is not agreed on', async t => {
    const app = await serve(t, { tls: first })
    const socket = await handshake(app.port, { ALPNProtocols: ['h2', 'http/1.1'] })
    assert.equal(socket.alpnProtocol, 'http/1.1')
    socket.destroy()
  })

  test('with HTTP/2 both are spoken on one port, and who has no ALPN gets HTTP/1.1', async t => {
    const app = await serve(t, { tls: first, http2: true })
    assert.deepEqual(JSON.parse((await get(app.port)).text), { secure: true, httpVersion: '1.1' })
    const session = await openSession(app.port)
    assert.deepEqual(JSON.parse((await ask(session, { ':path': '/' })).text), { secure: true, httpVersion: '2.0' })
    session.close()
  })

  test('speaks no TLS before 1.2, unless it may', async t => {
    const old: ConnectionOptions = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    const app = await serve(t, { tls: first })
    await assert.rejects(handshake(app.port, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
    const newest = await serve(t, { tls: { ...first, minVersion: 'TLSv1.3' } })
    await assert.rejects(handshake(newest.port, { maxVersion: 'TLSv1.2' }), { code: /PROTOCOL_VERSION/ })
    assert.equal((await handshake(newest.port)).destroy().encrypted, true)
  })

  test('chooses the certificate by the name that is asked for', async t => {
    const context = createSecureContext(second)
    const SNICallback = (name: string, tell: (error: Error | null, context?: SecureContext) => void) =>
      tell(null, name === 'renewed.example' ? context : undefined)
    const app = await serve(t, { tls: { ...first, SNICallback } })
    const named = await handshake(app.port, { servername: 'renewed.example' })
    assert.equal(named.getPeerX509Certificate()?.subject, 'CN=renewed.example')
    named.destroy()
    assert.equal((await get(app.port)).certificate, 'CN=localhost')
  })

  test('asks peers for a certificate, and refuses those without one', async t => {
    const app = await serve(t, { tls: { ...first, requestCert: true, ca: second.cert } })
    await assert.rejects(get(app.port))
    assert.ok((await get(app.port, { key: second.key, cert: second.cert })).text.includes('"secure":true'))
  })

  test('one application listens with and without it, each listener on its own terms', async t => {
    const app = await serve(t, {})
    const secure = (await app.listen({ port: 0, host: '127.0.0.1', tls: first })) as AddressInfo
    const path = join(import.meta.dirname, `${process.pid}.sock`)
    await app.listen({ path, http2: true })
    assert.equal((await send(app.port, 'GET /')).status, 200)
    assert.ok((await get(secure.port)).text.includes('"secure":true'))
    assert.equal((await send(0, 'GET /', { socketPath: path })).status, 200)
    assert.equal(app.addresses.length, 3)
  })

  test('requests that offer to upgrade to anything else are served as they are', async t => {
    const app = await serve(t, { tls: first, http2: true })
    const plain = (await app.listen({ port: 0, host: '127.0.0.1', http2: true })) as AddressInfo
    const offer = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'
    const secure = RawPeer.over(await handshake(app.port), () => {})
    for (const peer of [secure, await RawPeer.connect(plain.port)]) {
      await peer.write(offer)
      await peer.closed
      assert.match(peer.received, /^HTTP\/1\.1 200 OK\r\n/)
    }
  })

  test('a handshake that is not finished, and a connection that says nothing, are cut', async t => {
    const app = await serve(t, { tls: first, http2: true, headersTimeout: 500 })
    const silent = await RawPeer.connect(app.port)
    const unfinished = await RawPeer.connect(app.port)
    await unfinished.write(Buffer.from([0x16, 0x03, 0x01]))
    const secured = await handshake(app.port)
    const closed = once(secured, 'close')
    await silent.closed
    await unfinished.closed
    await closed
  })

  test('closes at once where nothing is on its way, and leaves nothing behind', async () => {
    const handles = activeHandles()
    const { app } = await start([Hello, Echo], { tls: first, http2: true })
    const sockets = [await handshake(app.port), await handshake(app.port, { ALPNProtocols: ['h2'] })]
    const session = await openSession(app.port)
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
    const kept = RawPeer.over(await handshake(app.port), () => {})
    await kept.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await kept.readUntil('}')
    const closed = sockets.map(socket => once(socket, 'close'))
    const began = performance.now()
    await app.close()
    assert.ok(performance.now() - began < 5000, 'before the deadline')
    await Promise.all([...closed, kept.closed])
    await noHandlesLeft(handles)
  })
})

describe('renewTls', () => {
  test('gives new connections another certificate; open ones go on', async t => {
    const app = await serve(t, { tls: first, http2: true })
    const open = RawPeer.over(await handshake(app.port), () => {})
    const session = await openSession(app.port)
    assert.equal((await get(app.port)).certificate, 'CN=localhost')
    app.renewTls(second)
    assert.equal((await get(app.port)).certificate, 'CN=renewed.example')
    await open.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await open.closed
    assert.match(open.received, /^HTTP\/1\.1 200 OK/)
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
    session.close()
  })

  test('keeps what is not given', async t => {
    const app = await serve(t, { tls: { ...first, minVersion: 'TLSv1.3' } })
    app.renewTls(second)
    await assert.rejects(handshake(app.port, { maxVersion: 'TLSv1.2' }))
  })

  test('refuses what does not fit, and goes on with what it has', async t => {
    const app = await serve(t, { tls: first })
    assert.throws(() => app.renewTls({ cert: second.cert }), {
      name: 'ConfigurationError',
      message: 'renewTls: tls.key does not fit tls.cert: give the private key that this certificate was made for',
    })
    assert.equal((await get(app.port)).certificate, 'CN=localhost')
  })

  test('says so where nothing speaks TLS', async t => {
    const app = await serve(t, {})
    assert.throws(() => app.renewTls(first), {
      name: 'ConfigurationError',
      message: 'renewTls: no listener speaks TLS: give tls to bootstrap, or to listen',
    })
  })
})

describe('what is wrong with a certificate is told at boot', () => {
  const cases: [string, () => unknown, string | RegExp][] = [
    [
      'no key',
      () => ({ cert: first.cert }),
      'bootstrap: tls has no key: give the private key of its certificate, in PEM',
    ],
    [
      'no certificate',
      () => ({ key: first.key }),
      'bootstrap: tls has no cert: give the certificate of its key, in PEM',
    ],
    [
      'a key of another certificate',
      () => ({ key: first.key, cert: second.cert }),
      'bootstrap: tls.key does not fit tls.cert: give the private key that this certificate was made for',
    ],
    [
      'a path in place of a text',
      () => ({ key: './key.pem', cert: './cert.pem' }),
      /^bootstrap: tls cannot be used \(.*\): give the text of PEM files, not their paths, and the passphrase that they are encrypted with$/,
    ],
    ['a slip', () => ({ ...first, certs: '' }), 'bootstrap: tls has no option certs: did you mean cert?'],
    [
      'an old version',
      () => ({ ...first, minVersion: 'TLSv1' }),
      "bootstrap: tls: minVersion should be 'TLSv1.2' or 'TLSv1.3', not 'TLSv1'",
    ],
    ['no options', () => true, 'bootstrap: tls takes an object of options, not true'],
  ]
  for (const [name, wrong, message] of cases)
    test(name, async () => {
      const refused = bootstrap(moduleOf({ controllers: [Hello] }), { port: 0, tls: wrong() as never })
      await assert.rejects(refused, { name: 'ConfigurationError', message })
    })

  test('and by listen, as are the options of HTTP/2', async t => {
    const app = await serve(t, {})
    await assert.rejects(app.listen({ port: 0, tls: { key: first.key } }), {
      message: 'listen: tls has no cert: give the certificate of its key, in PEM',
    })
    await assert.rejects(app.listen({ port: 0, http2: { maxStream: 1 } as never }), {
      message: 'listen: http2 has no option maxStream: did you mean maxStreams?',
    })
    await assert.rejects(app.listen({ port: 0, http2: 'yes' as never }), {
      message: "listen: http2 takes an object of options, not 'yes'",
    })
    assert.equal(app.addresses.length, 1)
  })
})

test('the limit on connections of one address holds under TLS', async t => {
  const app = await serve(t, { tls: first, http2: true, maxConnectionsPerAddress: 1 })
  const socket = await handshake(app.port)
  await assert.rejects(handshake(app.port))
  socket.destroy()
  await eventually('the place is free', () => get(app.port))
})
