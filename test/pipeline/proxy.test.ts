import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type ApplicationOptions, type Context, Controller, Ctx, Get, On, Sse, WebSocket } from '../../src/index.js'
import { problemsOf } from '../support/boot-errors.js'
import { StreamPeer } from '../support/peers.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { moduleOf, serve } from '../support/serve.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

const tell = ({ remoteAddress, protocol, secure, host }: Context) => ({
  remoteAddress: remoteAddress ?? null,
  protocol,
  secure,
  host: host ?? null,
})

@Controller('/seen')
class Seen {
  @Get() seen(@Ctx() context: Context) {
    return tell(context)
  }
}

@Sse('/events')
class Events {
  open(_stream: unknown, @Ctx() context: Context) {
    return tell(context)
  }
}

@WebSocket('/socket')
class Sockets {
  @On('seen') seen(@Ctx() context: Context) {
    return tell(context)
  }
}

const controllers = [Seen, Events, Sockets]

type Fields = Readonly<Record<string, string>>

async function seen(port: number, fields: Fields, path = '/seen') {
  return send(port, `GET ${path}`, { headers: { Host: 'inner.example', ...fields } })
}

const direct = { remoteAddress: '127.0.0.1', protocol: 'http', secure: false, host: 'inner.example' }
const forwarded = {
  'X-Forwarded-For': '203.0.113.7',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'public.example',
}
const pub = { remoteAddress: '203.0.113.7', protocol: 'https', secure: true, host: 'public.example' }

describe('behind a proxy: who is believed', () => {
  const believed: [what: string, options: ApplicationOptions][] = [
    ['true', { trustProxy: true }],
    ['one hop', { trustProxy: 1 }],
    ['an address', { trustProxy: '127.0.0.1' }],
    ['a range among others', { trustProxy: ['10.0.0.0/8', '127.0.0.0/8'] }],
    ['loopback', { trustProxy: 'loopback' }],
    ['a function', { trustProxy: (address, hop) => hop === 0 && address === '127.0.0.1' }],
  ]
  for (const [what, options] of believed) {
    test(`with ${what}, what the connection's other end forwards is what is seen`, async t => {
      const { port } = await serve(t, { controllers }, options)
      assert.deepEqual((await seen(port, forwarded)).json(), pub)
    })
  }

  const unbelieved: [what: string, options: ApplicationOptions][] = [
    ['nothing said', {}],
    ['false', { trustProxy: false }],
    ['no hop', { trustProxy: 0 }],
    ['another address', { trustProxy: '127.0.0.2' }],
    ['other ranges', { trustProxy: ['10.0.0.0/8', '::1'] }],
    ['an empty list', { trustProxy: [] }],
    ['a function that refuses', { trustProxy: () => false }],
  ]
  for (const [what, options] of unbelieved) {
    test(`with ${what}, nothing is, and a broken field is no error`, async t => {
      const { port } = await serve(t, { controllers }, options)
      assert.deepEqual((await seen(port, { ...forwarded, Forwarded: 'for="', 'X-Request-Id': 'a' })).json(), direct)
    })
  }

  test('the family of fields that the proxy does not write is never read', async t => {
    const spoofed = { Forwarded: 'for=10.0.0.1;proto=https;host=evil.example' }
    const { port } = await serve(t, { controllers }, { trustProxy: true })
    assert.deepEqual((await seen(port, spoofed)).json(), direct)
    const other = await serve(t, { controllers }, { trustProxy: true, proxyFields: 'forwarded' })
    assert.deepEqual((await seen(other.port, forwarded)).json(), direct)
  })

  test('a trusted peer that forwards nothing speaks for itself', async t => {
    const { port } = await serve(t, { controllers }, { trustProxy: true })
    assert.deepEqual((await seen(port, {})).json(), direct)
  })

  test('a function that fails is 500, and nothing is taken for granted', async t => {
    const trustProxy = () => {
      throw new Error('no idea')
    }
    const { port, log } = await serve(t, { controllers }, { trustProxy })
    assert.equal((await seen(port, forwarded)).status, 500)
    assert.match(String(log[0]?.details), /no idea/)
  })
})

