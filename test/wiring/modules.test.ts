import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket as Client } from 'ws'
import {
  AddressInUseError,
  bootstrap,
  ConnectionRegistry,
  Controller,
  Ctx,
  EventStream,
  Get,
  Injectable,
  Param,
  Registry,
  RequestContext,
  readRoutes,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { answering, moduleOf, serve } from '../support/apps.js'

@Controller('/where')
class Where {
  @Get('/*rest?')
  show(@Ctx() context: RequestContext) {
    return { path: context.path, originalPath: context.originalPath, params: context.params }
  }
}

@WebSocket('/where')
class WhereSocket {
  constructor(readonly socket: Socket) {}
  open() {
    return this.socket.handshake
  }
}

const json = async (url: string) => (await fetch(url)).json()

describe('B4: a prefix', () => {
  test('B4: of the application, of a module and of a nested module stand in front of all paths below them', () => {
    const inner = moduleOf({ controllers: [answering('/a'), answering('/')], prefix: 'inner/' })
    const outer = moduleOf({ controllers: [answering('/b')], imports: [inner], prefix: '/outer' })
    const routes = readRoutes(moduleOf({ imports: [outer], controllers: [answering('/c')] }), { prefix: '/api/' })
    assert.deepEqual(
      routes.map(route => `${route.prefix} ${route.pattern}`),
      [
        '/api/outer/inner /api/outer/inner/a',
        '/api/outer/inner /api/outer/inner',
        '/api/outer /api/outer/b',
        '/api /api/c',
      ],
    )
  })

  test('B4: is matched with its whole subtree, stripped from the path, and kept in the original path', async t => {
    const inner = moduleOf({ controllers: [Where], prefix: '/v 1' })
    const { url } = await serve(t, { imports: [inner] }, { prefix: 'api' })
    assert.deepEqual(await json(`${url}/api/v%201/where`), {
      path: '/where',
      originalPath: '/api/v%201/where',
      params: {},
    })
    assert.deepEqual(await json(`${url}/api/v%201/where/a%2Fb/c?x=/y`), {
      path: '/where/a%2Fb/c',
      originalPath: '/api/v%201/where/a%2Fb/c',
      params: { rest: 'a/b/c' },
    })
    for (const path of ['/where', '/v%201/where', '/api/where', '/apiv%201/where', '/api'])
      assert.equal((await fetch(url + path)).status, 404, path)
  })

  test('B4: may have parameters, which handlers below are given', async t => {
    @Controller('/users')
    class Users {
      @Get('/:id')
      show(@Param('tenant') tenant: string, @Param('id') id: string, @Ctx() context: RequestContext) {
        return [tenant, id, context.path]
      }
    }
    const { url } = await serve(t, { controllers: [Users], prefix: '/tenants/:tenant' })
    assert.deepEqual(await json(`${url}/tenants/acme/users/7`), ['acme', '7', '/users/7'])
  })

  test('B4: is stripped from what a connection remembers, too', async t => {
    const { port } = await serve(t, { controllers: [WhereSocket] }, { prefix: '/api' })
    const client = new Client(`ws://127.0.0.1:${port}/api/where`)
    const [message] = await once(client, 'message')
    assert.equal(JSON.parse(String(message)).path, '/where')
    client.close()
    await once(client, 'close')
  })
})

describe('a module', () => {
  test('is imported by as many as like, where it has no controllers, whatever their prefixes', async () => {
    @Injectable()
    class Database {}
    const database = moduleOf({ providers: [Database] })
    const users = moduleOf({ imports: [database], controllers: [answering('/a')], prefix: '/users' })
    const admin = moduleOf({ imports: [database], controllers: [answering('/b')], prefix: '/admin' })
    const app = await bootstrap(moduleOf({ imports: [users, admin] }), { listen: false })
    assert.deepEqual(
      app.routes.map(route => route.pattern),
      ['/users/a', '/admin/b'],
    )
    await app.close()
  })

  test('boots twice in one process, and the two applications share nothing', async t => {
    @Registry('rooms')
    class Rooms extends ConnectionRegistry<{ said: string }> {}
    @Injectable()
    class Counter {
      count = 0
    }
    @Controller('/count')
    class Count {
      constructor(readonly counter: Counter) {}
      @Get() next() {
        return { count: ++this.counter.count }
      }
    }
    @Sse('/rooms/:room')
    class Room {
      constructor(readonly rooms: Rooms) {}
      async open(stream: EventStream, @Param('room') room: string) {
        await this.rooms.join(stream, room)
        return 'joined'
      }
    }
    const module = moduleOf({ controllers: [Count, Room], providers: [Counter, Rooms] })
    const [one, two] = [await serve(t, module), await serve(t, module)]
    assert.deepEqual(await json(`${one.url}/count`), { count: 1 })
    assert.deepEqual(await json(`${one.url}/count`), { count: 2 })
    assert.deepEqual(await json(`${two.url}/count`), { count: 1 })
    const leaving = new AbortController()
    const response = await fetch(`${one.url}/rooms/a`, { signal: leaving.signal })
    await response.body?.getReader().read()
    assert.deepEqual([one.get(Rooms).count('a'), two.get(Rooms).count('a')], [1, 0])
    leaving.abort()
    await one.close()
    assert.deepEqual(await json(`${two.url}/count`), { count: 2 })
  })
})

describe('the address', () => {
  test('B1: has a port that may be a string of digits, as from the environment', async t => {
    const app = await serve(t, { controllers: [answering('/')] }, { port: '0' })
    const again = String(app.port)
    await app.close()
    const { port, url } = await serve(t, { controllers: [answering('/')] }, { port: again })
    assert.equal(port, Number(again))
    assert.equal(await (await fetch(`${url}/`)).text(), '/')
  })

  test('P1: that is taken is told by an error of its own, and a module serves several', async t => {
    const app = await serve(t, { controllers: [answering('/')] })
    const taken = bootstrap(moduleOf({}), { port: app.port, host: '127.0.0.1', signals: false })
    await assert.rejects(taken, AddressInUseError)
    const second = await app.listen({ port: 0, host: '127.0.0.1' })
    assert.ok(typeof second === 'object')
    assert.equal(await (await fetch(`http://127.0.0.1:${second.port}/`)).text(), '/')
    assert.equal(app.addresses.length, 2)
  })
})

test('B31: a class writes only the callbacks it needs; the others do nothing', async t => {
  @WebSocket('/open')
  class OnlyOpen {
    open() {
      return 'opened'
    }
  }
  @WebSocket('/message')
  class OnlyMessage {
    message(frame: string) {
      return frame
    }
  }
  @Sse('/info')
  class OnlyInfo {
    constructor(stream: EventStream) {
      stream.after(1, 'ping')
    }
    info(message: string) {
      return message
    }
  }
  const { port, url } = await serve(t, { controllers: [OnlyOpen, OnlyMessage, OnlyInfo] })
  for (const path of ['open', 'message']) {
    const client = new Client(`ws://127.0.0.1:${port}/${path}`)
    const heard = once(client, 'message')
    await once(client, 'open')
    client.send('opened')
    client.ping('p')
    await once(client, 'pong')
    assert.equal(String((await heard)[0]), 'opened')
    client.close(1000, 'bye')
    assert.equal((await once(client, 'close'))[0], 1000)
  }
  const leaving = new AbortController()
  const response = await fetch(`${url}/info`, { signal: leaving.signal })
  const { value } = (await response.body?.getReader().read()) ?? {}
  assert.equal(new TextDecoder().decode(value), 'data: ping\n\n')
  leaving.abort()
})
