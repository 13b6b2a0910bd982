import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type ApplicationOptions,
  Body,
  bootstrap,
  type Class,
  ConnectionRegistry,
  Controller,
  Get,
  Injectable,
  On,
  Post,
  Query,
  Registry,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { type BootErrors, problemsOf, testBootErrors } from '../support/boot-errors.js'

class Dto {}

testBootErrors('the options of', {
  '@Get and its kind are known, and are what they should be': {
    module: () => {
      @Controller('/a')
      class A {
        @Get('/1', { outptu: 1 } as never) one() {}
        @Get('/2', { status: 201 } as never) two() {}
        @Get('/3', { output: Dto as never, upgrade: Dto as never }) three() {}
      }
      return [A]
    },
    problems: [
      "A.one: @Get('/1') has no option outptu: did you mean output?",
      "A.two: @Get('/2') has no option status: it knows output, upgrade, uploads, compression, host, version, summary, description, deprecated, tags",
      "A.three: @Get('/3'): output should be a Standard Schema, such as one of zod, valibot or arktype, not Dto",
      "A.three: @Get('/3'): upgrade should be an array, not Dto",
    ],
  },
  '@Sse are known, and are what they should be': {
    module: () => {
      @Sse('/a', { keepalive: 1, heartbeat: 1 } as never)
      class A {
        open() {}
      }
      @Sse('/b', { keepAlive: '15s', retry: -1, method: 'get', overflow: 'latests', sendLimit: 0 } as never)
      class B {
        open() {}
      }
      @Sse('/c', { idleTimeout: Number.POSITIVE_INFINITY, keepHeaders: [1] } as never)
      class C {
        open() {}
      }
      return [A, B, C]
    },
    problems: [
      "A: @Sse('/a') has no option keepalive: did you mean keepAlive?",
      "A: @Sse('/a') has no option heartbeat: it knows sendLimit, overflow, keepHeaders, method, keepAlive, retry, idleTimeout, output, uploads, compression, host, version, summary, description, deprecated, tags",
      "B: @Sse('/b'): keepAlive should be milliseconds, from 0 to 2147483647, not '15s'",
      "B: @Sse('/b'): retry should be milliseconds, from 0 to 2147483647, not -1",
      "B: @Sse('/b'): method should be 'GET' or 'POST' or 'PUT' or 'PATCH' or 'DELETE', not 'get'",
      "B: @Sse('/b'): overflow should be 'disconnect' or 'drop-oldest' or 'drop-newest' or 'latest', not 'latests'",
      "B: @Sse('/b'): sendLimit should be a number of bytes, above 0, not 0",
      "C: @Sse('/c'): idleTimeout should be milliseconds, from 0 to 2147483647, not Infinity",
      "C: @Sse('/c'): keepHeaders should be an array of strings, not an array",
    ],
  },
  '@WebSocket and @On are known, and are what they should be': {
    module: () => {
      @WebSocket('/a', {
        maxPayLoad: 1,
        perMessageDeflate: 'yes',
        origins: 'https://a.example',
        protocols: 'v1',
      } as never)
      class A {
        @On('x', undefined, { outputs: 1 } as never) x() {}
        @On('y', Dto as never) y() {}
      }
      return [A]
    },
    problems: [
      "A: @WebSocket('/a') has no option maxPayLoad: did you mean maxPayload?",
      "A: @WebSocket('/a'): perMessageDeflate should be true or false, not 'yes'",
      "A: @WebSocket('/a'): origins should be an array of origins, such as 'https://app.example', or '*', not 'https://a.example'",
      "A: @WebSocket('/a'): protocols should be an array of strings, not 'v1'",
      "A.x: @On('x') has no option outputs: did you mean output?",
      "A.y: @On('y'): its schema should be a Standard Schema, such as one of zod, valibot or arktype, not Dto",
    ],
  },
  '@Registry and @Injectable are known, and are what they should be': {
    module: () => {
      @Registry('a', { histroy: 5 } as never)
      class A extends ConnectionRegistry {}
      @Registry('b', { history: { counts: 5, age: 'long' } } as never)
      class B extends ConnectionRegistry {}
      @Registry('c', { history: '5' } as never)
      class C extends ConnectionRegistry {}
      @Registry('f', { presence: { hearbeat: 5, linger: -1 } } as never)
      class F extends ConnectionRegistry {}
      @Registry('g', { presence: { heartbeat: 0 } })
      class G extends ConnectionRegistry {}
      @Registry('h', { presence: true } as never)
      class H extends ConnectionRegistry {}
      @Registry('i', { events: { said: Dto } } as never)
      class I extends ConnectionRegistry {}
      @Injectable({ scope: 'request' as never })
      class D {}
      return { providers: [A, B, C, F, G, H, I, D, { token: 'e', useClass: Dto, scope: 'singelton' as never }] }
    },
    problems: [
      "A: @Registry('a') has no option histroy: did you mean history?",
      "B: @Registry('b'): history has no option counts: did you mean count?",
      "B: @Registry('b'): history: age should be milliseconds, from 0 to 2147483647, not 'long'",
      "C: @Registry('c'): history should be a number of events, false, or { count, bytes, age }, not '5'",
      "F: @Registry('f'): presence has no option hearbeat: did you mean heartbeat?",
      "F: @Registry('f'): presence: linger should be milliseconds, from 0 to 2147483647, not -1",
      "G: @Registry('g'): presence: heartbeat should be milliseconds, from 10 to 2147483647, not 0",
      "H: @Registry('h'): presence should be an object of options, not true",
      "I: @Registry('i'): events should be an object of Standard Schemas, by the name of the event, not an object",
      "D: @Injectable(): scope should be 'singleton' or 'transient' or 'connection', not 'request'",
      "AppModule: the provider of 'e': scope should be 'singleton' or 'transient' or 'connection', not 'singelton'",
    ],
  },
  '@Body are known, and no class is taken for a schema': {
    module: () => {
      @Controller('/a')
      class A {
        @Post('/1') one(@Body({ limits: 5 } as never) _: unknown) {}
        @Post('/2') two(@Body({ as: 'xml', limit: '1mb' } as never) _: unknown) {}
        @Post('/3') three(@Body(Dto as never) _: unknown) {}
        @Get('/4') four(@Query('page', Number as never) _: unknown) {}
      }
      return [A]
    },
    problems: [
      'A.one: @Body() has no option limits: did you mean limit?',
      "A.two: @Body(): as should be 'json' or 'form' or 'text' or 'raw', not 'xml'",
      "A.two: @Body(): limit should be a number of bytes, above 0, not '1mb'",
      'A.three: @Body(Dto): its schema should be a Standard Schema, such as one of zod, valibot or arktype, not Dto',
      "A.four: @Query('page'): its schema should be a Standard Schema, such as one of zod, valibot or arktype, not Number",
    ],
  },
  'a path are not its first argument': {
    module: () => {
      @Controller({ path: '/a' } as never)
      class A {
        @Get(5 as never) get() {}
      }
      @WebSocket({ maxPayload: 5 } as never)
      class B {
        @On(undefined as never) x() {}
      }
      return [A, B]
    },
    problems: [
      'A: @Controller({ … }): its first argument should be a string, not an object',
      'A.get: @Get(5): its first argument should be a string, not 5',
      'B: @WebSocket({ … }): its first argument should be a string, not an object',
      'B.x: @On(): its first argument should be a string, not undefined',
    ],
  },
} satisfies BootErrors)

