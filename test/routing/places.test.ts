/** Routes by host and by version: columns of the one table. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  All,
  type ApplicationOptions,
  type Class,
  type Context,
  Controller,
  Ctx,
  describeRoute,
  formatRoutes,
  Get,
  Module,
  type ModuleOptions,
  Param,
  Post,
  readRoutes,
  Sse,
  type Versioning,
  WebSocket,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { testBootErrors } from '../support/boot-errors.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

/** A controller whose routes answer with a name. */
function answering(name: string, path: string, options: Parameters<typeof Controller>[1] = {}, route = '/'): Class {
  @Controller(path, options)
  class Answering {
    @Get(route) get(@Param() params: Record<string, string>) {
      return Object.keys(params).length === 0 ? name : { name, ...params }
    }
  }
  Object.defineProperty(Answering, 'name', { value: name })
  return Answering
}

type Fields = Readonly<Record<string, string>>
const get = (port: number, path: string, headers: Fields) => send(port, `GET ${path}`, { headers })
const text = async (port: number, path: string, headers: Fields) => (await get(port, path, headers)).text

describe('routes by host', () => {
  const anywhere = answering('anywhere', '/x')
  const api = answering('api', '/x', { host: 'api.example.com' })
  const tenant = answering('tenant', '/x', { host: ':tenant.example.com' })
  const region = answering('region', '/x', { host: ':tenant.eu.example.com' })
  const any = answering('any', '/x', { host: ':a.:b.example.com' })

  for (const controllers of [
    [anywhere, api, tenant, region, any],
    [any, region, tenant, api, anywhere],
  ]) {
    test('the exact host is before patterns, those with more text before others, and they before any', async t => {
      const { port } = await serve(t, { controllers })
      const cases: [host: string, expected: unknown][] = [
        ['api.example.com', 'api'],
        ['API.Example.COM', 'api'],
        ['api.example.com:8080', 'api'],
        ['api.example.com.', 'api'],
        ['acme.example.com', { name: 'tenant', tenant: 'acme' }],
        ['acme.eu.example.com', { name: 'region', tenant: 'acme' }],
        ['acme.us.example.com', { name: 'any', a: 'acme', b: 'us' }],
        ['a.b.c.example.com', 'anywhere'],
        ['.example.com', 'anywhere'],
        ['example.com', 'anywhere'],
        ['api.example.com.evil.example', 'anywhere'],
        ['[::1]:80', 'anywhere'],
        ['__proto__', 'anywhere'],
      ]
      for (const [host, expected] of cases) {
        const answer = await get(port, '/x', { Host: host })
        assert.deepEqual(typeof expected === 'string' ? answer.text : answer.json(), expected, host)
      }
    })
  }

  test('another host is 404, its methods do not count, and a request without one reaches what is bound to none', async t => {
    const { port } = await serve(t, { controllers: [api, answering('else', '/y')] })
    assert.equal((await get(port, '/x', { Host: 'www.example.com' })).status, 404)
    assert.equal((await send(port, 'POST /x', { headers: { Host: 'www.example.com' } })).status, 404)
    const post = await send(port, 'POST /x', { headers: { Host: 'api.example.com' } })
    assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD, OPTIONS'])
    assert.match(await rawRequest(port, 'GET /x HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 404 /)
    assert.match(await rawRequest(port, 'GET /y HTTP/1.0\r\n\r\n'), /else$/)
  })

  test('what a host has no route for falls to those of any host', async t => {
    const health = answering('health', '/health')
    const { port } = await serve(t, { controllers: [tenant, health] })
    assert.equal(await text(port, '/health', { Host: 'acme.example.com' }), 'health')
  })

  test('an address in brackets is a host, too', async t => {
    const { port } = await serve(t, { controllers: [answering('six', '/x', { host: '[::1]' })] })
    assert.equal(await text(port, '/x', { Host: '[::1]:3000' }), 'six')
  })

  test('a trusted proxy says the host', async t => {
    const { port } = await serve(t, { controllers: [api, anywhere] }, { trustProxy: 1 })
    const headers = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Host': 'api.example.com' }
    assert.equal(await text(port, '/x', headers), 'api')
    const unsure = await serve(t, { controllers: [api, anywhere] })
    assert.equal(await text(unsure.port, '/x', headers), 'anywhere')
  })

  test('methods, event streams and sockets may say their own; a module says it for those that do not', async t => {
    @Controller('/c', { host: 'class.example' })
    class Mixed {
      @Get('/one') one() {
        return 'one'
      }
      @Get('/two', { host: 'method.example' }) two() {
        return 'two'
      }
    }
    @Sse('/events', { host: ':name.example' })
    class Events {
      open(_stream: unknown, @Param('name') name: string) {
        return name
      }
    }
    @WebSocket('/socket')
    class Sockets {
      open(socket: { params: Record<string, string> }) {
        return socket.params.room
      }
    }
    @Module({ controllers: [Sockets], host: ':room.example' })
    class Rooms {}
    const { port } = await serve(t, { controllers: [Mixed, Events], imports: [Rooms] })
    assert.equal(await text(port, '/c/one', { Host: 'class.example' }), 'one')
    assert.equal(await text(port, '/c/two', { Host: 'method.example' }), 'two')
    assert.equal((await get(port, '/c/two', { Host: 'class.example' })).status, 404)
    const socket = await WebSocketPeer.open(port, '/socket', { fields: { Host: 'lobby.example' } })
    assert.equal(await socket.readText(), 'lobby')
    socket.raw.destroy()
    assert.match(await rawRequest(port, handshake('/socket', { Host: 'example' })), /^HTTP\/1\.1 404 /)
    const stream = await fetch(`http://127.0.0.1:${port}/events`)
    assert.equal(stream.status, 404)
  })
})

const v1 = answering('one', '/x', { version: '1' })
const v2 = answering('two', '/x', { version: '2' })
const both = answering('both', '/both', { version: ['1', '2'] })
const neutral = answering('neutral', '/neutral')

describe('routes by version', () => {
  const serveBy = (t: Parameters<typeof serve>[0], versioning: Versioning, more: ModuleOptions = {}) =>
    serve(t, { controllers: [v1, v2, both, neutral], ...more }, { versioning })

  test('in the path, which is how it is without the option', async t => {
    const { port, app } = await serve(t, { controllers: [v1, v2, both, neutral] }, { prefix: '/api' })
    for (const [path, expected] of [
      ['/api/v1/x', 'one'],
      ['/api/v2/x', 'two'],
      ['/api/v1/both', 'both'],
      ['/api/v2/both', 'both'],
      ['/api/neutral', 'neutral'],
    ] as const)
      assert.equal(await text(port, path, {}), expected, path)
    for (const path of ['/api/x', '/api/v3/x', '/api/v1/neutral', '/v1/api/x', '/api/v1x'])
      assert.equal((await get(port, path, {})).status, 404, path)
    assert.equal(app.routes[0]?.prefix, '/api/v1')
  })

  test('in the path, behind the application’s prefix and before the modules’, and out of context.path', async t => {
    @Controller('/paths', { version: 'beta.2' })
    class Paths {
      @Get() path(@Ctx() context: Context) {
        return context.path
      }
    }
    @Module({ controllers: [Paths], prefix: '/inner' })
    class Inner {}
    const options: ApplicationOptions = { prefix: '/api', versioning: { by: 'path', prefix: '' } }
    const { port } = await serve(t, { imports: [Inner] }, options)
    assert.equal(await text(port, '/api/beta.2/inner/paths', {}), '/paths')
  })

  test('in the path, the default version is there without it, too', async t => {
    const { port } = await serveBy(t, { by: 'path', default: '2' })
    assert.equal(await text(port, '/x', {}), 'two')
    assert.equal(await text(port, '/v2/x', {}), 'two')
    assert.equal(await text(port, '/v1/x', {}), 'one')
    assert.equal(await text(port, '/both', {}), 'both')
  })

  const fields: [versioning: Versioning, field: string, say: (version: string) => Fields][] = [
    [{ by: 'header' }, 'X-Version', version => ({ 'X-Version': ` ${version} ` })],
    [{ by: 'header', name: 'Accept-Version' }, 'Accept-Version', version => ({ 'accept-version': version })],
    [{ by: 'media-type' }, 'Accept', version => ({ Accept: `text/html, application/json; v=${version};q=0.9` })],
    [
      { by: 'media-type', parameter: 'version' },
      'Accept',
      version => ({ Accept: `application/vnd.example+json;charset=utf-8; Version="${version}"` }),
    ],
  ]
  for (const [versioning, field, say] of fields) {
    test(`by ${JSON.stringify(versioning)}`, async t => {
      const { port } = await serveBy(t, versioning)
      const one = await get(port, '/x', say('1'))
      assert.deepEqual([one.text, one.headers.vary], ['one', field])
      assert.equal(await text(port, '/x', say('2')), 'two')
      assert.equal(await text(port, '/both', say('2')), 'both')
      for (const fields of [{}, say('1'), say('9')]) assert.equal(await text(port, '/neutral', fields), 'neutral')
      const none = await get(port, '/x', say('9'))
      assert.deepEqual([none.status, none.headers.vary], [406, field])
      const { detail, versions } = none.json() as { detail: string; versions: string[] }
      assert.deepEqual([detail, versions], ['there is no such version; here are 1, 2', ['1', '2']])
      const unsaid = (await get(port, '/x', {})).json() as { status: number; detail: string }
      assert.deepEqual([unsaid.status, unsaid.detail], [406, 'no version is asked for; here are 1, 2'])
      assert.equal((await get(port, '/nowhere', say('1'))).status, 404)
    })

    test(`by ${JSON.stringify(versioning)}, with a default`, async t => {
      const { port } = await serveBy(t, { ...versioning, default: '2' })
      assert.equal(await text(port, '/x', {}), 'two')
      assert.equal(await text(port, '/x', say('1')), 'one')
    })
  }

  test('405 is of the version that is asked for', async t => {
    @Controller('/x', { version: '2' })
    class Posts {
      @Post() post() {
        return 'posted'
      }
    }
    const { port } = await serve(t, { controllers: [v1, Posts] }, { versioning: { by: 'header' } })
    const answer = await send(port, 'POST /x', { headers: { 'X-Version': '1' } })
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD, OPTIONS'])
    assert.equal((await send(port, 'POST /x', { headers: { 'X-Version': '2' } })).text, 'posted')
  })

  test('a version’s own route is before that of all versions on the same path, and the path decides between others', async t => {
    const versioned = answering('versioned', '/y', { version: '1' }, '/:id')
    const me = answering('me', '/y', {}, '/me')
    const plain = answering('plain', '/y', {}, '/:id')
    const { port } = await serve(t, { controllers: [versioned, me, plain] }, { versioning: { by: 'header' } })
    const asked = { 'X-Version': '1' }
    assert.deepEqual((await get(port, '/y/7', asked)).json(), { name: 'versioned', id: '7' })
    assert.equal(await text(port, '/y/me', asked), 'me')
    assert.deepEqual((await get(port, '/y/7', {})).json(), { name: 'plain', id: '7' })
  })

  test('host first, then version', async t => {
    const controllers = [
      answering('host', '/x', { host: 'a.example', version: '1' }),
      answering('everywhere', '/x', { version: ['1', '2'] }),
    ]
    const { port } = await serve(t, { controllers }, { versioning: { by: 'header' } })
    assert.equal(await text(port, '/x', { Host: 'a.example', 'X-Version': '1' }), 'host')
    assert.equal(await text(port, '/x', { Host: 'a.example', 'X-Version': '2' }), 'everywhere')
    assert.equal(await text(port, '/x', { Host: 'b.example', 'X-Version': '1' }), 'everywhere')
  })

  test('event streams and sockets have versions, and a module gives its own to those without', async t => {
    @Sse('/events', { version: '2' })
    class Events {
      open() {
        return 'events of 2'
      }
    }
    @WebSocket('/socket')
    class Old {
      open() {
        return 'socket of 1'
      }
    }
    @WebSocket('/socket', { version: '2' })
    class New {
      open() {
        return 'socket of 2'
      }
    }
    @Module({ controllers: [Old, New, Events], version: '1' })
    class Sockets {}
    const { port } = await serve(t, { imports: [Sockets] }, { versioning: { by: 'header', default: '1' } })
    for (const [fields, expected] of [
      [{}, 'socket of 1'],
      [{ 'X-Version': '2' }, 'socket of 2'],
    ] as const) {
      const socket = await WebSocketPeer.open(port, '/socket', { fields })
      assert.equal(await socket.readText(), expected)
      assert.match(socket.head, /vary: X-Version\r\n/i)
      socket.raw.destroy()
    }
    assert.equal((await get(port, '/events', {})).status, 406)
    const none = await rawRequest(port, handshake('/socket', { 'X-Version': '3' }))
    assert.match(none, /^HTTP\/1\.1 406 .*"detail":"there is no such version; here are 1, 2"/s)
    assert.match(await rawRequest(port, handshake('/events', { 'X-Version': '1' })), /^HTTP\/1\.1 404 /)
    const stream = await fetch(`http://127.0.0.1:${port}/events`, { headers: { 'X-Version': '2' } })
    assert.equal(stream.headers.get('vary'), 'X-Version')
    await stream.body?.cancel()
  })

  test('Vary is added to what handlers say, and is not there without versions in fields', async t => {
    @Controller('/x', { version: '1' })
    class Varied {
      @All() all() {
        return 'x'
      }
    }
    const use: ApplicationOptions['use'] = [
      (_request, response, next) => {
        response.appendHeader('Vary', 'Origin')
        next()
      },
    ]
    const by = await serve(t, { controllers: [Varied] }, { use, versioning: { by: 'header', default: '1' } })
    assert.equal((await get(by.port, '/x', {})).headers.vary, 'X-Version, Origin')
    const plain = await serve(t, { controllers: [Varied] })
    assert.equal((await get(plain.port, '/v1/x', {})).headers.vary, undefined)
  })
})

describe('the table', () => {
  @Controller('/x', { host: 'api.example.com', version: ['1', '2'] })
  class X {
    @Get() get() {}
    @Post('/', { host: ':tenant.example.com', version: '2' }) post() {}
  }
  @Controller('/y')
  class Y {
    @Get() get() {}
  }
  const module = moduleOf({ controllers: [X, Y] })

  test('has a row for each version; the columns are there where some row has them', () => {
    const routes = readRoutes(module, { versioning: { by: 'header' } })
    assert.equal(
      formatRoutes(routes),
      [
        'GET   /x  api.example.com      version 1  X.get',
        'GET   /x  api.example.com      version 2  X.get',
        'POST  /x  :tenant.example.com  version 2  X.post',
        'GET   /y                                  Y.get',
      ].join('\n'),
    )
    assert.deepEqual(
      routes.map(describeRoute).map(({ host, version }) => [host, version]),
      [
        ['api.example.com', '1'],
        ['api.example.com', '2'],
        [':tenant.example.com', '2'],
        [undefined, undefined],
      ],
    )
    assert.deepEqual(Object.keys(describeRoute(routes[3]!)), [
      'verb',
      'path',
      'handler',
      'stream',
      'registries',
      'guards',
      'events',
    ])
  })

  test('a version in the path is no column', () => {
    assert.equal(
      formatRoutes(readRoutes(moduleOf({ controllers: [v1, both] }), { versioning: { by: 'path', default: '1' } })),
      [
        'GET  /v1/x     one.get',
        'GET  /x        one.get',
        'GET  /v1/both  both.get',
        'GET  /v2/both  both.get',
        'GET  /both     both.get',
      ].join('\n'),
    )
  })
})

const header: ApplicationOptions = { versioning: { by: 'header' } }

testBootErrors('what is wrong with hosts and versions is told at boot', {
  'one path is taken twice only on one host and in one version': {
    module: () => [
      answering('A', '/x', { host: ':tenant.example.com', version: '1' }),
      answering('B', '/x', { host: ':tenant.example.com', version: ['1', '2'] }),
      answering('C', '/x', { host: ':other.example.com', version: '1' }),
      answering('D', '/x', { host: 'api.example.com', version: '1' }),
      answering('E', '/x', { version: '1' }),
      answering('F', '/x'),
    ],
    options: header,
    problems: [
      'GET :tenant.example.com/x version 1 is declared twice, by A.get and by B.get: give one another path or method',
      'GET :other.example.com/x version 1 is declared twice, by A.get and by C.get: give one another path or method',
    ],
  },
  'hosts and versions are what they should be': {
    module: () => {
      @Controller('/x', { host: 'https://api.example.com', version: 2 as never })
      class X {
        @Get('/', { host: 'api.example.com:80', version: [] }) get() {}
        @Get('/1', { host: 'a..b', version: 'v/1' }) one() {}
        @Get('/2', { host: 'a-:b.c', hosts: 'a' } as never) two() {}
      }
      return [X]
    },
    problems: [
      "X: @Controller('/x'): host should be a host without a port, such as 'api.example.com' or ':tenant.example.com', not 'https://api.example.com'",
      "X: @Controller('/x'): version should be a version, such as '2', or an array of them, not 2",
      "X.get: @Get('/'): host should be a host without a port, such as 'api.example.com' or ':tenant.example.com', not 'api.example.com:80'",
      "X.get: @Get('/'): version should be a version, such as '2', or an array of them, not an array",
      "X.one: @Get('/1'): host should be a host without a port, such as 'api.example.com' or ':tenant.example.com', not 'a..b'",
      "X.one: @Get('/1'): version should be a version, such as '2', or an array of them, not 'v/1'",
      "X.two: @Get('/2') has no option hosts: did you mean host?",
      "X.two: @Get('/2'): host should be a host without a port, such as 'api.example.com' or ':tenant.example.com', not 'a-:b.c'",
    ],
  },
  'a name stands once, in the host or in the path': {
    module: () => [
      answering('A', '/:id', { host: ':id.example.com' }),
      answering('B', '/b', { host: ':a.:a.example.com' }),
    ],
    problems: [
      'A.get: :id.example.com/:id: the name id stands twice',
      'B.get: :a.:a.example.com/b: the name a stands twice',
    ],
  },
  '@Param names what host or path have': {
    module: () => {
      @Controller('/x', { host: ':tenant.example.com' })
      class X {
        @Get('/:id') get(@Param('tenant') _: string, @Param('tenantt') __: string) {}
      }
      return [X]
    },
    problems: ["X.get: @Param('tenantt') names nothing in its path, which has :tenant, :id"],
  },
  'a socket class without a path has neither': {
    module: () => {
      @WebSocket(undefined, { host: 'a.example', version: '1' })
      class Live {
        open() {}
      }
      @Controller('/live')
      class Lives {
        @Get('/', { upgrade: [Live] }) get() {}
      }
      return [Live, Lives]
    },
    problems: [
      'Live has a host but no path: give it a path, or take its host away',
      'Live has a version but no path: give it a path, or take its version away',
    ],
  },
  'a module is imported under one host': {
    module: () => {
      @Module({ controllers: [v1] })
      class Shared {}
      @Module({ imports: [Shared], host: 'a.example' })
      class A {}
      @Module({ imports: [Shared] })
      class B {}
      return { imports: [A, B] }
    },
    problems: ['Shared is imported under two hosts, a.example and none: import it once'],
  },
  'the versioning is known': {
    module: () => [v1],
    options: { versioning: { by: 'query' } } as never,
    problems: ["bootstrap: versioning: by should be 'path' or 'header' or 'media-type', not 'query'"],
  },
  'and its options are': {
    module: () => [v1],
    options: { versioning: { by: 'header', prefix: 'v', name: 'X Version', default: 'one/two' } } as never,
    problems: [
      'bootstrap: versioning has no option prefix: it knows by, name, default',
      "bootstrap: versioning: name should be a token, as header fields and parameters are named, not 'X Version'",
      "bootstrap: versioning: default should be a version, such as '2', not 'one/two'",
    ],
  },
  'and it is an object': {
    module: () => [v1],
    options: { versioning: 'path' } as never,
    problems: ["bootstrap: versioning should be an object, such as { by: 'path' }, not 'path'"],
  },
})
