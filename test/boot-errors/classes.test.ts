import {
  Body,
  type Class,
  type Context,
  Controller,
  Get,
  Guard,
  Injectable,
  Intercept,
  MapError,
  Module,
  On,
  Post,
  Sse,
  Status,
  WebSocket,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { decorate, testBootErrors } from '../support/boot-errors.js'

class Undecorated {
  list() {}
}
@Injectable()
class Service {}
@Module({})
class Inner {}
@Controller('/users')
class Users {
  @Get() list() {}
}
@Sse('/ticks')
class Ticks {
  open() {}
}
class NoGuard {}
const pass = () => true

testBootErrors('a class among the controllers', {
  'has a decorator': {
    module: () => [Undecorated],
    problems: [
      'AppModule lists Undecorated among its controllers, but it has no decorator: mark it @Controller, @Sse or @WebSocket, or list it among the providers',
    ],
  },
  'is one': {
    module: () => [Service],
    problems: [
      'AppModule lists Service among its controllers, but it declares nothing: mark it @Controller, @Sse or @WebSocket, or list it among the providers',
    ],
  },
  'is no module': {
    module: () => [Inner],
    problems: ['AppModule lists Inner among its controllers, but it declares nothing: list it among the imports'],
  },
  'is @Controller, where it has routes': {
    module: () => {
      class Routes {
        @Get() list() {}
        @Post() add() {}
      }
      return [Routes]
    },
    problems: ["Routes has routes (list, add) but is no controller: mark the class @Controller('/path')"],
  },
  'is a class': {
    module: () => [undefined, 'Users'] as unknown as Class[],
    problems: [
      'AppModule lists undefined among its controllers, which is no class: is it imported in a circle?',
      "AppModule lists 'Users' among its controllers, which is no class: is it imported in a circle?",
    ],
  },
  'is listed once': {
    module: () => ({ controllers: [Users, Users], imports: [moduleNamed('Other', [Users, Ticks])] }),
    problems: [
      'Users is listed by Other and by AppModule: list it once',
      'Users is listed twice by AppModule: list it once',
    ],
  },
  'that declares nothing is told so': {
    module: () => {
      @Controller()
      class Empty {}
      @Sse()
      class Silent {
        helper() {}
      }
      @WebSocket('/mute')
      class Mute {
        close() {}
      }
      return [Empty, Silent, Mute]
    },
    problems: [
      'Empty declares nothing: mark its handlers @Get, @Post, @Sse …, or take it out of the controllers',
      'Silent declares nothing: give it a method open or info',
      'Mute declares nothing: give it a method open, message or info, or one marked @On',
    ],
  },
  'is marked once': {
    module: () => {
      @Controller('/a')
      @Sse('/b')
      class Both {
        @Get() list() {}
      }
      return [Both]
    },
    problems: ["Both is marked twice (@Controller('/a'), @Sse('/b')): one class or method, one route"],
  },
})

testBootErrors('a handler', {
  'is marked once': {
    module: () => {
      @Controller('/a')
      class A {
        @Get('/x') @Post('/y') both() {}
      }
      return [A]
    },
    problems: ["A.both is marked twice (@Get('/x'), @Post('/y')): one class or method, one route"],
  },
  'of messages stands in a socket class': {
    module: () => {
      @Controller('/a')
      class A {
        @On('x') x() {}
      }
      @Sse('/b')
      class B {
        open() {}
        @On('x') x() {}
      }
      return [A, B]
    },
    problems: [
      "A.x: @On('x') is for socket classes: mark A @WebSocket('/path')",
      "B.x: @On('x') is for socket classes: mark B @WebSocket('/path')",
    ],
  },
  'of requests stands in a controller': {
    module: () => {
      @WebSocket('/a')
      class A {
        @Get('/x') x() {}
        @Sse('/y') y() {}
        message() {}
      }
      return [A]
    },
    problems: [
      "A.x: @Get('/x') is for controllers, and A is marked @WebSocket('/a'): move the method to a class marked @Controller",
      "A.y: @Sse('/y') is for controllers, and A is marked @WebSocket('/a'): move the method to a class marked @Controller",
    ],
  },
  'of one event is one': {
    module: () => {
      @WebSocket('/a')
      class A {
        @On('x') one() {}
        @On('x') two() {}
      }
      return [A]
    },
    problems: ['A.two: the event x is handled by A.one already: one event, one handler'],
  },
  'is an instance method, with a name': {
    module: () => {
      const secret = Symbol('secret')
      @Controller('/a')
      class A {
        @Get() list() {}
        @Get('/static') static all() {}
        @Get('/symbol') [secret]() {}
      }
      return [A]
    },
    problems: [
      'A: Symbol(secret) has no name: decorate methods named by a string',
      'A.all is static: decorate instance methods',
    ],
  },
  'is a method, and no property or accessor': {
    module: () => {
      @Controller('/a')
      class A {
        arrow = () => 1
        @Get('/getter') get getter(): never {
          throw new Error('read at boot')
        }
      }
      decorate([Get('/arrow')], A.prototype, 'arrow')
      return [A]
    },
    problems: [
      "A.getter is marked @Get('/getter'), but is no method: write it getter(…) { … }, not as a property",
      "A.arrow is marked @Get('/arrow'), but is no method: write it arrow(…) { … }, not as a property",
    ],
  },
  'has a verb, where it has decorators': {
    module: () => {
      @Controller('/a')
      class A {
        @Get() list() {}
        @Status(201) create(@Body() _: unknown) {}
      }
      return [A]
    },
    problems: ['A.create has decorators, but no route: mark it @Get, @Post, @Sse …'],
  },
  'is called by somebody, where it has decorators': {
    module: () => {
      @Sse('/a')
      class A {
        open() {}
        @Guard(pass) message() {}
      }
      @WebSocket('/b')
      class B {
        open() {}
        @Guard(pass) shout() {}
      }
      return [A, B]
    },
    problems: [
      'A.message has decorators, but nothing calls it: name it open, info, close',
      "B.shout has decorators, but nothing calls it: name it open, message, info, ping, pong, close, or mark it @On('shout')",
    ],
  },
  'that is a callback has what surrounds it on the class': {
    module: () => {
      @WebSocket('/a')
      class A {
        @Guard(pass) message() {}
        @Intercept((_, next) => next()) info() {}
        @MapError(Error, () => undefined) close() {}
        @Guard(pass) open() {}
      }
      return [A]
    },
    problems: ['message', 'info', 'close'].map(
      name =>
        `A.${name} runs without guards, interceptors and error mappers: put them on the class, or on a method marked @On`,
    ),
  },
  'has a status that a reply can have': {
    module: () => {
      @Controller('/a')
      class A {
        @Get() @Status(99) list() {}
        @Post() @Status(200.5) add() {}
      }
      @WebSocket('/b')
      class B {
        @Status(200) open() {}
        @On('x') @Status(200) x() {}
      }
      return [A, B]
    },
    problems: [
      'A.list: @Status(99) is no status of a reply: give a whole number from 200 to 599',
      'A.add: @Status(200.5) is no status of a reply: give a whole number from 200 to 599',
      'B.open: @Status(200) has no effect: only a reply to a request has a status',
      'B.x: @Status(200) has no effect: only a reply to a request has a status',
    ],
  },
})

testBootErrors('what surrounds a handler', {
  'is a function, or a class with the method': {
    module: () => {
      @Controller('/a')
      @Guard(undefined as never, NoGuard as never, { admit: pass } as never)
      class A {
        @Get()
        @Intercept(NoGuard as never)
        @MapError(undefined as never, NoGuard as never)
        list() {}
      }
      return [A]
    },
    problems: [
      'A: @Guard was given undefined: is it imported in a circle?',
      'A: @Guard was given NoGuard, which has no method admit: write it, or give a function',
      'A: @Guard was given an object: give it a function, or a class with a method admit',
      'A.list: @MapError was given undefined for a class of errors: is it imported in a circle?',
      'A.list: @Intercept was given NoGuard, which has no method intercept: write it, or give a function',
      'A.list: @MapError was given NoGuard, which has no method map: write it, or give a function',
    ],
  },
  'says in words of OpenAPI what it asks for': {
    module: () => {
      class Silent {
        static readonly security = {}
        admit() {
          return true
        }
      }
      class Misspelt {
        static readonly security = { token: { type: 'bearer' } }
        admit() {
          return true
        }
      }
      class Vague extends Silent {
        static override readonly security = 'bearer' as never
      }
      @Controller('/a')
      @Guard(
        Vague,
        Silent,
        Misspelt,
        Object.assign(() => true as const, { security: { a: { type: 'http' } } }),
      )
      class A {
        @Get() list() {}
      }
      return [A]
    },
    problems: [
      "A: @Guard was given Vague, whose security is 'bearer': give it schemes by name, as in { token: { type: 'http', scheme: 'bearer' } }",
      "A: @Guard was given Silent, whose security is an object: give it schemes by name, as in { token: { type: 'http', scheme: 'bearer' } }",
      "A: @Guard was given Misspelt, whose security is an object: give it schemes by name, as in { token: { type: 'http', scheme: 'bearer' } }",
    ],
  },
  'is so on modules and for the application, too': {
    module: () => {
      const module = moduleOf({ controllers: [Users] })
      Guard('admin' as never)(module)
      return module
    },
    options: { interceptors: [NoGuard as never] },
    problems: [
      'bootstrap: interceptors was given NoGuard, which has no method intercept: write it, or give a function',
      "AppModule: @Guard was given 'admin': give it a function, or a class with a method admit",
    ],
  },
  'does not belong to one connection': {
    module: () => {
      @Injectable({ scope: 'connection' })
      class PerConnection {
        admit(_: Context) {
          return true
        }
      }
      @Controller('/a')
      @Injectable({ scope: 'connection' })
      class A {
        @Get() @Guard(PerConnection) list() {}
      }
      return [A]
    },
    problems: [
      'A serves all exchanges, so it cannot belong to one connection: take its scope away',
      'PerConnection serves all exchanges, so it cannot belong to one connection: take its scope away',
    ],
  },
})

/** A module of another name than `AppModule`. */
function moduleNamed(name: string, controllers: readonly Class[]): Class {
  const module = moduleOf({ controllers })
  return Object.defineProperty(module, 'name', { value: name })
}