describe('behind several proxies: the last trusted hop decides', () => {
  const chain = 'evil, 203.0.113.7, 10.0.0.2'
  const cases: [what: string, options: ApplicationOptions, fields: Fields, expected: object][] = [
    ['one hop sees the second proxy', { trustProxy: 1 }, { 'X-Forwarded-For': chain }, { remoteAddress: '10.0.0.2' }],
    ['two hops see the peer', { trustProxy: 2 }, { 'X-Forwarded-For': chain }, { remoteAddress: '203.0.113.7' }],
    [
      'addresses see past all that are listed, and no further',
      { trustProxy: ['loopback', 'uniquelocal'] },
      { 'X-Forwarded-For': '10.0.0.9, 203.0.113.7, 10.0.0.2' },
      { remoteAddress: '203.0.113.7' },
    ],
    [
      'more hops than there are see the farthest',
      { trustProxy: 9 },
      { 'X-Forwarded-For': '203.0.113.7' },
      { remoteAddress: '203.0.113.7' },
    ],
    [
      'what the peer put in front of a list is not reached',
      { trustProxy: 1 },
      {
        'X-Forwarded-For': '10.0.0.1, 203.0.113.7',
        'X-Forwarded-Proto': 'https, http',
        'X-Forwarded-Host': 'evil.example, public.example',
      },
      { remoteAddress: '203.0.113.7', protocol: 'http', host: 'public.example' },
    ],
    [
      'one protocol and one host count for all hops',
      { trustProxy: 2 },
      {
        'X-Forwarded-For': '203.0.113.7, 10.0.0.2',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'public.example',
      },
      { remoteAddress: '203.0.113.7', protocol: 'https', host: 'public.example' },
    ],
    [
      'Forwarded is read the same way',
      { trustProxy: 2, proxyFields: 'forwarded' },
      { Forwarded: 'for=9.9.9.9;host=evil.example, for="[2001:db8::1]:4711";proto=https;host=a.example, for=10.0.0.2' },
      { remoteAddress: '2001:db8::1', protocol: 'https', host: 'a.example' },
    ],
    [
      'an address that is hidden is undefined, and nobody before it is believed',
      { trustProxy: true, proxyFields: 'forwarded' },
      { Forwarded: 'for=10.0.0.1, for=_hidden;proto=https' },
      { remoteAddress: null, protocol: 'https' },
    ],
    ['unknown, too', { trustProxy: true }, { 'X-Forwarded-For': '10.0.0.1, unknown' }, { remoteAddress: null }],
    [
      'ports are left out',
      { trustProxy: true },
      { 'X-Forwarded-For': '203.0.113.7:4711' },
      { remoteAddress: '203.0.113.7' },
    ],
    [
      'of IPv6 as well',
      { trustProxy: true },
      { 'X-Forwarded-For': '[2001:db8::1]:4711' },
      { remoteAddress: '2001:db8::1' },
    ],
    [
      'a bare IPv6 address',
      { trustProxy: true },
      { 'X-Forwarded-For': '2001:db8::1' },
      { remoteAddress: '2001:db8::1' },
    ],
    [
      'the protocol of a handshake',
      { trustProxy: true },
      { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'WSS' },
      { protocol: 'https' },
    ],
    [
      'empty elements are none (RFC 9110 §5.6.1.2)',
      { trustProxy: 1 },
      { 'X-Forwarded-For': '10.0.0.1, ,203.0.113.7,,' },
      { remoteAddress: '203.0.113.7' },
    ],
    [
      'a proxy that tells the protocol only hides the peer',
      { trustProxy: true },
      { 'X-Forwarded-Proto': 'https' },
      { remoteAddress: null, protocol: 'https', host: 'inner.example' },
    ],
  ]
  for (const [what, options, fields, expected] of cases) {
    test(what, async t => {
      const { port } = await serve(t, { controllers }, options)
      const answer = (await seen(port, fields)).json() as Record<string, unknown>
      assert.deepEqual({ ...answer, ...expected }, answer)
    })
  }
})

