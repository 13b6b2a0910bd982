import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  Body,
  type Context,
  Controller,
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

function raise(error: unknown): never {
  throw error
}
