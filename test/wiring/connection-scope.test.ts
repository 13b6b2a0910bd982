import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket as Client } from 'ws'
import {
  Connection,
  Controller,
  Get,
  Injectable,
  inject,
  type Provider,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { LogBook } from '../support/app.js'
import { serve } from '../support/apps.js'
import { eventually } from '../support/eventually.js'

let made = 0
const log: string[] = []

@Injectable()
class Shared {}

@Injectable({ scope: 'connection' })
class Session {
  readonly number = ++made
  constructor(
    readonly connection: Connection,
    readonly shared: Shared,
  ) {}
  async [Symbol.asyncDispose]() {
    log.push(`dispose session ${this.number}, closed: ${this.connection.closed}`)
  }
}

@Injectable({ scope: 'connection' })
class Cart {
  constructor(@inject('session') readonly session: Session) {}
  dispose() {
    log.push(`dispose cart ${this.session.number}`)
  }
}

@WebSocket('/chat')
class Chat {
  constructor(
    readonly session: Session,
    readonly cart: Cart,
    readonly shared: Shared,
    readonly socket: Socket,
  ) {}
  message() {
    const { session, cart, shared, socket } = this
    const own = session.connection === socket && cart.session === session && session.shared === shared
    return `${session.number} ${own}`
  }
  close() {
    log.push(`close ${this.session.number}`)
  }
}

@Sse('/ticks')
class Ticks {
  constructor(readonly cart: Cart) {}
  open() {
    return `${this.cart.session.number}`
  }
}

const providers: Provider[] = [Session, Cart, Shared, { token: 'session', useToken: Session }]

async function join(port: number) {
  const client = new Client(`ws://127.0.0.1:${port}/chat`)
  await once(client, 'open')
  return {
    async ask() {
      client.send('?')
      return String((await once(client, 'message'))[0])
    },
    async leave() {
      client.close()
      await once(client, 'close')
    },
  }
}

function reset() {
  made = 0
  log.splice(0)
}

describe('what belongs to one connection', () => {
  test('is made once for each, and shared within it', async t => {
    reset()
    const app = await serve(t, { controllers: [Chat], providers })
    const [one, two] = [await join(app.port), await join(app.port)]
    assert.deepEqual([await one.ask(), await two.ask(), await one.ask()], ['1 true', '2 true', '1 true'])
    await one.leave()
    await two.leave()
  })

  test('is disposed of when its connection has closed, in reverse, and no other', async t => {
    reset()
    const app = await serve(t, { controllers: [Chat], providers })
    const [one, two] = [await join(app.port), await join(app.port)]
    await one.leave()
    await eventually('the end of the first', () => log.length === 3)
    assert.deepEqual(log, ['close 1', 'dispose cart 1', 'dispose session 1, closed: true'])
    assert.equal(await two.ask(), '2 true')
    await two.leave()
  })

  test('is what an event source may ask for, too', async t => {
    reset()
    const app = await serve(t, { controllers: [Ticks], providers })
    const leaving = new AbortController()
    const response = await fetch(`${app.url}/ticks`, { signal: leaving.signal })
    const { value } = (await response.body?.getReader().read()) ?? {}
    assert.equal(new TextDecoder().decode(value), 'data: 1\n\n')
    leaving.abort()
    await eventually('the disposal', () => log.length === 2)
  })

  test('is disposed of where the constructor of its class throws', async t => {
    reset()
    @Sse('/broken')
    class Broken {
      constructor(readonly session: Session) {
        throw new Error('constructor')
      }
      open() {}
    }
    const logger = new LogBook()
    const app = await serve(t, { controllers: [Broken], providers }, { logger })
    assert.equal((await fetch(`${app.url}/broken`)).status, 500)
    await eventually('the disposal', () => log.length === 1)
    assert.deepEqual(log, ['dispose session 1, closed: true'])
    assert.equal(app.connections, 0)
  })

  test('may fail to be disposed of, which is logged and keeps nobody else from it', async t => {
    reset()
    @Injectable({ scope: 'connection' })
    class Failing {
      constructor(readonly cart: Cart) {}
      dispose() {
        throw new Error('dispose')
      }
    }
    @WebSocket('/chat')
    class Other {
      constructor(readonly failing: Failing) {}
      message() {}
    }
    const logger = new LogBook()
    const app = await serve(t, { controllers: [Other], providers: [...providers, Failing] }, { logger })
    await (await join(app.port)).leave()
    await eventually('the disposal', () => log.length === 2)
    assert.deepEqual(log, ['dispose cart 1', 'dispose session 1, closed: true'])
    assert.deepEqual(logger.messages, ['Failing was not disposed of cleanly'])
  })

  test('is not to be had from the application', async t => {
    @Controller('/a')
    class A {
      @Get() get() {}
    }
    const app = await serve(t, { controllers: [A], providers })
    assert.throws(() => app.get(Session), { message: 'Session belongs to one connection' })
    assert.throws(() => app.get('session'), { message: "'session' belongs to one connection" })
  })
})

describe('what surrounds a handler', () => {
  test('may be classes with dependencies: one instance of each, whoever lists them', async t => {
    let instances = 0
    @Injectable()
    class Door {
      open = true
    }
    @Injectable()
    class Keeper {
      constructor(readonly door: Door) {
        instances++
      }
      admit() {
        return this.door.open
      }
      intercept(_: unknown, next: () => Promise<unknown>) {
        return next().then(body => ({ body, open: this.door.open }))
      }
    }
    @Controller('/a')
    class A {
      @Get() get() {
        return 'a'
      }
    }
    const surrounding = { guards: [Keeper], interceptors: [Keeper] }
    const app = await serve(t, { controllers: [A, Ticks], providers: [...providers, Door] }, surrounding)
    assert.deepEqual(await (await fetch(`${app.url}/a`)).json(), { body: 'a', open: true })
    app.get(Door).open = false
    const statuses = await Promise.all(['/a', '/ticks'].map(async path => (await fetch(app.url + path)).status))
    assert.deepEqual(statuses, [403, 403])
    assert.equal(instances, 1)
    assert.equal(app.get(Keeper).door, app.get(Door))
  })
})
