import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import {
  type Application,
  bootstrap,
  type Class,
  Controller,
  Get,
  Injectable,
  inject,
  Module,
  type Provider,
} from '../../src/index.js'
import { Container } from '../../src/wiring/container.js'
import { define } from '../../src/wiring/definitions.js'
import { answering, moduleOf, serve } from '../support/apps.js'

/** A class that writes down what becomes of it, and what it asks for. */
function recorded(log: string[], name: string, ...needs: string[]): Provider {
  class Recorded {
    constructor(..._: unknown[]) {
      log.push(`make ${name}`)
    }
    async onStart() {
      await Promise.resolve()
      log.push(`start ${name}`)
    }
    async onStop() {
      await Promise.resolve()
      log.push(`stop ${name}`)
    }
    dispose() {
      log.push(`dispose ${name}`)
    }
  }
  for (const [index, need] of needs.entries()) inject(need)(Recorded, undefined, index)
  return { token: name, useClass: Recorded as Class }
}

const off = { listen: false } as const
const failing = (when: string) => {
  throw new Error(when)
}

describe('singletons', () => {
  test('are made eagerly, started in the order of need, stopped and disposed of in reverse', async () => {
    const log: string[] = []
    const providers = [recorded(log, 'c', 'b', 'a'), recorded(log, 'a'), recorded(log, 'b', 'a'), recorded(log, 'd')]
    const app = await bootstrap(moduleOf({ providers }), off)
    const up = ['make a', 'make b', 'make c', 'make d', 'start a', 'start b', 'start c', 'start d']
    assert.deepEqual(log.splice(0), up)
    await app.close()
    assert.deepEqual(
      log,
      ['d', 'c', 'b', 'a'].flatMap(name => [`stop ${name}`, `dispose ${name}`]),
    )
  })

  test('of imported modules come first, each module once', async () => {
    const log: string[] = []
    const shared = moduleOf({ providers: [recorded(log, 'shared')] })
    const one = moduleOf({ imports: [shared], providers: [recorded(log, 'one')] })
    const two = moduleOf({ imports: [shared], providers: [recorded(log, 'two')] })
    const app = await bootstrap(moduleOf({ imports: [one, two], providers: [recorded(log, 'app')] }), off)
    assert.deepEqual(
      log.filter(line => line.startsWith('make')),
      ['make shared', 'make one', 'make two', 'make app'],
    )
    await app.close()
  })

  test('that a factory takes from the container start before what it makes', async () => {
    const log: string[] = []
    const useFactory = (container: { resolve(token: string): unknown }) => {
      container.resolve('late')
      return { onStart: () => void log.push('start made') }
    }
    const providers = [{ token: 'made', useFactory: useFactory as never }, recorded(log, 'late')]
    const app = await bootstrap(moduleOf({ providers }), off)
    assert.deepEqual(log, ['make late', 'start late', 'start made'])
    await app.close()
  })

  test('P7: B2: have their onStart once, before anything listens', async t => {
    const seen: (string | undefined)[] = []
    @Controller('/a')
    class A {
      onStart() {
        seen.push('started')
      }
      @Get() get() {
        return seen
      }
    }
    const app = await serve(t, { controllers: [A], providers: [{ token: 'again', useToken: A }] })
    for (const _ of [1, 2]) assert.deepEqual(await (await fetch(`${app.url}/a`)).json(), ['started'])
    await app.listen({ port: 0 })
    assert.deepEqual(seen, ['started'])
  })

  test('P7: a module that has hooks is one of them, behind what it lists, and is given what it asks for', async () => {
    const log: string[] = []
    class Hooked {
      constructor(readonly name: string) {}
      onStart() {
        log.push(`start ${this.name}`)
      }
      onStop() {
        log.push(`stop ${this.name}`)
      }
    }
    @Module({ providers: [{ token: 'name', useValue: 'inner' }] })
    class Inner extends Hooked {
      constructor(@inject('name') name: string) {
        super(name)
      }
    }
    @Module({ imports: [Inner, moduleOf({ imports: [Inner] })], providers: [recorded(log, 'listed')] })
    class Outer extends Hooked {
      constructor() {
        super('outer')
      }
    }
    const app = await bootstrap(Outer, off)
    await app.close()
    const up = ['make listed', 'start listed', 'start inner', 'start outer']
    assert.deepEqual(log, [...up, 'stop outer', 'stop inner', 'stop listed', 'dispose listed'])
  })

  test('P7: B2: start and stop once, by whatever factory they are known, too', async () => {
    const log: string[] = []
    class Store {
      onStart() {
        log.push('start')
      }
      onStop() {
        log.push('stop')
      }
      dispose() {
        log.push('dispose')
      }
    }
    const store = { token: 'store', useFactory: (made: Store) => made, inject: [Store] }
    const app = await bootstrap(moduleOf({ providers: [Store, store] }), off)
    assert.equal(app.get('store'), app.get(Store))
    await app.close()
    assert.deepEqual(log, ['start', 'stop', 'dispose'])
  })

  test('P7: B2: are not reachable while one of them starts', async t => {
    const probe = await serve(t, { controllers: [answering('/')] })
    const { port } = probe
    await probe.close()
    let refused: string | undefined
    class Slow {
      async onStart() {
        refused = await new Promise(resolve => {
          const socket = connect({ port, host: '127.0.0.1' }, () => resolve('connected'))
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
        })
      }
    }
    await serve(t, { providers: [Slow] }, { port })
    assert.equal(refused, 'ECONNREFUSED')
  })
})

