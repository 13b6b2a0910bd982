import { All, Controller, Get, Module, Post, Sse, WebSocket } from '../../src/index.js'
import { answering } from '../support/apps.js'
import { testBootErrors } from '../support/boot-errors.js'

@WebSocket('/chat')
class Chat {
  message() {}
}
@WebSocket()
class Pathless {
  message() {}
}

testBootErrors('two routes', {
  'of one method and path are one too many': {
    module: () => {
      @Controller('/users')
      class A {
        @Get('/:id') show() {}
        @Get('/:id') again() {}
        @Post('/:id') fine() {}
        @Sse('/:id') alsoFine() {}
        @All('/:id') fineToo() {}
      }
      @Sse('/ticks')
      class B {
        open() {}
      }
      @Sse('/ticks/')
      class C {
        open() {}
      }
      @WebSocket('/chat')
      class D {
        open() {}
      }
      return [A, B, C, Chat, D]
    },
    problems: [
      'GET /users/:id is declared twice, by A.show and by A.again: give one another path or method',
      'SSE /ticks/ (C) can never be reached, since SSE /ticks (B) answers the same requests: give one another path, or constrain its parameter, as in :id(\\d+)',
      'WS /chat is declared twice, by Chat and by D: give one another path or method',
    ],
  },
  'that differ in the names of parameters alone shadow each other': {
    module: () => {
      @Controller('/users')
      class A {
        @Get('/:id') show() {}
        @Get('/:name') find() {}
        @Get('/:number(\\d+)') fine() {}
        @Get('/*rest') alsoFine() {}
      }
      return [A]
    },
    problems: [
      'GET /users/:name (A.find) can never be reached, since GET /users/:id (A.show) answers the same requests: give one another path, or constrain its parameter, as in :id(\\d+)',
    ],
  },
  'may meet where an optional segment is missing': {
    module: () => {
      @Controller('/posts')
      class A {
        @Get('/') list() {}
        @Get('/:year?') byYear() {}
        @Get('/:slug') show() {}
      }
      return [A]
    },
    problems: [
      'GET /posts/:year? (A.byYear) and GET /posts (A.list) both answer GET /posts: give one another path',
      'GET /posts/:slug (A.show) can never be reached, since GET /posts/:year? (A.byYear) answers the same requests: give one another path, or constrain its parameter, as in :id(\\d+)',
    ],
  },
  'that differ in the closing slash are told apart by the policy alone': {
    module: () => [answering('/a/'), answering('/a'), answering('/a/')],
    options: { closingSlash: 'strict' },
    problems: ['GET /a/ is declared twice, by Answering.get and by Answering.get: give one another path or method'],
  },
})

testBootErrors('a path', {
  'follows the grammar': {
    module: () => [answering('/user-:id'), answering('/:a/:a'), answering('/:id(+)'), answering('/100%')],
    problems: [
      'Answering.get: /user-:id: user-:id mixes text and a parameter; a parameter is a whole segment',
      'Answering.get: /:a/:a: the name a stands twice',
      'Answering.get: /:id(+): :id(+): Invalid regular expression: /^(?:+)$/u: Nothing to repeat',
      'Answering.get: /100%: 100% has a bad percent escape',
    ],
  },
  'follows it with its prefixes': {
    module: () => {
      @Module({ controllers: [answering('/:id')], prefix: '/:id' })
      class Inner {}
      return { imports: [Inner] }
    },
    options: { prefix: '/api/*' },
    problems: [
      'Answering.get: /api/*/:id/:id: * must be the last segment',
      'Answering.get: /api/*/:id/:id: the name id stands twice',
    ],
  },
})

testBootErrors('an upgrade', {
  'goes to a socket class that a module lists, from a @Get': {
    module: () => {
      @Controller('/a')
      class A {
        @Get('/1', { upgrade: [Chat, undefined as never] }) one() {}
        @Post('/2', { upgrade: [Pathless] }) two() {}
      }
      return [A, Pathless]
    },
    problems: [
      'A.one upgrades to Chat, which is no socket class that a module lists: mark it @WebSocket(), and add it to the controllers of a module',
      'A.one upgrades to undefined, which is no socket class that a module lists: mark it @WebSocket(), and add it to the controllers of a module',
      'A.two upgrades, but only GET can (RFC 6455 §4.1): mark it @Get',
    ],
  },
  'is the only way to a socket class without a path': {
    module: () => [Pathless],
    problems: [
      "Pathless can never be reached: give it a path, @WebSocket('/path'), or name it in @Get(path, { upgrade: [Pathless] })",
    ],
  },
  'has the upgrade requests of its path for itself': {
    module: () => {
      @Controller()
      class A {
        @Get('/chat/', { upgrade: [Chat] }) door() {}
      }
      return [A, Chat]
    },
    problems: [
      'A.door can never upgrade, since WS /chat (Chat) takes the upgrade requests of its path: give one another path',
    ],
  },
})
