import 'reflect-metadata'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type DependencyContainer,
  inject as tsyringeInject,
  injectable as tsyringeInjectable,
  singleton as tsyringeSingleton,
} from 'tsyringe'
import { bootstrap, Controller, Get, Injectable, inject, type ModuleOptions, Sse, stop } from '../../src/index.js'
import { moduleOf, serve } from '../support/apps.js'
import { decorate } from '../support/boot-errors.js'
import { send } from '../support/send.js'

/** Makes a module's instances without listening. */
async function make(t: { after(fn: () => Promise<void>): void }, module: ModuleOptions, options = {}) {
  const app = await bootstrap(moduleOf(module), { listen: false, ...options })
  t.after(() => app.close())
  return app
}

abstract class Store {
  abstract read(): string
}
class MemoryStore extends Store {
  read() {
    return 'memory'
  }
}
@Injectable()
class Reader {
  constructor(readonly store: Store) {}
}
const KEY = Symbol('key')

describe('a provider', () => {
  test('is a class, made once', async t => {
    const app = await make(t, { providers: [MemoryStore] })
    assert.ok(app.get(MemoryStore) instanceof MemoryStore)
    assert.equal(app.get(MemoryStore), app.get(MemoryStore))
  })

  test('is a class for the token of an abstract one', async t => {
    const app = await make(t, { providers: [Reader, { token: Store, useClass: MemoryStore }] })
    assert.equal(app.get(Reader).store.read(), 'memory')
    assert.equal(app.get(Reader).store, app.get(Store))
  })

  test('is a value, whatever it is, by a string or a symbol', async t => {
    const values: [string | symbol, unknown][] = [
      ['url', 'http://a.example'],
      [KEY, { secret: true }],
      ['zero', 0],
      ['nothing', undefined],
      ['null', null],
      ['function', () => 1],
      ['class', MemoryStore],
    ]
    const app = await make(t, { providers: values.map(([token, useValue]) => ({ token, useValue })) })
    for (const [token, value] of values) assert.equal(app.get(token), value)
  })

  test('is a factory, called once with what it names, and awaited', async t => {
    const calls: unknown[][] = []
    @Injectable()
    class Client {
      constructor(@inject('connection') readonly connection: { url: string; open: boolean }) {}
    }
    const app = await make(t, {
      providers: [
        Client,
        {
          token: 'connection',
          inject: ['url', Store],
          async useFactory(...given: unknown[]) {
            calls.push(given)
            await Promise.resolve()
            return { url: given[0], open: true }
          },
        },
        { token: Store, useClass: MemoryStore },
        { token: 'url', useFactory: () => Promise.resolve('db://a') },
      ],
    })
    assert.deepEqual(app.get(Client).connection, { url: 'db://a', open: true })
    assert.equal(app.get('connection'), app.get(Client).connection)
    assert.deepEqual(calls, [['db://a', app.get(Store)]])
  })

  test("is a factory that gets tsyringe's container, where it names nothing", async t => {
    const useFactory = (container: DependencyContainer) => ({ store: container.resolve(MemoryStore) })
    const app = await make(t, { providers: [{ token: 'holder', useFactory: useFactory as never }, MemoryStore] })
    assert.equal(app.get<{ store: Store }>('holder').store, app.get(MemoryStore))
  })

  test('is another name for a token', async t => {
    const providers = [{ token: 'a', useToken: 'b' }, { token: 'b', useToken: MemoryStore }, MemoryStore]
    const app = await make(t, { providers })
    assert.equal(app.get('a'), app.get(MemoryStore))
  })

  test('is transient where it says so: a new instance for each who asks', async t => {
    let made = 0
    @Injectable({ scope: 'transient' })
    class Ticket {
      readonly number = ++made
    }
    @Injectable()
    class One {
      constructor(
        readonly a: Ticket,
        readonly b: Ticket,
      ) {}
    }
    const app = await make(t, { providers: [One, Ticket, { token: 't', useClass: MemoryStore, scope: 'transient' }] })
    const { a, b } = app.get(One)
    assert.deepEqual([a.number, b.number, app.get(Ticket).number], [1, 2, 3])
    assert.notEqual(app.get('t'), app.get('t'))
  })

  test('of one token, the later counts: a module over its imports', async t => {
    const inner = moduleOf({
      providers: [
        { token: 'x', useValue: 'inner' },
        { token: 'y', useValue: 'inner' },
      ],
    })
    const app = await make(t, { imports: [inner], providers: [{ token: 'x', useValue: 'outer' }] })
    assert.deepEqual([app.get('x'), app.get('y')], ['outer', 'inner'])
  })

  test('is visible to every module, whichever lists it', async t => {
    const [one, two] = [
      moduleOf({ providers: [Reader] }),
      moduleOf({ providers: [{ token: Store, useClass: MemoryStore }] }),
    ]
    const app = await make(t, { imports: [one, two] })
    assert.equal(app.get(Reader).store.read(), 'memory')
  })

  test('that nobody listed is not made up', async t => {
    const app = await make(t, {})
    assert.throws(() => app.get(MemoryStore), { message: 'no module provides MemoryStore' })
    assert.throws(() => app.get('x'), { message: "no module provides 'x'" })
  })
})

