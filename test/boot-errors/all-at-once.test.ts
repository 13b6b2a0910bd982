import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import * as palomino from '../../src/index.js'
import {
  bootstrap,
  ConfigurationError,
  Controller,
  Get,
  Injectable,
  Module,
  Param,
  readRoutes,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { problemsOf } from '../support/boot-errors.js'
import { root } from '../support/paths.js'

abstract class Store {}
let made = 0

@Injectable()
class Counted {
  constructor() {
    made++
  }
}

@Controller('/users')
class Users {
  constructor(readonly store: Store) {}
  @Get('/:id') show(@Param('name') _: string) {}
  @Get('/:id') again() {}
}

describe('what is wrong at boot', () => {
  const Broken = moduleOf({ controllers: [Users], providers: [Counted] })
  const problems = [
    'bootstrap has no option hots: did you mean host?',
    'Users needs Store, which no module provides: add Store to the providers of AppModule',
    'GET /users/:id is declared twice, by Users.show and by Users.again: give one another path or method',
    "Users.show: @Param('name') names nothing in its path, which has :id",
  ]

  test('is told all at once, in one error that lists it', async () => {
    const error = await bootstrap(Broken, { hots: 'localhost' } as never).catch((reason: unknown) => reason)
    assert.ok(error instanceof ConfigurationError)
    assert.deepEqual(error.problems, problems)
    assert.equal(error.message, `4 problems:\n${problems.map(problem => `- ${problem}`).join('\n')}`)
    assert.equal(new ConfigurationError(['one']).message, 'one')
    for (const problem of problems) assert.equal(inspect(error).split(problem).length, 2, 'printed once')
  })

  test('is told before anything is made, and before anything listens', async () => {
    const taken = createServer().listen(0)
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    await assert.rejects(bootstrap(Broken, { port }), ConfigurationError)
    taken.close()
    assert.equal(made, 0)
    assert.deepEqual(
      ['SIGTERM', 'SIGINT'].map(signal => process.listenerCount(signal)),
      [0, 0],
    )
  })

  test('is told when the route table is read, too', () => {
    assert.throws(() => readRoutes(Broken), { name: 'ConfigurationError', problems: problems.slice(1) })
  })
})

describe('two copies of the package', () => {
  let folder: string
  let copy: typeof palomino

  before(async () => {
    folder = await mkdtemp(join(root, 'dist/copy-'))
    await cp(join(root, 'dist/src'), folder, { recursive: true })
    copy = await import(pathToFileURL(join(folder, 'index.js')).href)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const told = (name: string) =>
    `${name} was declared with another copy of palomino (${folder}/) than the one that runs (${join(root, 'dist/src')}/): keep one version of it in node_modules (npm ls palomino)`

  test('are told apart by the module', async () => {
    @copy.Module({})
    class AppModule {}
    assert.deepEqual(await problemsOf(AppModule), [told('AppModule')])
  })

  test('are told apart by controllers, providers and registries', async () => {
    @copy.Controller('/a')
    class A {
      @copy.Get() get() {}
    }
    @copy.Injectable()
    class B {}
    @copy.Registry('c')
    class C extends copy.ConnectionRegistry {}
    assert.deepEqual(await problemsOf({ controllers: [A], providers: [B, C] }), [told('A'), told('B'), told('C')])
  })
})

describe('decorators of the TC39 standard', () => {
  const cure =
    'which knows no parameters and no types: set "experimentalDecorators" and "emitDecoratorMetadata" in tsconfig.json (swc: "legacyDecorator" and "decoratorMetadata")'
  const cases: [name: string, decorator: unknown, context: { kind: string; name: string }][] = [
    ['@Get', Get('/'), { kind: 'method', name: 'show' }],
    ['@On', palomino.On('x'), { kind: 'method', name: 'x' }],
    ['@Status', palomino.Status(201), { kind: 'method', name: 'add' }],
    ['@Guard on a method', palomino.Guard(() => true), { kind: 'method', name: 'show' }],
    ['@Guard on a class', palomino.Guard(() => true), { kind: 'class', name: 'Users' }],
    ['@Controller', Controller('/users'), { kind: 'class', name: 'Users' }],
    ['@Sse', palomino.Sse('/ticks'), { kind: 'class', name: 'Ticks' }],
    ['@WebSocket', palomino.WebSocket('/echo'), { kind: 'class', name: 'Echo' }],
    ['@Module', Module({}), { kind: 'class', name: 'AppModule' }],
    ['@Registry', palomino.Registry('x'), { kind: 'class', name: 'Rooms' }],
    ['@Injectable', Injectable(), { kind: 'class', name: 'Service' }],
    ['compose', palomino.compose(Get('/')), { kind: 'method', name: 'list' }],
  ]
  for (const [name, decorator, context] of cases) {
    test(`are told apart where ${name} is run as one`, () => {
      const target = context.kind === 'class' ? class {} : () => {}
      const run = () => (decorator as (target: unknown, context: object) => void)(target, context)
      const problem = `the ${context.kind} ${context.name} is decorated by the TC39 standard, ${cure}`
      assert.throws(run, { name: 'ConfigurationError', problems: [problem] })
    })
  }
})
