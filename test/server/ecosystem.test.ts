/** The middleware that people use, on requests, event streams and upgrades: one application with all of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import cors from 'cors'
import { rateLimit } from 'express-rate-limit'
import session, { MemoryStore, type SessionData } from 'express-session'
import helmet from 'helmet'
import { Passport, Strategy } from 'passport'
import {
  type ApplicationOptions,
  Body,
  ContextKey,
  Controller,
  Ctx,
  fromContext,
  Get,
  Guard,
  type Middleware,
  Post,
  type RequestContext,
  Sse,
  tooManyRequests,
  unauthorized,
  WebSocket,
} from '../../src/index.js'
import { rawRequest } from '../support/raw-peer.js'
import { type Answer, send } from '../support/send.js'
import { serve } from '../support/serve.js'
import { handshake, WebSocketPeer } from '../support/websocket-peer.js'

/** What `express-session` and `passport` leave in a request. */
type WithSession = RequestContext['request'] & {
  session: SessionData & { name?: string }
  user?: { name: string }
  logIn(user: object, done: (error?: unknown) => void): void
}

const sessionOf = ({ request }: RequestContext) => (request as WithSession).session
const name = new ContextKey<string>('name')
const Name = fromContext(context => context.get(name))

/** A guard that knows who has a session: on requests, event streams and handshakes alike. */
function signedIn(context: RequestContext) {
  const found = sessionOf(context)?.name
  if (found === undefined) return unauthorized('sign in')
  context.set(name, found)
  return true
}

@Controller()
class Pages {
  @Get('/open') open() {
    return 'open'
  }
  @Post('/sign-in') signIn(@Ctx() context: RequestContext, @Body() body: { name: string }) {
    sessionOf(context).name = body.name
    return { signedIn: body.name }
  }
  @Get('/me') @Guard(signedIn as never) me(@Name() me: string) {
    return me
  }
}

@Sse('/events')
@Guard(signedIn as never)
class Events {
  open(_stream: unknown, @Name() me: string) {
    return `hello ${me}`
  }
}

@WebSocket('/socket')
@Guard(signedIn as never)
class Sockets {
  open(_socket: unknown, @Name() me: string) {
    return `hello ${me}`
  }
}

@WebSocket('/free')
class Free {
  open() {
    return 'hello'
  }
}

const controllers = [Pages, Events, Sockets, Free]
const asMiddleware = (middleware: unknown) => middleware as Middleware
const cookieOf = ({ headers }: Answer) => headers['set-cookie']?.[0]?.split(';')[0] ?? ''

describe('express-session', () => {
  const options = (): ApplicationOptions => ({
    use: [asMiddleware(session({ secret: 'x', resave: false, saveUninitialized: false, store: new MemoryStore() }))],
  })

  test('a session that a request began is read by the guards of requests, event streams and sockets', async t => {
    const { port } = await serve(t, { controllers }, options())
    const fields = { Cookie: cookieOf(await send(port, 'POST /sign-in', { body: { name: 'Ada' } })) }
    assert.equal((await send(port, 'GET /me', { headers: fields })).text, 'Ada')
    const stream = await fetch(`http://127.0.0.1:${port}/events`, { headers: fields })
    const reader = stream.body?.getReader()
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'data: hello Ada\n\n')
    await reader?.cancel()
    const socket = await WebSocketPeer.open(port, '/socket', { fields })
    assert.equal(await socket.readText(), 'hello Ada')
    socket.raw.destroy()
  })

  test('without one, all three are refused with the same 401', async t => {
    const { port } = await serve(t, { controllers }, options())
    for (const path of ['/me', '/events']) assert.equal((await send(port, `GET ${path}`)).status, 401, path)
    assert.match(await rawRequest(port, handshake('/socket')), /^HTTP\/1\.1 401 .*"detail":"sign in"/s)
  })

  test('a handshake begins no session: its response never ends, which is when express-session would save one', async t => {
    const store = new MemoryStore()
    const use = [asMiddleware(session({ secret: 'x', resave: false, saveUninitialized: true, store }))]
    const { port } = await serve(t, { controllers }, { use })
    const socket = await WebSocketPeer.open(port, '/free')
    assert.equal(await socket.readText(), 'hello')
    assert.doesNotMatch(socket.head, /Set-Cookie/i)
    const sessions = await new Promise(resolve => store.all((_, all) => resolve(Object.keys(all ?? {}))))
    assert.deepEqual(sessions, [])
    socket.raw.destroy()
  })

  test('a secure cookie is set behind a proxy that ends TLS', async t => {
    const secure = session({ secret: 'x', resave: false, saveUninitialized: true, cookie: { secure: true } })
    const { port } = await serve(t, { controllers }, { use: [asMiddleware(secure)], trustProxy: 1 })
    assert.equal(cookieOf(await send(port, 'GET /open')), '')
    const headers = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https' }
    assert.match(cookieOf(await send(port, 'GET /open', { headers })), /^connect\.sid=/)
  })
})

