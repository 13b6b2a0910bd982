import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  All,
  Body,
  type Context,
  ContextKey,
  Controller,
  Ctx,
  compose,
  fromContext,
  Get,
  Guard,
  type Guard as GuardClass,
  type GuardLike,
  Injectable,
  Intercept,
  type Interceptor,
  type InterceptorLike,
  Module,
  Post,
  reply,
  unauthorized,
} from '../../src/index.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'

describe('guards', () => {
  test('run from the outside in: application, module, class, method', async t => {
    const order: string[] = []
    const notes = (who: string) => () => {
      order.push(who)
      return true
    }
    const notesLater = (who: string) => async () => notes(who)()

    @Controller()
    @Guard(notes('class 1'), notesLater('class 2'))
    class Guarded {
      @Get() @Guard(notesLater('method 1')) @Guard(notes('method 2')) show() {
        order.push('handler')
        return 'shown'
      }
    }
    @Module({ controllers: [Guarded] })
    @Guard(notesLater('module'))
    class Inner {}
    const { port } = await serve(t, { imports: [Inner] }, { guards: [notes('app')] })
    assert.equal((await send(port, 'GET /')).text, 'shown')
    assert.deepEqual(order, ['app', 'module', 'class 1', 'class 2', 'method 1', 'method 2', 'handler'])
  })

  const answers: [what: string, guard: GuardLike, status: number, logged: RegExp | undefined][] = [
    ['true', () => true, 200, undefined],
    ['a promise of true', async () => true, 200, undefined],
    ['false', () => false, 403, undefined],
    ['a promise of false', async () => false, 403, undefined],
    ['an HttpError', () => unauthorized(), 401, undefined],
    ['a promise of an HttpError', async () => unauthorized(), 401, undefined],
    ['a reply', () => reply('elsewhere', { status: 303, headers: { Location: '/' } }), 303, undefined],
    ['a thrown HttpError', () => raise(unauthorized()), 401, undefined],
    ['a thrown reply', () => raise(reply('teapot', { status: 418 })), 418, undefined],
    ['a rejected HttpError', async () => raise(unauthorized()), 401, undefined],
    ['a thrown error', () => raise(new Error('secret')), 500, /secret/],
    ['a rejection', async () => raise(new Error('secret')), 500, /secret/],
    ['undefined', (() => undefined) as never, 500, /answered undefined: return true to admit/],
    ['a truthy string', (() => 'yes') as never, 500, /answered a string/],
    ['a reply that cannot be written', () => reply('', { status: 400, headers: { 'X-A': '\n' } }), 500, /Invalid/],
  ]
  for (const [what, guard, status, logged] of answers) {
    test(`${what} from a guard is ${status}`, async t => {
      let ran = false
      @Controller()
      class Guarded {
        @Get() @Guard(guard) show() {
          ran = true
          return 'shown'
        }
      }
      const { port, log } = await serve(t, { controllers: [Guarded] })
      const answer = await send(port, 'GET /')
      assert.equal(answer.status, status)
      assert.equal(ran, status === 200)
      assert.doesNotMatch(answer.text, /secret/)
      if (logged === undefined) assert.deepEqual(log, [])
      else assert.match(log.map(line => String(line.details)).join(), logged)
    })
  }

  test('a class guards with what is injected into it, and behind a guard that refuses nothing runs', async t => {
    @Injectable()
    class Tokens {
      readonly known = new Set(['word'])
    }
    let asked = 0
    @Injectable()
    class KnowsTheWord implements GuardClass {
      constructor(private readonly tokens: Tokens) {}
      admit(context: Context) {
        return this.tokens.known.has(context.header('X-Word') ?? '') || unauthorized()
      }
    }
    @Controller()
    class Guarded {
      @Post()
      @Guard(KnowsTheWord, () => {
        asked++
        return true
      })
      show(@Body() body: unknown) {
        return body
      }
    }
    const { port } = await serve(t, { controllers: [Guarded], providers: [Tokens] })
    const broken = { headers: { 'Content-Type': 'application/json' }, body: '{' }
    assert.equal((await send(port, 'POST /', broken)).status, 401, 'before the body is looked at')
    assert.equal(asked, 0)
    assert.equal((await send(port, 'POST /', { headers: { 'X-Word': 'word' }, body: [1] })).text, '[1]')
  })
})