describe('a forwarded field that cannot be read is 400', () => {
  const trusted: ApplicationOptions = { trustProxy: 1 }
  const rfc7239: ApplicationOptions = { trustProxy: 1, proxyFields: 'forwarded' }
  const cases: [options: ApplicationOptions, fields: Fields, detail: string][] = [
    [trusted, { 'X-Forwarded-For': 'nobody' }, "the address 'nobody'"],
    [trusted, { 'X-Forwarded-For': '203.0.113.7, 999.1.1.1' }, "the address '999.1.1.1'"],
    [trusted, { 'X-Forwarded-For': '203.0.113.7 10.0.0.1' }, "the address '203.0.113.7 10.0.0.1'"],
    [trusted, { 'X-Forwarded-For': '203.0.113.7:99999999' }, "the address '203.0.113.7:99999999'"],
    [trusted, { 'X-Forwarded-For': '::1', 'X-Forwarded-Proto': 'gopher' }, "the protocol 'gopher'"],
    [trusted, { 'X-Forwarded-For': '::1', 'X-Forwarded-Proto': '__proto__' }, "the protocol '__proto__'"],
    [trusted, { 'X-Forwarded-For': '::1', 'X-Forwarded-Host': 'a.example/evil' }, "the host 'a.example/evil'"],
    [trusted, { 'X-Forwarded-For': '::1', 'X-Forwarded-Host': 'u@a.example' }, "the host 'u@a.example'"],
    [rfc7239, { Forwarded: 'for="' }, 'Forwarded'],
    [rfc7239, { Forwarded: 'for=1.2.3.4;, for=203.0.113.7' }, 'Forwarded'],
    // What the peer leaves open would swallow what the proxy adds: the address would be the proxy's own.
    [rfc7239, { Forwarded: 'for="10.0.0.1, for="[2001:db8::1]"' }, 'Forwarded'],
    [rfc7239, { Forwarded: 'for=2001:db8::1' }, 'Forwarded'],
    [rfc7239, { Forwarded: 'for="nobody"' }, "the address 'nobody'"],
  ]
  for (const [options, fields, what] of cases) {
    test(JSON.stringify(fields), async t => {
      const { port } = await serve(t, { controllers }, options)
      const answer = await seen(port, fields)
      assert.equal(answer.status, 400)
      assert.equal((answer.json() as { detail: string }).detail, `${what}, as the proxy forwards it, cannot be read`)
      const upgrading = await rawRequest(port, handshake('/socket', { Host: 'a', ...fields }))
      assert.match(upgrading, /^HTTP\/1\.1 400 /, 'of handshakes, too')
    })
  }

  test('what stands beyond the last trusted hop is not read at all', async t => {
    const { port } = await serve(t, { controllers }, trusted)
    const answer = await seen(port, { 'X-Forwarded-For': '<script>, 203.0.113.7' })
    assert.equal((answer.json() as { remoteAddress: string }).remoteAddress, '203.0.113.7')
  })
})

describe('what is seen', () => {
  test('stays with event streams and with the messages of sockets', async t => {
    const { port } = await serve(t, { controllers }, { trustProxy: 1 })
    const stream = await StreamPeer.open(port, '/events', forwarded)
    await stream.hears('\n\n')
    assert.deepEqual(JSON.parse(stream.read().data[0] ?? ''), pub)
    stream.raw.destroy()
    const fields = { Host: 'inner.example', ...forwarded }
    const socket = await WebSocketPeer.open(port, '/socket', { fields })
    await socket.send('text', JSON.stringify({ event: 'seen', ack: 1 }))
    assert.deepEqual(await socket.readJson(), { ack: 1, data: pub })
    socket.raw.destroy()
  })

  test('limits by address count connections, not those they speak for', async t => {
    const { port } = await serve(t, { controllers }, { trustProxy: 1, maxConnectionsPerAddress: 1 })
    const first = await RawPeer.connect(port)
    await first.write('GET /seen HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n')
    await first.readUntil('203.0.113.7')
    const second = await RawPeer.connect(port)
    await second.closed
    first.destroy()
  })

  test('the target in its absolute form says the host (RFC 9112 §3.2.2)', async t => {
    const { port } = await serve(t, { controllers })
    const answer = await rawRequest(
      port,
      'GET http://u:p@target.example:81/seen HTTP/1.1\r\nHost: field.example\r\nConnection: close\r\n\r\n',
    )
    assert.match(answer, /"host":"target\.example:81"/)
  })
})