describe('express-rate-limit', () => {
  // Its own 429, its newer fields and two of its checks use what only Express has: `response.send`, `append`, `request.app`.
  const limiter = () =>
    rateLimit({
      windowMs: 60_000,
      limit: 2,
      standardHeaders: 'draft-6',
      validate: { trustProxy: false, xForwardedForHeader: false },
      handler: (_request, _response, next) => next(tooManyRequests('slow down')),
    })
  const limited = (t: { mock: typeof test.mock }, options: ApplicationOptions = {}) => {
    const errors = t.mock.method(console, 'error', () => {})
    return { errors, options: { use: [asMiddleware(limiter())], ...options } satisfies ApplicationOptions }
  }

  test('counts upgrades too, and refuses them with an ordinary 429', async t => {
    const { errors, options } = limited(t)
    const { port } = await serve(t, { controllers }, options)
    const socket = await WebSocketPeer.open(port, '/free')
    assert.match(socket.head, /RateLimit-Remaining: 1/i)
    socket.raw.destroy()
    assert.equal((await send(port, 'GET /open')).status, 200)
    const refused = await rawRequest(port, handshake('/free'))
    assert.match(refused, /^HTTP\/1\.1 429 Too Many Requests\r\n/)
    assert.match(refused, /\r\nRetry-After: \d+\r\n/i)
    assert.match(refused, /\r\nConnection: close\r\n/i)
    assert.match(refused, /"detail":"slow down"/)
    assert.equal((await send(port, 'GET /events')).status, 429)
    assert.deepEqual(
      errors.mock.calls.map(call => String(call.arguments[0])),
      [],
    )
  })

  test('tells peers apart behind a trusted proxy', async t => {
    const { errors, options } = limited(t, { trustProxy: 1 })
    const { port } = await serve(t, { controllers }, options)
    const statuses: number[] = []
    for (const address of ['203.0.113.1', '203.0.113.1', '203.0.113.1', '203.0.113.2'])
      statuses.push((await send(port, 'GET /open', { headers: { 'X-Forwarded-For': address } })).status)
    assert.deepEqual(statuses, [200, 200, 429, 200])
    assert.deepEqual(
      errors.mock.calls.map(call => String(call.arguments[0])),
      [],
    )
  })
})