describe('interceptors', () => {
  const wraps =
    (order: string[], who: string): InterceptorLike =>
    async (_, next) => {
      order.push(`${who} in`)
      const result = await next()
      order.push(`${who} out`)
      return result
    }

  test('wrap the handler, the application’s outermost', async t => {
    const order: string[] = []
    @Injectable()
    class AsClass implements Interceptor {
      async intercept(_: Context, next: () => Promise<unknown>) {
        order.push('class in')
        const result = await next()
        order.push('class out')
        return result
      }
    }
    @Controller()
    @Intercept(AsClass)
    class Wrapped {
      @Get() @Intercept(wraps(order, 'method')) show() {
        order.push('handler')
        return 'shown'
      }
    }
    const { port } = await serve(t, { controllers: [Wrapped] }, { interceptors: [wraps(order, 'app')] })
    assert.equal((await send(port, 'GET /')).text, 'shown')
    assert.deepEqual(order, ['app in', 'class in', 'method in', 'handler', 'method out', 'class out', 'app out'])
  })

  const rows: [what: string, interceptor: InterceptorLike, status: number, text: RegExp][] = [
    ['may replace the result', async (_, next) => ({ wrapped: await next() }), 200, /^\{"wrapped":"shown"\}$/],
    ['may answer in place of the handler', () => 'cached', 200, /^cached$/],
    ['may refuse', () => unauthorized(), 401, /Unauthorized/],
    ['may fail', () => raise(new Error('secret')), 500, /Internal Server Error/],
    ['may call next() once only', async (_, next) => [await next(), await next()], 500, /Internal Server Error/],
    ['may return next() itself', (_, next) => next(), 200, /^shown$/],
  ]
  for (const [what, interceptor, status, text] of rows) {
    test(`an interceptor ${what}`, async t => {
      @Controller()
      class Wrapped {
        @Get() @Intercept(interceptor) show() {
          return 'shown'
        }
      }
      const { port } = await serve(t, { controllers: [Wrapped] })
      const answer = await send(port, 'GET /')
      assert.equal(answer.status, status)
      assert.match(answer.text, text)
    })
  }

  test('an interceptor may catch what the handler throws, and may ignore how it ends', async t => {
    @Controller()
    class Wrapped {
      @Get('/caught') @Intercept((_, next) => next().catch((error: Error) => `caught ${error.message}`)) caught() {
        throw new Error('it')
      }
      @Get('/ignored')
      @Intercept((_, next) => {
        next()
        return 'went on'
      })
      async ignored() {
        throw new Error('unheard')
      }
    }
    const { port, log } = await serve(t, { controllers: [Wrapped] })
    assert.equal((await send(port, 'GET /caught')).text, 'caught it')
    assert.equal((await send(port, 'GET /ignored')).text, 'went on')
    assert.deepEqual(log, [])
  })
})

