import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  All,
  ConnectionRegistry,
  type Context,
  Controller,
  Delete,
  describeRoute,
  EventStream,
  formatRoutes,
  Get,
  Guard,
  Head,
  Injectable,
  Intercept,
  MapError,
  On,
  Options,
  Patch,
  Post,
  Put,
  Registry,
  type Route,
  readRoutes,
  Socket,
  Sse,
  Status,
  WebSocket,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'

class PresenterOnly {
  admit(_: Context) {
    return true
  }
}

@Registry('slides')
class SlideDecks extends ConnectionRegistry<{ goto: { slide: number } }> {}

@Registry('people')
class People extends ConnectionRegistry {}

@Injectable()
class Chimes {
  constructor(readonly decks: SlideDecks) {}
}

@Controller('/users')
class Users {
  constructor(readonly chimes: Chimes) {}
  @Get('/:id') show() {}
  @Post('/') @Status(201) create() {}
  @Sse('/:id/summary', { method: 'POST' }) async *summary() {}
  @Sse('/:id/events') async *events() {}
  @All('/:id/any') @Guard(() => true, PresenterOnly) any() {}
}

@Sse('/sse/time')
class TimeEvents {
  open(_: EventStream) {}
}

@Sse('/decks/:deck/events')
class Audience {
  constructor(
    readonly decks: SlideDecks,
    readonly people: People,
  ) {}
  open() {}
}

@WebSocket('/decks/:deck/remote')
@Guard(PresenterOnly)
class Remote {
  constructor(
    readonly decks: SlideDecks,
    readonly socket: Socket,
  ) {}
  @On('goto') goto() {}
  @On('blank') blank() {}
}

@WebSocket()
class Chat {
  message() {}
}

@Controller('/chat')
class ChatDoor {
  @Get('/', { upgrade: [Chat] }) enter() {}
}

const App = moduleOf({
  controllers: [Users, TimeEvents, Audience, Remote, Chat, ChatDoor],
  providers: [SlideDecks, People, Chimes],
})

describe('the route table', () => {
  test('is told as aligned text', () => {
    assert.equal(
      `\n${formatRoutes(readRoutes(App))}\n`,
      `
GET   /users/:id                Users.show
POST  /users                    Users.create
POST  /users/:id/summary   sse  Users.summary
SSE   /users/:id/events         Users.events
ALL   /users/:id/any            Users.any       guard function, PresenterOnly
SSE   /sse/time                 TimeEvents
SSE   /decks/:deck/events       Audience        slides, people
WS    /decks/:deck/remote       Remote          slides · guard PresenterOnly · on goto, blank
WS    (by upgrade)              Chat
GET   /chat                     ChatDoor.enter
`,
    )
  })

  test('has no column for event streams under verbs of their own where there are none', () => {
    const routes = readRoutes(moduleOf({ controllers: [TimeEvents] }))
    assert.equal(formatRoutes(routes), 'SSE  /sse/time  TimeEvents')
    assert.equal(formatRoutes([]), '')
  })

  test('is told as data', () => {
    const rows = readRoutes(App).map(describeRoute)
    assert.deepEqual(JSON.parse(JSON.stringify(rows.find(row => row.handler === 'Remote'))), {
      verb: 'WS',
      path: '/decks/:deck/remote',
      handler: 'Remote',
      stream: false,
      registries: ['slides'],
      guards: ['PresenterOnly'],
      events: ['goto', 'blank'],
    })
    assert.deepEqual(
      rows.filter(row => row.stream).map(row => `${row.verb} ${row.handler}`),
      ['POST Users.summary', 'SSE Users.events', 'SSE TimeEvents', 'SSE Audience'],
    )
  })

  test('knows a row for each verb', () => {
    @Controller('/x')
    class Verbs {
      @Get() get() {}
      @Post() post() {}
      @Put() put() {}
      @Patch() patch() {}
      @Delete() delete() {}
      @Head() head() {}
      @Options() options() {}
      @All() all() {}
    }
    const rows = readRoutes(moduleOf({ controllers: [Verbs] }))
    const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
    assert.deepEqual(
      rows.map(row => [row.method, row.pattern, row.member]),
      [...verbs.map(verb => [verb, '/x', verb.toLowerCase()]), ['*', '/x', 'all']],
    )
  })

  test('is frozen, rows and lists', () => {
    class Boom extends Error {}
    @WebSocket('/guarded')
    @Guard(PresenterOnly)
    @Intercept((_, next) => next())
    @MapError(Boom, () => undefined)
    class Guarded {
      constructor(readonly decks: SlideDecks) {}
      @On('goto') @Guard(PresenterOnly) goto() {}
    }
    const routes = readRoutes(moduleOf({ controllers: [Guarded], providers: [SlideDecks] }))
    const [route] = routes as [Route]
    const [message] = route.messages
    const parts = [routes, route, route.options, route.messages, route.registries, message]
    const lists = [route, message].flatMap(row => [row?.guards, row?.interceptors, row?.errorMappers])
    for (const part of [...parts, ...lists]) assert.ok(Object.isFrozen(part), JSON.stringify(part))
    assert.throws(() => Object.assign(route, { pattern: '/other' }), TypeError)
  })

  test('is the same however often it is read, and reading it makes nothing', () => {
    let made = 0
    @Controller('/counted')
    class Counted {
      constructor() {
        made++
      }
      @Get() get() {}
    }
    const module = moduleOf({ controllers: [Counted] })
    assert.deepEqual(readRoutes(module), readRoutes(module))
    assert.equal(made, 0)
  })
})