describe('passport', () => {
  class Tokens extends Strategy {
    override name = 'token'
    override authenticate(request: Parameters<Strategy['authenticate']>[0]) {
      const user = /^Bearer (\w+)$/.exec(request.headers.authorization ?? '')?.[1]
      if (user === undefined) this.fail('Bearer', 401)
      else this.success({ name: user })
    }
  }

  const user = (context: RequestContext) => (context.request as WithSession).user?.name
  function known(context: RequestContext) {
    const found = user(context)
    if (found === undefined) return unauthorized()
    context.set(name, found)
    return true
  }

  @Controller()
  class Account {
    @Post('/log-in') async logIn(@Ctx() { request }: RequestContext) {
      await new Promise<void>((resolve, reject) =>
        (request as WithSession).logIn({ name: 'Ada' }, error => (error ? reject(error) : resolve())),
      )
      return 'in'
    }
    @Get('/me') @Guard(known as never) me(@Name() me: string) {
      return me
    }
  }

  @Sse('/events')
  @Guard(known as never)
  class AccountEvents {
    open(_: unknown, @Name() me: string) {
      return `hello ${me}`
    }
  }

  @WebSocket('/socket')
  @Guard(known as never)
  class AccountSocket {
    open(_: unknown, @Name() me: string) {
      return `hello ${me}`
    }
  }

  const accounts = [Account, AccountEvents, AccountSocket]
  type Fields = Record<string, string>

  async function greet(port: number, fields: Fields, who: string) {
    assert.equal((await send(port, 'GET /me', { headers: fields })).text, who)
    const stream = await fetch(`http://127.0.0.1:${port}/events`, { headers: fields })
    const reader = stream.body?.getReader()
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), `data: hello ${who}\n\n`)
    await reader?.cancel()
    const socket = await WebSocketPeer.open(port, '/socket', { fields })
    assert.equal(await socket.readText(), `hello ${who}`)
    socket.raw.destroy()
  }

  test('a strategy authenticates requests, event streams and handshakes, and refuses them', async t => {
    const auth = new Passport()
    auth.use(new Tokens())
    const use = [asMiddleware(auth.initialize()), asMiddleware(auth.authenticate('token', { session: false }))]
    const { port } = await serve(t, { controllers: accounts }, { use })
    await greet(port, { Authorization: 'Bearer Grace' }, 'Grace')
    const refused = await send(port, 'GET /me')
    assert.deepEqual([refused.status, refused.headers['www-authenticate']], [401, 'Bearer'])
    assert.match(await rawRequest(port, handshake('/socket')), /^HTTP\/1\.1 401 Unauthorized\r\n/)
  })

  test('a session that passport keeps is known to the guard of a socket', async t => {
    const auth = new Passport()
    auth.serializeUser((user, done) => done(null, (user as { name: string }).name))
    auth.deserializeUser((name, done) => done(null, { name: String(name) }))
    const use = [
      asMiddleware(session({ secret: 'x', resave: false, saveUninitialized: false })),
      asMiddleware(auth.session()),
    ]
    const { port } = await serve(t, { controllers: accounts }, { use })
    const fields = { Cookie: cookieOf(await send(port, 'POST /log-in')) }
    await greet(port, fields, 'Ada')
    assert.match(await rawRequest(port, handshake('/socket')), /^HTTP\/1\.1 401 /)
  })
})

describe('helmet and cors', () => {
  test('their fields are on replies, event streams, the 101 and refused handshakes', async t => {
    const use = [asMiddleware(helmet()), asMiddleware(cors({ origin: 'https://app.example', credentials: true }))]
    const { port } = await serve(t, { controllers }, { use })
    const socket = await WebSocketPeer.open(port, '/free')
    const heads = [
      JSON.stringify((await send(port, 'GET /open')).headers),
      JSON.stringify((await send(port, 'GET /events')).headers),
      await rawRequest(port, handshake('/nowhere')),
      await rawRequest(port, handshake('/free', { Origin: 'https://evil.example' })),
      socket.head,
    ]
    socket.raw.destroy()
    for (const head of heads) {
      assert.match(head, /content-security-policy/i)
      assert.match(head, /access-control-allow-origin/i)
    }
  })

  test('a preflight for an event stream is answered, and does not open it', async t => {
    const { port } = await serve(t, { controllers }, { use: [asMiddleware(cors())] })
    const headers = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'GET' }
    assert.equal((await send(port, 'OPTIONS /events', { headers })).status, 204)
  })
})
