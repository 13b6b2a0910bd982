import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { describe, test } from 'node:test'
import {
  type Context,
  Controller,
  conflict,
  type ErrorMapper,
  Get,
  HttpError,
  Injectable,
  Intercept,
  MapError,
  Module,
  notFound,
  reply,
  tooManyRequests,
} from '../../src/index.js'
import { send } from '../support/send.js'
import { moduleOf, serve } from '../support/serve.js'

const internal = { type: 'about:blank', title: STATUS_CODES[500], status: 500 }

describe('errors are problem details (RFC 9457)', () => {
  const rich = () =>
    new HttpError(402, 'no credit', {
      type: 'https://example.com/credit',
      headers: { 'Retry-After': '5', 'X-List': ['a', 'b'] },
      extensions: { balance: 3, status: 999, instance: '/accounts/1' },
      cause: new Error('secret'),
    })

  @Controller()
  class Failing {
    @Get('/thrown') thrown() {
      throw rich()
    }
    @Get('/returned') returned() {
      return rich()
    }
    @Get('/rejected') async rejected() {
      throw rich()
    }
    @Get('/bare') bare() {
      return notFound()
    }
    @Get('/unknown') unknown() {
      throw Object.assign(new Error('secret'), { status: 400, expose: true, headers: { 'X-Leak': '1' } })
    }
    @Get('/nothing') nothing() {
      throw undefined
    }
    @Get('/string') string() {
      throw 'secret'
    }
    @Get('/unwritable') unwritable() {
      return conflict('', { extensions: { count: 1n } })
    }
    @Get('/injected') injected() {
      return conflict('x', { headers: { 'X-A': 'a\r\nX-Leak: 1' } })
    }
    @Get('/fine') fine() {
      return 'fine'
    }
  }

  for (const path of ['/thrown', '/returned', '/rejected']) {
    test(`an HttpError that is ${path.slice(1)} tells its detail, its extensions and its fields, and no cause`, async t => {
      const { port, log } = await serve(t, { controllers: [Failing] })
      const answer = await send(port, `GET ${path}`)
      assert.equal(answer.status, 402)
      assert.deepEqual(answer.json(), {
        type: 'https://example.com/credit',
        title: 'Payment Required',
        status: 402,
        detail: 'no credit',
        balance: 3,
        instance: '/accounts/1',
      })
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      assert.equal(answer.headers['retry-after'], '5')
      assert.equal(answer.headers['x-list'], 'a, b')
      assert.deepEqual(
        log.map(line => line.message),
        [`GET Failing.${path.slice(1)} answered 402`],
        'what the peer is not told is logged',
      )
    })
  }

  test('an HttpError without a cause has told all there is, and is not logged', async t => {
    const { port, log } = await serve(t, { controllers: [Failing] })
    assert.deepEqual((await send(port, 'GET /bare')).json(), { type: 'about:blank', title: 'Not Found', status: 404 })
    assert.deepEqual(log, [])
  })

  for (const path of ['/unknown', '/nothing', '/string', '/unwritable', '/injected']) {
    test(`P20: ${path.slice(1)}: 500 and nothing else for the peer, one line for the log, and the connection goes on`, async t => {
      const { port, log } = await serve(t, { controllers: [Failing] })
      const answer = await send(port, `GET ${path}`, { headers: { Connection: 'keep-alive' } })
      assert.equal(answer.status, 500)
      assert.deepEqual(answer.json(), internal)
      assert.equal(answer.headers['x-leak'], undefined)
      assert.equal(answer.headers.connection, 'keep-alive')
      assert.equal(log.length, 1)
      assert.match(log[0]?.message ?? '', new RegExp(`GET Failing\\.${path.slice(1)}`))
      assert.equal((await send(port, 'GET /fine')).text, 'fine')
    })
  }

  test('an HttpError has a status of an error', () => {
    for (const status of [200, 399, 600, 404.5, Number.NaN]) assert.throws(() => new HttpError(status), RangeError)
  })
})