describe('a Unix socket', () => {
  async function overUnix(t: TestContext, trustProxy: NonNullable<ApplicationOptions['trustProxy']>) {
    const folder = await mkdtemp(join(tmpdir(), 'palomino-'))
    t.after(() => rm(folder, { recursive: true }))
    const socketPath = join(folder, 'app.sock')
    await serve(t, { controllers }, { path: socketPath, trustProxy })
    return send(0, 'GET /seen', { socketPath, headers: { Host: 'inner.example', ...forwarded } })
  }

  const none = { ...direct, remoteAddress: null }
  const addresses: (string | undefined)[] = []
  const cases: [trustProxy: NonNullable<ApplicationOptions['trustProxy']>, expected: object][] = [
    [false, none],
    ['10.0.0.0/8', none],
    ['loopback', pub],
    [1, pub],
    [true, pub],
    [address => addresses.push(address) === 1 && address === undefined, pub],
  ]
  for (const [trustProxy, expected] of cases) {
    test(`with trustProxy ${typeof trustProxy === 'function' ? 'a function' : trustProxy}`, async t => {
      assert.deepEqual((await overUnix(t, trustProxy)).json(), expected)
    })
  }
})

describe('P9: the own origin of a handshake (RFC 6455 §10.2)', () => {
  const cases: [what: string, origin: string, fields: Fields, admitted: boolean][] = [
    ['the public host and protocol', 'https://public.example', forwarded, true],
    ['the public host, other protocol', 'http://public.example', forwarded, false],
    ['the inner host', 'https://inner.example', forwarded, false],
    ['the host field, where the proxy keeps that', 'https://inner.example', { 'X-Forwarded-For': '::1' }, true],
    ['the host field, under a told protocol', 'https://inner.example', { ...forwarded, 'X-Forwarded-Host': '' }, true],
    ['the host field, under another', 'http://inner.example', { ...forwarded, 'X-Forwarded-Host': '' }, false],
  ]
  for (const [what, origin, fields, admitted] of cases) {
    test(`${what} is ${admitted ? 'admitted' : 'refused'}`, async t => {
      const { port } = await serve(t, { controllers }, { trustProxy: 1 })
      const text = handshake('/socket', { Host: 'inner.example', Origin: origin, ...fields })
      const peer = await RawPeer.connect(port)
      await peer.write(text)
      assert.match(await peer.readUntil('\r\n'), admitted ? / 101 / : / 403 /)
      peer.destroy()
    })
  }

  test('is not what anybody forwards', async t => {
    const { port } = await serve(t, { controllers })
    const fields = { Host: 'inner.example', Origin: 'https://public.example', ...forwarded }
    assert.match(await rawRequest(port, handshake('/socket', fields)), /^HTTP\/1\.1 403 /)
  })
})

describe('the option', () => {
  const AppModule = moduleOf({ controllers: [] })
  const cases: [options: object, problem: string][] = [
    [
      { trustProxy: 'nowhere' },
      'bootstrap: trustProxy: invalid IP address: nowhere: give IP addresses, CIDR ranges, or loopback, linklocal, uniquelocal',
    ],
    [
      { trustProxy: ['10.0.0.0/99'] },
      'bootstrap: trustProxy: invalid range on address: 10.0.0.0/99: give IP addresses, CIDR ranges, or loopback, linklocal, uniquelocal',
    ],
    [
      { trustProxy: -1 },
      'bootstrap: trustProxy should be true, false, a number of hops, addresses, or a function, not -1',
    ],
    [
      { trustProxy: {} },
      'bootstrap: trustProxy should be true, false, a number of hops, addresses, or a function, not an object',
    ],
    [{ proxyFields: 'Forwarded' }, "bootstrap: proxyFields should be 'x-forwarded' or 'forwarded', not 'Forwarded'"],
    [{ trustproxy: true }, 'bootstrap has no option trustproxy: did you mean trustProxy?'],
  ]
  for (const [options, problem] of cases) {
    test(`${JSON.stringify(options)} is refused`, async () =>
      assert.deepEqual(await problemsOf(AppModule, options as ApplicationOptions), [problem]))
  }
})
