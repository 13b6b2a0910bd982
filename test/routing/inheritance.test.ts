import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Class,
  type Context,
  ContextKey,
  Controller,
  Ctx,
  compose,
  Delete,
  Get,
  Guard,
  Injectable,
  Intercept,
  MapError,
  On,
  Param,
  Post,
  type Route,
  readRoutes,
  Sse,
  Status,
  unprocessable,
  WebSocket,
} from '../../src/index.js'
import { moduleOf, serve } from '../support/apps.js'

const trail = new ContextKey<string[]>('trail')

/** A guard that leaves its name in the context. */
function mark(name: string) {
  return (context: Context) => {
    context.set(trail, [...(context.get(trail) ?? []), name])
    return true
  }
}

const names = (...controllers: Class[]) =>
  readRoutes(moduleOf({ controllers })).map(route => `${route.method} ${route.pattern} ${route.name}`)
const only = (controller: Class) => readRoutes(moduleOf({ controllers: [controller] }))[0] as Route

abstract class Crud {
  abstract readonly items: Record<string, unknown>

  @Get('/')
  list(@Ctx() context: Context): unknown {
    return { items: Object.keys(this.items), trail: context.get(trail) }
  }

  @Get('/:id')
  @Guard(mark('crud'))
  show(@Param('id') id: string, @Ctx() context: Context): unknown {
    return { item: this.items[id], trail: context.get(trail) }
  }

  @Delete('/:id')
  remove(@Param('id') id: string): unknown {
    return { removed: id }
  }
}

@Controller('/cats')
class Cats extends Crud {
  readonly items = { tom: { lives: 9 } }
}

@Controller('/dogs')
@Guard(mark('dogs'))
class Dogs extends Crud {
  readonly items = { rex: 1 }

  @Guard(mark('own'))
  override show(id: string, context: Context) {
    return { shown: super.show(id, context) }
  }

  @Post('/:name/removal')
  @Status(202)
  override remove(@Param('name') name: string) {
    return { gone: name }
  }
}

describe('an abstract controller', () => {
  test('gives its routes to each class that extends it, under the path of that', () => {
    const rows = ['GET /cats Cats.list', 'GET /cats/:id Cats.show', 'DELETE /cats/:id Cats.remove']
    assert.deepEqual(names(Cats), rows)
  })

  test('has its methods overridden: decorated anew they count anew, else they stay what they were', () => {
    const rows = ['GET /dogs Dogs.list', 'GET /dogs/:id Dogs.show', 'POST /dogs/:name/removal Dogs.remove']
    assert.deepEqual(names(Dogs), rows)
  })

  test('serves each of its descendants with their own state, and its guards outside theirs', async t => {
    const { url } = await serve(t, { controllers: [Cats, Dogs] })
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(url + path, { method })
      return [response.status, await response.json()]
    }
    assert.deepEqual(await get('/cats'), [200, { items: ['tom'] }])
    assert.deepEqual(await get('/cats/tom'), [200, { item: { lives: 9 }, trail: ['crud'] }])
    assert.deepEqual(await get('/cats/tom', 'DELETE'), [200, { removed: 'tom' }])
    assert.deepEqual(await get('/dogs'), [200, { items: ['rex'], trail: ['dogs'] }])
    assert.deepEqual(await get('/dogs/rex'), [200, { shown: { item: 1, trail: ['dogs', 'crud', 'own'] } }])
    assert.deepEqual(await get('/dogs/rex/removal', 'POST'), [202, { gone: 'rex' }])
    assert.equal((await get('/dogs/rex', 'DELETE'))[0], 405)
  })
})