describe('error mappers', () => {
  class Missing extends Error {}
  class MissingUser extends Missing {}

  const says = (who: string) => (error: Error) => notFound(`${who}: ${error.message}`)

  test('the innermost is asked first, and undefined passes the error on', async t => {
    const asked: string[] = []
    const passes = (who: string) => () => {
      asked.push(who)
      return undefined
    }

    @Controller()
    @MapError(Missing, passes('class'))
    class Mapped {
      @Get('/passed') @MapError(Missing, passes('method')) passed() {
        throw new Missing('x')
      }
      @Get('/method') @MapError(Missing, says('method')) method() {
        throw new Missing('x')
      }
      @Get('/descendant') @MapError(MissingUser, passes('not for this one')) descendant() {
        throw new Missing('x')
      }
    }
    @Module({ controllers: [Mapped] })
    @MapError(Missing, passes('module'))
    class Inner {}

    const { port } = await serve(t, { imports: [Inner] }, { errorMappers: [{ error: Missing, mapper: says('app') }] })
    assert.deepEqual(await detailOf(port, '/method'), 'method: x')
    assert.deepEqual(asked, [])
    assert.deepEqual(await detailOf(port, '/passed'), 'app: x')
    assert.deepEqual(asked.splice(0), ['method', 'class', 'module'])
    assert.deepEqual(await detailOf(port, '/descendant'), 'app: x')
    assert.deepEqual(asked, ['class', 'module'])
  })

  test('a class maps with what is injected into it, and may answer with a reply', async t => {
    @Injectable()
    class Words {
      readonly sorry = 'sorry'
    }
    @Injectable()
    class Politely implements ErrorMapper<Missing> {
      constructor(private readonly words: Words) {}
      map(error: Missing, context: Context) {
        const headers = { 'Content-Type': 'text/html' }
        return reply(`<p>${this.words.sorry}, no ${error.message} at ${context.path}`, { status: 404, headers })
      }
    }
    @Controller()
    class Mapped {
      @Get('/it') @MapError(Missing, Politely) it() {
        throw new MissingUser('it')
      }
    }
    const { port, log } = await serve(t, { controllers: [Mapped], providers: [Words] })
    const answer = await send(port, 'GET /it')
    assert.deepEqual([answer.status, answer.text], [404, '<p>sorry, no it at /it'])
    assert.equal(answer.headers['content-type'], 'text/html')
    assert.deepEqual(log, [])
  })

  test('a mapper may throw an HttpError, and sees those that are thrown and returned', async t => {
    @Controller()
    @MapError(HttpError, error => {
      throw tooManyRequests(`was ${error.status}`)
    })
    class Mapped {
      @Get('/thrown') thrown() {
        throw notFound()
      }
      @Get('/returned') returned() {
        return notFound()
      }
      @Get('/async') async later() {
        return notFound()
      }
    }
    const { port } = await serve(t, { controllers: [Mapped] })
    for (const path of ['/thrown', '/returned', '/async']) assert.equal(await detailOf(port, path), 'was 404')
  })

  const faults: [what: string, mapper: () => unknown, logged: RegExp][] = [
    ['throws', () => assert.fail('the mapper is broken'), /AggregateError: an error mapper failed/],
    ['answers a promise', async () => Promise.reject(new Error('late')), /AggregateError/],
    ['answers something else', () => 'hello', /AggregateError/],
  ]
  for (const [what, mapper, logged] of faults) {
    test(`a mapper that ${what} is a 500, and both failures are logged`, async t => {
      @Controller()
      class Mapped {
        @Get() @MapError(Missing, mapper as never) show() {
          throw new Missing('the first failure')
        }
      }
      const { port, log } = await serve(t, { controllers: [Mapped] })
      assert.deepEqual((await send(port, 'GET /')).json(), internal)
      assert.equal(log.length, 1)
      assert.match(String(log[0]?.details), logged)
      const errors = (log[0]?.details as AggregateError | undefined)?.errors ?? []
      assert.match(String(errors[1]), /the first failure/)
    })
  }

  test('those of the application see what fails outside of its routes', async t => {
    @Injectable()
    class Branded implements ErrorMapper<HttpError> {
      map(error: HttpError) {
        return reply(`branded ${error.status}`, { status: error.status })
      }
    }
    class Empty {}
    const { port } = await serve(
      t,
      { imports: [moduleOf({ controllers: [] })], providers: [Empty] },
      {
        errorMappers: [{ error: HttpError, mapper: Branded }],
        use: [(request, _, next) => next(request.url === '/broken' ? notFound() : undefined)],
      },
    )
    for (const [path, text] of [
      ['/nowhere', 'branded 404'],
      ['/broken', 'branded 404'],
    ])
      assert.equal((await send(port, `GET ${path}`)).text, text)
  })

  test('they see what interceptors throw, and what fails in a reply', async t => {
    @Controller()
    @MapError(Error, error => conflict(error.name))
    class Mapped {
      @Get('/intercepted') @Intercept(() => Promise.reject(new RangeError('x'))) intercepted() {}
      @Get('/unsent') unsent() {}
    }
    const { port } = await serve(t, { controllers: [Mapped] })
    assert.equal(await detailOf(port, '/intercepted'), 'RangeError')
    assert.equal(await detailOf(port, '/unsent'), 'NotSentError')
  })
})

async function detailOf(port: number, path: string) {
  return ((await send(port, `GET ${path}`)).json() as { detail: string }).detail
}
