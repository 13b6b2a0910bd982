import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket as Client } from 'ws'
import { z } from 'zod'
import {
  type Context,
  Controller,
  Cookie,
  Ctx,
  EventStream,
  Get,
  Guard,
  Intercept,
  int,
  type Middleware,
  On,
  Post,
  RequestContext,
  reply,
  type SetCookie,
  Sse,
  stop,
  unauthorized,
  WebSocket,
} from '../../src/index.js'
import { problemsOf, testBootErrors } from '../support/boot-errors.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'

const NEW = 'the-newest-key-that-nobody-can-guess-1'
const OLD = 'an-older-key-that-nobody-can-guess-222'

const sign = (name: string, value: string, key: string) =>
  `${value}.${createHmac('sha256', key).update(`${name}=${value}`).digest('base64url')}`

const fromMiddleware: Middleware = (_request, response, next) => {
  response.appendHeader('Set-Cookie', 'middleware=1')
  next()
}

function remember(context: Context) {
  ;(context as RequestContext).setCookie('guard', '1')
  return context.query.refuse === undefined || unauthorized('no')
}
async function around(context: Context, next: () => Promise<unknown>) {
  ;(context as RequestContext).setCookie('interceptor', '1')
  return next()
}

@Controller('/read')
class Reading {
  @Get('/one') one(@Cookie('a') a: string | undefined) {
    return { a: a ?? null }
  }
  @Get('/all') all(@Cookie() cookies: Record<string, string>) {
    return {
      ...cookies,
      proto: Object.getPrototypeOf(Object.getPrototypeOf(cookies)),
      own: Object.hasOwn(cookies, '__proto__'),
    }
  }
  @Get('/number') number(@Cookie('n', int()) n: number) {
    return { n }
  }
  @Get('/schema') schema(@Cookie(z.object({ a: z.literal('1') })) cookies: object) {
    return { ...cookies }
  }
  @Get('/signed') signed(@Cookie('s', { signed: true }) s: string | undefined) {
    return { s: s ?? null }
  }
  @Get('/signed-number') signedNumber(@Cookie('s', int(), { signed: true }) s: number) {
    return { s }
  }
}

@Controller('/set')
@Guard(remember)
class Setting {
  @Get('/all')
  @Intercept(around)
  all(@Ctx() context: RequestContext) {
    context.setCookie('handler', '1')
    return reply('body', { cookies: [{ name: 'reply', value: '1' }], headers: { 'Set-Cookie': 'field=1' } })
  }
  @Get('/stream') stream(@Ctx() context: RequestContext) {
    context.setCookie('handler', '1')
    return reply(['item'].values(), { cookies: [{ name: 'reply', value: '1' }] })
  }
  @Get('/late') async *late(@Ctx() context: RequestContext) {
    yield 'first'
    context.setCookie('late', '1')
  }
  @Get('/signed') signed(@Ctx() context: RequestContext) {
    context.setCookie('s', 'a b.ü', { signed: true })
    return 'signed'
  }
  @Get('/cleared') cleared(@Ctx() context: RequestContext) {
    context.clearCookie('gone', { path: '/set' })
    return 'cleared'
  }
  @Post('/given') given(@Ctx() context: RequestContext) {
    const { name, value, ...options } = JSON.parse(context.header('x-cookie') ?? '{}') as SetCookie
    context.setCookie(name, value, options)
    return 'set'
  }
}

@Sse('/events')
@Guard(remember)
class Events {
  open(stream: EventStream, @Ctx() context: RequestContext, @Cookie('a') a: string) {
    context.setCookie('open', '1')
    stream.start()
    try {
      context.setCookie('late', '1')
    } catch (error) {
      return [`${a}: ${(error as Error).message}`, stop()]
    }
    return stop()
  }
}

@WebSocket('/socket')
@Guard(remember)
class Live {
  open(@Ctx() context: RequestContext, @Cookie('s', { signed: true }) s: string) {
    try {
      context.setCookie('late', '1')
    } catch (error) {
      return `${s}: ${(error as Error).message}`
    }
    return 'it was taken'
  }
}