describe('a class', () => {
  test('takes the mark of its ancestor, unless it has one of its own', () => {
    @Controller('/base')
    class Base {
      @Get('/x') x() {}
    }
    class Plain extends Base {}
    @Injectable()
    class AlsoInjectable extends Base {}
    @Controller('/other')
    class Moved extends Base {}
    assert.deepEqual(names(Plain), ['GET /base/x Plain.x'])
    assert.deepEqual(names(AlsoInjectable), ['GET /base/x AlsoInjectable.x'])
    assert.deepEqual(names(Moved), ['GET /other/x Moved.x'])
  })

  test('decorated anew on a method leaves its parameters to the new declaration', () => {
    @Controller('/base')
    class Base {
      @Get('/:id') show(@Param('id') id: string): unknown {
        return id
      }
    }
    @Controller('/fixed')
    class Fixed extends Base {
      @Get('/me') override show() {
        return 'me'
      }
    }
    assert.deepEqual(names(Fixed), ['GET /fixed/me Fixed.show'])
    assert.equal(only(Fixed).params.size, 0)
  })

  test('of a connection inherits callbacks, message handlers and surroundings', () => {
    const [outer, inner] = [mark('outer'), mark('inner')]
    @WebSocket('/base')
    @Guard(outer)
    class Base {
      @On('one') one() {}
      @On('two') two() {}
    }
    @WebSocket('/chat')
    @Guard(inner)
    class Chat extends Base {
      @On('zwei') override two() {}
      @On('three') three() {}
    }
    @Sse('/ticks')
    class Ticks {
      open() {}
    }
    @Sse('/tocks')
    class Tocks extends Ticks {}
    const chat = only(Chat)
    assert.deepEqual(
      chat.messages.map(message => `${message.event} ${message.name}`),
      ['one Chat.one', 'zwei Chat.two', 'three Chat.three'],
    )
    assert.deepEqual(chat.guards, [outer, inner])
    assert.deepEqual(names(Tocks), ['GET /tocks Tocks'])
  })
})

describe('surroundings', () => {
  const guard = (name: string) => Object.defineProperty(() => true as const, 'name', { value: name })

  test('go from the application through modules and the class to the method, as they are written', () => {
    @Controller()
    @Guard(guard('c'), guard('d'))
    class Inner {
      @Get('/x')
      @Guard(guard('e'))
      @Guard(guard('f'))
      x() {}
    }
    const module = moduleOf({ controllers: [Inner] })
    Guard(guard('b'))(module)
    const [route] = readRoutes(moduleOf({ imports: [module] }), { guards: [guard('a')] })
    assert.equal(route?.guards.map(each => (each as { name: string }).name).join(''), 'abcdef')
  })

  test('of a class reach each message of a socket; its guards stand before the handshake alone', () => {
    const [a, b] = [guard('a'), guard('b')]
    const intercept = (_: Context, next: () => Promise<unknown>) => next()
    @WebSocket('/x')
    @Guard(a)
    @Intercept(intercept)
    @MapError(Error, () => undefined)
    class Chat {
      @On('one') @Guard(b) one() {}
    }
    const route = readRoutes(moduleOf({ controllers: [Chat] }), { interceptors: [intercept] })[0] as Route
    const [message] = route.messages
    assert.deepEqual(route.guards, [a])
    assert.deepEqual(message?.guards, [b])
    assert.deepEqual([route.interceptors.length, message?.interceptors.length], [2, 2])
    assert.deepEqual([route.errorMappers.length, message?.errorMappers.length], [1, 1])
  })
})

describe('compose', () => {
  const refusesRange = MapError(RangeError, () => unprocessable('out of range'))
  const Created = (path: string) => compose(Post(path), Status(201), Guard(mark('first'), mark('second')), refusesRange)
  const Open = (path: string) => compose(Controller(path), Guard(mark('class')))

  @Open('/things')
  class Things {
    @Guard(mark('above'))
    @Created('/')
    create(@Ctx() context: Context) {
      return context.get(trail)
    }

    @Created('/bad')
    fail() {
      throw new RangeError('no')
    }
  }

  test('makes one decorator of several, in the order they are written', async t => {
    const { url } = await serve(t, { controllers: [Things] })
    const created = await fetch(`${url}/things`, { method: 'POST' })
    assert.equal(created.status, 201)
    assert.deepEqual(await created.json(), ['class', 'above', 'first', 'second'])
    assert.equal((await fetch(`${url}/things/bad`, { method: 'POST' })).status, 422)
  })
})
