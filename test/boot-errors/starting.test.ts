import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  bootstrap,
  ConfigurationError,
  Controller,
  Get,
  Injectable,
  Module,
  type Provider,
  StartError,
} from '../../src/index.js'
import { LogBook } from '../support/app.js'
import { moduleOf } from '../support/apps.js'

const reason = new Error('connect ECONNREFUSED')
const fail = (): never => {
  throw reason
}
class Refused {
  constructor() {
    fail()
  }
}
@Injectable()
class Unready {
  async onStart() {
    fail()
  }
}
@Controller()
class Page {
  constructor() {
    throw 'no page'
  }
  @Get()
  show() {
    return 1
  }
}
@Module({ providers: [{ token: 'pool', useFactory: async () => fail() }] })
class Data {}
@Module({ imports: [Data] })
class Around {}

const cure = 'mend what the cause tells of, or list another provider in overrides'
const log = new LogBook()
const starting = (module: Parameters<typeof bootstrap>[0]) =>
  bootstrap(module, { listen: false, logger: log }).then(
    () => assert.fail('it started'),
    (error: unknown) => error,
  )

describe('what fails at the start is named, and where it is listed', () => {
  const of = (...providers: Provider[]) => moduleOf({ providers })
  const made = { token: Symbol('made'), useFactory: () => ({ onStart: fail }) }
  const cases = {
    'a constructor': [of(Refused), `AppModule: the constructor of Refused failed: ${reason.message}: ${cure}`],
    'one of a provider by token': [
      of({ token: 'store', useClass: Refused }),
      `AppModule: the constructor of Refused failed: ${reason.message}: ${cure}`,
    ],
    'a controller that throws no Error': [
      moduleOf({ controllers: [Page] }),
      `AppModule: the constructor of Page failed: no page: ${cure}`,
    ],
    'a factory of an imported module': [Around, `Data: the factory of 'pool' failed: ${reason.message}: ${cure}`],
    'a factory of a class': [
      of({ token: Unready, useFactory: fail }),
      `AppModule: the factory of Unready failed: ${reason.message}: ${cure}`,
    ],
    onStart: [of(Unready), `AppModule: Unready.onStart failed: ${reason.message}: ${cure}`],
    'onStart of what a factory made': [
      of(made as Provider),
      `AppModule: onStart of what the factory of Symbol(made) made failed: ${reason.message}: ${cure}`,
    ],
  } as const
  for (const [what, [module, message]] of Object.entries(cases)) {
    test(what, async () => {
      const error = await starting(module)
      assert.ok(error instanceof StartError)
      assert.equal(error.message, message)
      assert.equal(error.cause, what.includes('no Error') ? 'no page' : reason)
    })
  }

  test('what is refused at all addresses of a host is told by its code', async () => {
    const cause = Object.assign(new AggregateError([reason]), { code: 'ECONNREFUSED' })
    const error = await starting(of({ token: 'pool', useFactory: () => Promise.reject(cause) }))
    assert.ok(error instanceof StartError)
    assert.equal(error.message, `AppModule: the factory of 'pool' failed: ECONNREFUSED: ${cure}`)
    assert.equal(error.cause, cause)
  })

  test('what it says itself of its configuration stands as it is', async () => {
    const wrong = new ConfigurationError(['redisEventLog has no option patients'])
    assert.equal(await starting(of({ token: 'log', useFactory: () => Promise.reject(wrong) })), wrong)
  })
})

describe('what does not come to an end at the start is told of', () => {
  const hangs = () => new Promise<never>(() => {})
  @Injectable()
  class Waiting {
    onStart = hangs
  }
  const cases = {
    'a factory': [{ token: 'pool', useFactory: hangs }, "the factory of 'pool'"],
    onStart: [Waiting, 'Waiting.onStart'],
  } as const
  for (const [what, [provider, name]] of Object.entries(cases)) {
    test(what, async t => {
      const log = new LogBook()
      const { mock } = t.mock.method(globalThis, 'setTimeout')
      bootstrap(moduleOf({ providers: [provider] }), { listen: false, logger: log })
      for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
      const [due] = mock.calls.filter(call => call.arguments[1] === 10_000)
      clearTimeout(due?.result)
      assert.deepEqual(log.warnings, [])
      due?.arguments[0]()
      assert.deepEqual(log.warnings, [
        `AppModule: ${name} has not settled for 10 seconds, and nothing that comes behind it starts before: give what it waits for a limit of time`,
      ])
    })
  }
})
