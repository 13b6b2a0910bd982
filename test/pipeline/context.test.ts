import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  All,
  type Context,
  ContextKey,
  Controller,
  Ctx,
  compose,
  fromContext,
  Get,
  Guard,
  type GuardLike,
  Module,
} from '../../src/index.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'
import { withResolvers } from '../support/with-resolvers.js'

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
    const { promise: left, resolve: hasLeft } = withResolvers<boolean>()
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