describe("tsyringe's own decorators", () => {
  @tsyringeInjectable()
  class Injectable_ {
    constructor(
      @tsyringeInject('url') readonly url: string,
      readonly store: Store,
    ) {}
  }
  @tsyringeSingleton()
  class Singleton {
    constructor(readonly other: Injectable_) {}
  }
  const providers = [{ token: 'url', useValue: 'u' }, { token: Store, useClass: MemoryStore }, Injectable_, Singleton]

  test('are understood: @inject, @injectable, @singleton', async t => {
    const app = await make(t, { providers })
    const { other } = app.get(Singleton)
    assert.deepEqual([other.url, other.store], ['u', app.get(Store)])
    assert.equal(other, app.get(Injectable_))
  })

  test('do not share instances between two applications', async t => {
    const [one, two] = [await make(t, { providers }), await make(t, { providers })]
    assert.notEqual(one.get(Singleton), two.get(Singleton))
  })
})

describe('what a constructor can do without', () => {
  @Injectable()
  class Relaxed {
    constructor(
      @tsyringeInject('theirs', { isOptional: true }) readonly theirs: string | undefined,
      @inject('ours', { isOptional: true }) readonly ours: string | undefined,
      @inject('limit', { isOptional: true }) readonly limit = 5,
      @inject(Store, { isOptional: true }) readonly store?: Store,
    ) {}
  }
  @Sse('/relaxed')
  class Events {
    constructor(@inject('limit', { isOptional: true }) private readonly limit = 7) {}
    open() {
      return [this.limit, stop()]
    }
  }

  test('is undefined, or its default, where no module provides it', async t => {
    const app = await make(t, { providers: [Relaxed] })
    const { theirs, ours, limit, store } = app.get(Relaxed)
    assert.deepEqual([theirs, ours, limit, store], [undefined, undefined, 5, undefined])
  })

  test('is what one provides, in whatever module', async t => {
    const given = ['theirs', 'ours', 'limit'].map(token => ({ token, useValue: `the ${token}` }))
    const app = await make(t, { providers: [Relaxed, ...given, { token: Store, useClass: MemoryStore }] })
    const { theirs, ours, limit, store } = app.get(Relaxed)
    assert.deepEqual([theirs, ours, limit, store], ['the theirs', 'the ours', 'the limit', app.get(Store)])
  })

  test('is so for what is made for a connection', async t => {
    const { port } = await serve(t, { controllers: [Events] })
    assert.match((await send(port, 'GET /relaxed')).text, /^data: 7\n/)
  })

  test('is told by whoever else needs it', async t => {
    @Injectable()
    class Strict {
      constructor(@inject('limit') readonly limit: number) {}
    }
    await assert.rejects(make(t, { providers: [Relaxed, Strict] }), {
      message: "Strict needs 'limit', which no module provides: add 'limit' to the providers of AppModule",
    })
  })
})