describe('cookies', () => {
  const served = serveSuite(
    { controllers: [Reading, Setting, Events, Live] },
    { use: [fromMiddleware], cookieKeys: [NEW, OLD] },
  )
  const read = async (path: string, cookie?: string) =>
    send(served.port, `GET ${path}`, { headers: cookie === undefined ? {} : { Cookie: cookie } })

  describe('that are read', () => {
    for (const [field, a] of [
      [undefined, null],
      ['a=1', '1'],
      ['b=2; a=1', '1'],
      ['b=2;a=1', '1'],
      ['a=1; a=2', '1'],
      ['a=', ''],
      ['a', null],
      ['=1; a=2', '2'],
      ['a=%C3%A9%20%3D', 'é ='],
      ['a=%zz', '%zz'],
      ['a=%', '%'],
      ['a=b=c', 'b=c'],
      ['a="quoted"', '"quoted"'],
      ['__proto__=x; a=1', '1'],
      ['constructor=x; toString=y; a=1', '1'],
      [';;; ;a=1', '1'],
    ] as const) {
      test(`${field ?? 'none'}: ${JSON.stringify(a)}`, async () =>
        assert.deepEqual((await read('/read/one', field)).json(), { a }))
    }

    test('all of them, as a plain record', async () => {
      const heard = (await read('/read/all', 'a=1; __proto__=2; b=3')).json()
      assert.deepEqual(heard, { a: '1', b: '3', ['__proto__']: '2', proto: null, own: true })
      assert.deepEqual(({} as Record<string, unknown>).a, undefined)
    })

    test('in several fields', async () => {
      const heard = await rawRequest(
        served.port,
        'GET /read/all HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\nConnection: close\r\n\r\n',
      )
      assert.match(heard, /\{"a":"1","b":"2"/)
    })

    test('through a schema: what it refuses is 400, and says where', async () => {
      assert.deepEqual((await read('/read/number', 'n=7')).json(), { n: 7 })
      const wrong = await read('/read/number', 'n=x')
      assert.equal(wrong.status, 400)
      assert.deepEqual((wrong.json() as { issues: unknown }).issues, [
        { in: 'cookie', path: ['n'], message: 'expected a whole number' },
      ])
      assert.deepEqual((await read('/read/schema', 'a=1')).json(), { a: '1' })
      assert.equal((await read('/read/schema', 'a=2')).status, 400)
    })
  })

  describe('that are signed', () => {
    for (const [what, cookie, s] of [
      ['by the newest key', sign('s', 'v', NEW), 'v'],
      ['by an older key', sign('s', 'v', OLD), 'v'],
      ['by another key', sign('s', 'v', `${NEW}x`), null],
      ['under another name', sign('t', 'v', NEW), null],
      ['with another value', sign('s', 'v', NEW).replace('v.', 'w.'), null],
      ['an empty value', sign('s', '', NEW), ''],
      ['a value with dots', sign('s', 'a.b.c', NEW), 'a.b.c'],
      ['with a part of it', sign('s', 'v', NEW).slice(0, -1), null],
      ['with more than it', `${sign('s', 'v', NEW)}A`, null],
      ['not at all', 'v', null],
      ['with nothing', 'v.', null],
    ] as const) {
      test(`${what}: ${s === null ? 'is not there' : 'is there'}`, async () =>
        assert.deepEqual((await read('/read/signed', `s=${cookie}`)).json(), { s }))
    }

    test('and read through a schema', async () => {
      assert.deepEqual((await read('/read/signed-number', `s=${sign('s', '7', NEW)}`)).json(), { s: 7 })
      assert.equal((await read('/read/signed-number', 's=7')).status, 400)
    })

    test('are set with the newest key, and come back', async () => {
      const { headers } = await read('/set/signed')
      const [cookie = ''] = headers['set-cookie']?.filter(line => line.startsWith('s=')) ?? []
      assert.equal(cookie.split(';')[0], `s=${encodeURIComponent(sign('s', 'a b.ü', NEW))}`)
      assert.deepEqual((await read('/read/signed', cookie.split(';')[0])).json(), { s: 'a b.ü' })
    })
  })

  describe('that are set', () => {
    const names = (fields: readonly string[] | undefined) => fields?.map(line => line.split('=')[0])

    test('by a guard, an interceptor, a handler and a reply, besides those of middleware', async () => {
      const { headers, text } = await read('/set/all')
      assert.equal(text, 'body')
      assert.deepEqual(names(headers['set-cookie']), [
        'middleware',
        'guard',
        'interceptor',
        'handler',
        'reply',
        'field',
      ])
      assert.equal(headers['set-cookie']?.[1], 'guard=1; Path=/; HttpOnly; SameSite=Lax')
    })

    test('with a stream of items', async () => {
      const { headers } = await read('/set/stream')
      assert.deepEqual(names(headers['set-cookie']), ['middleware', 'guard', 'handler', 'reply'])
    })

    test('with a refusal', async () => {
      const { status, headers } = await read('/set/all?refuse')
      assert.deepEqual([status, names(headers['set-cookie'])], [401, ['middleware', 'guard']])
    })

    test('with the head of an event stream, and not behind it', async () => {
      const { headers, text } = await read('/events', 'a=1')
      assert.deepEqual(names(headers['set-cookie']), ['middleware', 'guard', 'open'])
      assert.equal(text, 'data: 1: the cookie late comes too late: the head of the answer is out\n\n')
    })

    test('with a 101, and not behind it', async () => {
      const headers = { Cookie: `s=${sign('s', 'v', OLD)}` }
      const client = new Client(`ws://127.0.0.1:${served.port}/socket`, { headers })
      const upgraded = once(client, 'upgrade')
      const [message] = await once(client, 'message')
      assert.equal(String(message), 'v: the cookie late comes too late: the head of the answer is out')
      const [response] = await upgraded
      assert.deepEqual(names(response.headers['set-cookie']), ['middleware', 'guard'])
      client.terminate()
    })

    test('too late, they are an error', async () => {
      await assert.rejects(read('/set/late'))
      assert.match(String(served.log.at(-1)?.details), /the cookie late comes too late/)
    })

    test('to be removed', async () => {
      const { headers } = await read('/set/cleared')
      assert.equal(headers['set-cookie']?.at(-1), 'gone=; Max-Age=0; Path=/set; HttpOnly; SameSite=Lax')
    })

    for (const [options, line] of [
      [{}, 'n=v; Path=/; HttpOnly; SameSite=Lax'],
      [{ value: 'a;b, "c"\r\n' }, 'n=a%3Bb%2C%20%22c%22%0D%0A; Path=/; HttpOnly; SameSite=Lax'],
      [{ httpOnly: false, sameSite: 'strict' }, 'n=v; Path=/; SameSite=Strict'],
      [
        { maxAge: 90_500, domain: 'example.com', path: '/a' },
        'n=v; Max-Age=90; Domain=example.com; Path=/a; HttpOnly; SameSite=Lax',
      ],
      [{ secure: true }, 'n=v; Path=/; HttpOnly; Secure; SameSite=Lax'],
      [{ sameSite: 'none' }, 'n=v; Path=/; HttpOnly; Secure; SameSite=None'],
      [{ partitioned: true }, 'n=v; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax'],
      [{ name: '__Host-n' }, '__Host-n=v; Path=/; HttpOnly; Secure; SameSite=Lax'],
      [
        { name: '__Secure-n', domain: 'a.example' },
        '__Secure-n=v; Domain=a.example; Path=/; HttpOnly; Secure; SameSite=Lax',
      ],
      [{ name: '__proto__' }, '__proto__=v; Path=/; HttpOnly; SameSite=Lax'],
    ] as const) {
      test(`with ${JSON.stringify(options)}: ${line}`, async () => {
        const headers = { 'X-Cookie': JSON.stringify({ name: 'n', value: 'v', ...options }) }
        const answer = await send(served.port, 'POST /set/given', { headers })
        assert.equal(answer.headers['set-cookie']?.at(-1), line)
      })
    }

    for (const [cookie, message] of [
      [{ name: 'a b' }, '"a b" is no name for a cookie: it is a token (RFC 6265 §4.1.1)'],
      [{ name: 'a=b' }, '"a=b" is no name for a cookie: it is a token (RFC 6265 §4.1.1)'],
      [{ name: '' }, '"" is no name for a cookie: it is a token (RFC 6265 §4.1.1)'],
      [{ name: 'a\r\nX: y' }, '"a\\r\\nX: y" is no name for a cookie: it is a token (RFC 6265 §4.1.1)'],
      [{ value: 5 }, 'the cookie n needs a string of well-formed text for its value'],
      [{ value: '\ud800' }, 'the cookie n needs a string of well-formed text for its value'],
      [{ value: 'x'.repeat(4096) }, 'the cookie n has 4130 bytes: browsers keep no more than 4096'],
      [{ domain: 'a b' }, 'the cookie n cannot be set: option domain is invalid: a b'],
      [{ domain: 'a;b' }, 'the cookie n cannot be set: option domain is invalid: a;b'],
      [{ domain: '' }, 'the cookie n cannot have the domain of nothing'],
      [{ path: '/a;b' }, 'the cookie n cannot be set: option path is invalid: /a;b'],
      [{ path: 'a' }, 'the cookie n cannot have the path a: it begins with a slash'],
      [{ maxAge: -1 }, 'the cookie n cannot have the maxAge -1'],
      [{ maxAge: '1h' }, 'the cookie n cannot have the maxAge 1h'],
      [{ sameSite: 'lux' }, 'the cookie n cannot be set: option sameSite is invalid: lux'],
      [
        { sameSite: 'none', secure: false },
        'the cookie n must be secure: its name, its sameSite or its partitioned asks for that',
      ],
      [
        { name: '__Host-n', secure: false },
        'the cookie __Host-n must be secure: its name, its sameSite or its partitioned asks for that',
      ],
      [
        { name: '__host-n', domain: 'a.example' },
        "the cookie __host-n is for this host alone: it has no domain, and its path is '/'",
      ],
      [
        { name: '__Host-n', path: '/a' },
        "the cookie __Host-n is for this host alone: it has no domain, and its path is '/'",
      ],
    ] as const) {
      test(`what cannot be kept is an error where it is set: ${message}`, () =>
        assert.throws(() => reply('', { cookies: [{ name: 'n', value: 'v', ...cookie } as unknown as SetCookie] }), {
          name: 'TypeError',
          message,
        }))
    }
  })

  test('are Secure over TLS, as far as the connection tells', async t => {
    const overTls: Middleware = (request, _response, next) => {
      Object.defineProperty(request.socket, 'encrypted', { value: true })
      next()
    }
    const { port } = await serve(t, { controllers: [Setting] }, { use: [overTls], cookieKeys: [NEW] })
    const { headers } = await send(port, 'GET /set/all')
    assert.equal(headers['set-cookie']?.[0], 'guard=1; Path=/; HttpOnly; Secure; SameSite=Lax')
  })

  test('that are to be signed without keys are an error where they are set', async t => {
    const { port, log } = await serve(t, { controllers: [Setting] })
    assert.equal((await send(port, 'GET /set/signed')).status, 500)
    assert.match(String(log.at(-1)?.details), /the cookie s is to be signed: give the application its cookieKeys/)
  })
})

testBootErrors('cookies', {
  'that are signed need keys': {
    module: () => [Reading],
    problems: ['signed', 'signedNumber'].map(
      name =>
        `Reading.${name}: @Cookie('s', { signed: true }) needs keys: bootstrap(AppModule, { cookieKeys: [newest, …older] })`,
    ),
  },
  'are no part of a message': {
    module: () => {
      @WebSocket('/a')
      class A {
        @On('x') x(@Cookie('a') _: string) {}
      }
      return [A]
    },
    problems: [
      'A.x: @Cookie on a message, which has no header fields: read it in open, or in a guard of the class that keeps it by context.set',
    ],
  },
  'are read with known options, and real schemas': {
    module: () => {
      @Controller('/a')
      class A {
        @Get('/1') one(@Cookie('a', { singed: true } as never) _: string) {}
        @Get('/2') two(@Cookie('a', { signed: 1 } as never) _: string) {}
        @Get('/3') three(@Cookie('a', Number as never) _: string) {}
      }
      return [A]
    },
    problems: [
      "A.one: @Cookie('a') has no option singed: did you mean signed?",
      "A.two: @Cookie('a'): signed should be true or false, not 1",
      "A.three: @Cookie('a'): its schema should be a Standard Schema, such as one of zod, valibot or arktype, not Number",
    ],
  },
})

for (const cookieKeys of ['a-secret-that-must-not-be-shown-anywhere', [], ['short'], [NEW, 5]] as const) {
  test('cookieKeys are keys, and are not shown', async () =>
    assert.deepEqual(await problemsOf({ controllers: [] }, { cookieKeys: cookieKeys as never }), [
      'bootstrap: cookieKeys should be an array of strings, each of at least 32 characters, the newest first',
    ]))
}