describe('the options of bootstrap', () => {
  @Controller('/a')
  class A {
    @Get() get() {}
  }
  const AppModule: Class = moduleOf({ controllers: [A] })

  const cases: [options: object, problems: string[]][] = [
    [{ prot: 3000 }, ['bootstrap has no option prot: did you mean port?']],
    [{ maxHeader: 1 }, ['bootstrap has no option maxHeader: did you mean maxHeaders?']],
    [{ PREFIX: '/a' }, ['bootstrap has no option PREFIX: did you mean prefix?']],
    [{ workers: 0 }, ["bootstrap: workers should be 'auto', or a whole number, above 0, not 0"]],
    [{ workers: 'all' }, ["bootstrap: workers should be 'auto', or a whole number, above 0, not 'all'"]],
    [{ port: 65_536 }, ['bootstrap: port 65536 is no port: give a number from 0 to 65535']],
    [{ port: '3000x' }, ['bootstrap: port "3000x" is no port: give a number from 0 to 65535']],
    [{ port: '' }, ['bootstrap: port "" is no port: give a number from 0 to 65535']],
    [{ port: 80.5 }, ['bootstrap: port 80.5 is no port: give a number from 0 to 65535']],
    [{ port: -1 }, ['bootstrap: port -1 is no port: give a number from 0 to 65535']],
    [{ closingSlash: 'keep' }, ["bootstrap: closingSlash should be 'ignore' or 'strict' or 'redirect', not 'keep'"]],
    [{ deadline: '10s' }, ["bootstrap: deadline should be milliseconds, from 0 to 2147483647, not '10s'"]],
    [{ bodyLimit: '1mb' }, ["bootstrap: bodyLimit should be a number of bytes, above 0, not '1mb'"]],
    [{ maxConnections: 0 }, ['bootstrap: maxConnections should be a whole number, above 0, not 0']],
    [{ guards: () => true }, ['bootstrap: guards should be an array, not guards']],
    [{ use: [undefined] }, ['bootstrap: use should be an array of functions, not an array']],
    [{ eventLog: {} }, ['bootstrap: eventLog should be a function, not an object']],
    [
      { logger: { log() {} } },
      ['bootstrap: logger should be an object with the methods debug, info, warn and error, not an object'],
    ],
    [{ signals: 'SIGTERM' }, ["bootstrap: signals should be true or false, not 'SIGTERM'"]],
    [{ prefix: ['/api'] }, ['bootstrap: prefix should be a string, not an array']],
  ]
  for (const [options, problems] of cases) {
    const shown = Object.entries(options).map(([key, value]) => `${key}: ${JSON.stringify(value) ?? 'a function'}`)
    test(`P3: that are { ${shown} } are refused`, async () =>
      assert.deepEqual(await problemsOf(AppModule, options as ApplicationOptions), problems))
  }

  const strange = ['app.example', 'https://app.example/', 'https://App.example', 'https://app.example:443', '*', 7]
  for (const origin of strange) {
    test(`P3: P9: no browser has the origin ${origin}`, async () =>
      assert.deepEqual(await problemsOf(AppModule, { origins: [origin] } as ApplicationOptions), [
        "bootstrap: origins should be an array of origins, such as 'https://app.example', or '*', not an array",
      ]))
  }

  test('P9: origins have a scheme, a host, and a port that is not the usual one; or they are null', async () => {
    const origins = ['https://app.example', 'http://localhost:5173', 'http://[::1]:8080', 'app://own', 'null']
    await (await bootstrap(AppModule, { listen: false, origins })).close()
  })

  test('P3: are an object', async () => {
    for (const options of [3000, null]) {
      const refused = { problems: [`bootstrap takes an object of options, not ${options}`] }
      await assert.rejects(bootstrap(AppModule, options as never), refused)
    }
  })

  test('come behind a module', async () => {
    const problems = ['bootstrap was given undefined, which is no module: give it a class marked @Module({ … })']
    await assert.rejects(bootstrap(undefined as never, { port: 0 }), { problems })
  })

  test('may be undefined, as where they are read from the environment', async () => {
    const app = await bootstrap(AppModule, { port: 0, prefix: undefined, deadline: undefined } as never)
    assert.equal(app.routes[0]?.pattern, '/a')
    await app.close()
  })
})