describe('disposal', () => {
  test('takes Symbol.asyncDispose, Symbol.dispose or dispose, the first there is, of classes and of factories', async () => {
    const log: string[] = []
    class Old {
      dispose() {
        log.push('dispose')
      }
    }
    class Sync extends Old {
      [Symbol.dispose]() {
        log.push('Symbol.dispose')
      }
    }
    class Async extends Sync {
      async [Symbol.asyncDispose]() {
        await Promise.resolve()
        log.push('Symbol.asyncDispose')
      }
    }
    const made = { token: 'made', useFactory: async () => ({ dispose: () => log.push('factory') }) }
    const app = await bootstrap(moduleOf({ providers: [Old, Sync, Async, made] }), off)
    await app.close()
    assert.deepEqual(log, ['factory', 'Symbol.asyncDispose', 'Symbol.dispose', 'dispose'])
  })

  test('leaves values to those who made them', async () => {
    const log: string[] = []
    const hook = (name: string) => () => void log.push(name)
    const useValue = { onStart: hook('start'), onStop: hook('stop'), dispose: hook('dispose') }
    const app = await bootstrap(moduleOf({ providers: [{ token: 'value', useValue }] }), off)
    await app.close()
    assert.deepEqual(log, [])
  })

  test('P6: gives up what does not settle, and goes on', async () => {
    const log: string[] = []
    class Hanging {
      onStop() {
        log.push('stop hanging')
        return new Promise(() => {})
      }
    }
    const problems: string[] = []
    const definitions = define(
      [recorded(log, 'first'), Hanging].map(provider => ({ provider, module: 'Hangs' })),
      problems,
    )
    assert.deepEqual(problems, [])
    const container = new Container(definitions, [], console)
    await container.make([...definitions.values()])
    await container.start()
    log.splice(0)
    await assert.rejects(container.stop(20), { message: 'Hanging.onStop has not settled within 20 ms: it is given up' })
    assert.deepEqual(log, ['stop hanging', 'stop first', 'dispose first'])
  })

  test('goes on past a failure, which close then rejects with', async () => {
    const log: string[] = []
    class Failing {
      onStop() {
        failing('stop')
      }
      dispose() {
        log.push('dispose failing')
      }
    }
    const app = await bootstrap(moduleOf({ providers: [recorded(log, 'first'), Failing, recorded(log, 'last')] }), off)
    log.splice(0)
    await assert.rejects(app.close(), { message: 'stop' })
    assert.deepEqual(log, ['stop last', 'dispose last', 'dispose failing', 'stop first', 'dispose first'])
  })

  test('tells all failures, where there are several', async () => {
    class One {
      onStop() {
        failing('one')
      }
    }
    class Two {
      dispose() {
        failing('two')
      }
    }
    const app = await bootstrap(moduleOf({ providers: [One, Two] }), off)
    const error = await app.close().catch((reason: unknown) => reason)
    assert.ok(error instanceof AggregateError)
    assert.deepEqual(
      error.errors.map(({ message }) => message),
      ['two', 'one'],
    )
  })
})

describe('a failure at boot', () => {
  const log: string[] = []
  const booting = (...providers: Provider[]): Promise<Application> => {
    log.splice(0)
    return bootstrap(moduleOf({ providers: [recorded(log, 'first'), ...providers] }), off)
  }

  test('in a constructor lets go of what was made', async () => {
    class Failing {
      constructor() {
        failing('constructor')
      }
    }
    await assert.rejects(booting(Failing, recorded(log, 'never')), /constructor/)
    assert.deepEqual(log, ['make first', 'dispose first'])
  })

  test('in a factory does, too, and has its own error for a cause', async () => {
    const reason = new TypeError('factory')
    const rejecting = { token: 'x', useFactory: () => Promise.reject(reason) }
    assert.equal(await booting(rejecting).catch((error: Error) => error.cause), reason)
    assert.deepEqual(log, ['make first', 'dispose first'])
  })

  test('in onStart stops what had started, and disposes of all that was made', async () => {
    const reason = new Error('start')
    @Injectable()
    class Failing {
      onStart() {
        throw reason
      }
      onStop() {
        log.push('stop failing')
      }
      dispose() {
        log.push('dispose failing')
      }
    }
    assert.equal(await booting(Failing, recorded(log, 'last')).catch((error: Error) => error.cause), reason)
    const down = ['dispose last', 'dispose failing', 'stop first', 'dispose first']
    assert.deepEqual(log, ['make first', 'make last', 'start first', ...down])
  })

  test('is told, even where letting go fails as well', async () => {
    const told: unknown[] = []
    const silent = () => {}
    class Failing {
      onStart() {
        failing('start')
      }
      dispose() {
        failing('dispose')
      }
    }
    const logger = { debug: silent, info: silent, warn: silent, error: (_: string, error: unknown) => told.push(error) }
    await assert.rejects(bootstrap(moduleOf({ providers: [Failing] }), { ...off, logger }), /onStart failed: start/)
    assert.deepEqual(
      told.map(error => (error as Error).message),
      ['dispose'],
    )
  })

  test('leaves nothing behind: the same module boots when the cause is gone', async () => {
    let broken = true
    class Flaky {
      onStart() {
        if (broken) failing('not yet')
      }
    }
    const module = moduleOf({ providers: [Flaky] })
    await assert.rejects(bootstrap(module, off), /not yet/)
    broken = false
    await (await bootstrap(module, off)).close()
  })
})