describe('a constructor', () => {
  test('is that of the ancestor, tokens and types, where a class has none of its own', async t => {
    class Base {
      constructor(
        readonly store: Store,
        @inject('url') readonly url: string,
      ) {}
    }
    @Injectable()
    class Plain extends Base {}
    @Injectable()
    class Own extends Base {
      constructor(@inject('other') url: string, store: Store) {
        super(store, url)
      }
    }
    @Injectable()
    class Types extends Base {
      constructor(readonly reader: Reader) {
        super(reader.store, 'own')
      }
    }
    const values = ['url', 'other'].map(token => ({ token, useValue: token }))
    const app = await make(t, {
      providers: [...values, Plain, Own, Types, Reader, { token: Store, useClass: MemoryStore }],
    })
    const made = [Plain, Own, Types].map(type => app.get<Base>(type))
    assert.deepEqual(
      made.map(({ url }) => url),
      ['url', 'other', 'own'],
    )
    for (const { store } of made) assert.equal(store, app.get(Store))
  })

  test('says its tokens by @inject where the compiler emits no types', async t => {
    class Bare {
      constructor(
        readonly store: Store,
        readonly url: string,
      ) {}
    }
    decorate([inject(Store)], Bare, undefined, 0)
    decorate([inject('url')], Bare, undefined, 1)
    decorate([Injectable()], Bare)
    const providers = [Bare, { token: Store, useClass: MemoryStore }, { token: 'url', useValue: 'u' }]
    const { store, url } = (await make(t, { providers })).get(Bare)
    assert.deepEqual([store.read(), url], ['memory', 'u'])
  })
})

describe('overrides', () => {
  class Fake extends Store {
    read() {
      return 'fake'
    }
  }
  @Injectable()
  class Admission {
    constructor(@inject('door') readonly open: boolean) {}
    admit() {
      return this.open
    }
  }
  @Controller('/read')
  class Read {
    constructor(readonly reader: Reader) {}
    @Get() read() {
      return this.reader.store.read()
    }
  }
  @Sse('/reads')
  class Reads {
    constructor(readonly store: Store) {}
    open() {
      return this.store.read()
    }
  }
  const module = {
    controllers: [Read, Reads],
    providers: [Reader, { token: Store, useClass: MemoryStore }, { token: 'door', useValue: true }],
  }

  test('take the place of what modules provide, for controllers and event sources alike', async t => {
    const { url } = await serve(t, module, { overrides: [{ token: Store, useClass: Fake }] })
    assert.equal(await (await fetch(`${url}/read`)).text(), 'fake')
    const stream = await fetch(`${url}/reads`)
    const { value } = (await stream.body?.getReader().read()) ?? {}
    assert.equal(new TextDecoder().decode(value), 'data: fake\n\n')
  })

  test('take the place of a guard, a controller, and what makes them', async t => {
    class Shut {
      read() {
        return 'replaced'
      }
    }
    const { url } = await serve(t, module, { overrides: [{ token: Read, useClass: Shut }], guards: [Admission] })
    assert.equal(await (await fetch(`${url}/read`)).text(), 'replaced')
    const overrides = [{ token: Admission, useValue: { admit: () => false } }]
    const guarded = await serve(t, module, { overrides, guards: [Admission] })
    assert.equal((await fetch(`${guarded.url}/read`)).status, 403)
    const shut = await serve(t, module, { overrides: [{ token: 'door', useValue: false }], guards: [Admission] })
    assert.equal((await fetch(`${shut.url}/read`)).status, 403)
  })
})