describe('the context of an exchange', () => {
  interface Account {
    readonly name: string
  }
  const account = new ContextKey<Account>('account')
  const Me = fromContext(context => context.get(account)?.name)
  const signsIn: GuardLike = context => {
    context.set(account, { name: context.header('x-name') ?? 'nobody' })
    return true
  }
  const MyGet = (path: string) => compose(Get(path), Guard(signsIn))

  @Controller('/users/:user')
  class Contexts {
    @MyGet('/me') me(@Me() name: string) {
      return { name }
    }
    @All('/all/*rest') show(@Ctx() context: Context) {
      const { method, path, params, query, remoteAddress } = context
      const originalPath = 'originalPath' in context ? context.originalPath : undefined
      return { method, path, originalPath, params, query, remoteAddress, route: context.route.name }
    }
    @Get('/fields') fields(@Ctx() context: Context) {
      const names = ['X-List', 'x-none', 'Constructor', '__proto__', 'cookie']
      return names.map(name => context.header(name) ?? null)
    }
  }
  @Module({ controllers: [Contexts], prefix: '/tenants/:tenant' })
  class Tenants {}

  test('carries what guards leave to the parameters that ask for it', async t => {
    const { port } = await serve(t, { imports: [Tenants] })
    const answers = await Promise.all(
      ['Ada', 'Grace'].map(name => send(port, 'GET /tenants/1/users/2/me', { headers: { 'X-Name': name } })),
    )
    assert.deepEqual(
      answers.map(answer => answer.json()),
      [{ name: 'Ada' }, { name: 'Grace' }],
      'each its own',
    )
  })

  test('knows what was asked for, with and without the prefixes, however long their values are', async t => {
    const { port } = await serve(t, { imports: [Tenants] }, { prefix: '/api' })
    const path = '/api/tenants/a-long-name/users/%C3%A9/all/x/y%2Fz'
    assert.deepEqual((await send(port, `PUT ${path}?a=1&a=2&b=%20&__proto__=c`)).json(), {
      method: 'PUT',
      path: '/users/%C3%A9/all/x/y%2Fz',
      originalPath: path,
      params: { tenant: 'a-long-name', user: 'é', rest: 'x/y/z' },
      query: JSON.parse('{"a":["1","2"],"b":" ","__proto__":"c"}'),
      remoteAddress: '127.0.0.1',
      route: 'Contexts.show',
    })
  })

  test('P9: gives the fields that were sent, and never one that was not', async t => {
    const { port } = await serve(t, { imports: [Tenants] })
    const headers = { 'X-List': ['a', 'b'], Cookie: ['c=1', 'd=2'] }
    const answer = await send(port, 'GET /tenants/1/users/2/fields', { headers })
    assert.deepEqual(answer.json(), ['a, b', null, null, null, 'c=1; d=2'])

    @Controller()
    class Origins {
      @Get() show(@Ctx() context: Context) {
        return { origin: context.header('origin') ?? null, fields: Object.keys(context.headers) }
      }
    }
    const origins = await serve(t, { controllers: [Origins] })
    const given = (await send(origins.port, 'GET /')).json()
    assert.deepEqual(given, { origin: null, fields: ['host', 'connection'] })
  })

  test('its signal aborts when the peer leaves, and when the reply is sent', async t => {
    const signals: AbortSignal[] = []
    const { promise: left, resolve: hasLeft } = withResolvers()
    @Controller()
    class Signals {
      @Get('/done') done(signal: AbortSignal) {
        signals.push(signal)
        return { aborted: signal.aborted }
      }
      @Get('/waits') async waits(signal: AbortSignal) {
        signals.push(signal)
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        hasLeft(signal.aborted)
        return 'unheard'
      }
    }
    const { port, log } = await serve(t, { controllers: [Signals] })
    assert.deepEqual((await send(port, 'GET /done')).json(), { aborted: false })
    const controller = new AbortController()
    const request = fetch(`http://127.0.0.1:${port}/waits`, { signal: controller.signal })
    const failed = assert.rejects(request, { name: 'AbortError' })
    while (signals.length < 2) await new Promise(resolve => setImmediate(resolve))
    controller.abort()
    await failed
    assert.equal(await left, true)
    assert.deepEqual(log, [])
  })
})

function withResolvers() {
  let resolve: (value: unknown) => void = () => {}
  const promise = new Promise(done => {
    resolve = done
  })
  return { promise, resolve }
}

function raise(error: unknown): never {
  throw error
}
