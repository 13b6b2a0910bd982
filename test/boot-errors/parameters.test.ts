import {
  Body,
  type Context,
  Controller,
  Ctx,
  Data,
  EventStream,
  Get,
  Header,
  inject,
  int,
  On,
  Param,
  Post,
  Query,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { decorate, testBootErrors } from '../support/boot-errors.js'

class Store {}
const decorators = 'mark it @Param, @Query, @Header, @Body, @Data or @Ctx'
const noBody =
  '@Body on what has no body, as GET, HEAD, OPTIONS, handshakes and messages have none: use @Query, on messages @Data, or another method'

testBootErrors('a parameter', {
  'is filled by something': {
    module: () => {
      @Controller('/a')
      class A {
        @Get('/1') one(_: string) {}
        @Get('/2') two(@Ctx() _: unknown, __: Store) {}
        @Get('/3') three(_: Context) {}
        @Get('/4') four(_: EventStream) {}
      }
      return [A]
    },
    problems: [
      `A.one: nothing can fill parameter 0 (String): ${decorators}, or give it the type Context, AbortSignal or its connection's class`,
      `A.two: nothing can fill parameter 1 (Store): ${decorators}, or give it the type Context, AbortSignal or its connection's class`,
      `A.three: nothing can fill parameter 0, whose type is no class, or one behind "import type": ${decorators}, or import its class as a value`,
      `A.four: nothing can fill parameter 0 (EventStream): ${decorators}, or give it the type Context, AbortSignal or its connection's class`,
    ],
  },
  'is filled by something where the compiler emits no types': {
    module: () => {
      class A {
        get(_: unknown) {}
      }
      decorate([Get()], A.prototype, 'get')
      decorate([Controller('/a')], A)
      @Sse('/b')
      class B {
        open(_: EventStream, __: AbortSignal) {}
      }
      return [A, B]
    },
    problems: [
      ['A.get', 0],
      ['B.open', 1],
    ].map(
      ([name, index]) =>
        `${name}: nothing can fill parameter ${index}, whose type is not known at run time: ${decorators}, or @inject(Context), @inject(AbortSignal) or with its connection's class, or let the compiler emit types (emitDecoratorMetadata; it does so for decorated methods only)`,
    ),
  },
  'names a value of the path': {
    module: () => {
      @Controller('/a/:id')
      class A {
        @Get() one(@Param('name') _: string) {}
        @Get('/:other') two(@Param('id') _: string, @Param('name') __: string) {}
      }
      @WebSocket('/b')
      class B {
        @On('x') x(@Param('room') _: string) {}
      }
      return [A, B]
    },
    problems: [
      "A.one: @Param('name') names nothing in its path, which has :id",
      "A.two: @Param('name') names nothing in its path, which has :id, :other",
      "B.x: @Param('room') names nothing in its path, which has no parameters",
    ],
  },
  'is read with a schema where it is no string': {
    module: () => {
      @Controller('/a/:id')
      class A {
        @Get('/1') one(@Param('id') _: number, @Query('q') __: boolean, @Header('X-H') ___: number) {}
        @Get('/2') two(@Param('id', int()) _: number, @Query('q') __: string | undefined, @Query() ___: object) {}
        @Post('/3') three(@Body() _: number) {}
      }
      return [A]
    },
    problems: [
      "A.one: @Param('id') gives a string, but parameter 0 is a number: read it with a schema, such as int()",
      "A.one: @Query('q') gives a string, but parameter 1 is a boolean: read it with a schema, such as boolean()",
      "A.one: @Header('x-h') gives a string, but parameter 2 is a number: read it with a schema, such as int()",
    ],
  },
  'asks for a body where there is one': {
    module: () => {
      @Controller('/a')
      class A {
        @Get() get(@Body() _: unknown) {}
        @Sse('/b') stream(@Body() _: unknown) {}
      }
      @Sse('/c')
      class C {
        open(_: EventStream, @Body() __: unknown) {}
      }
      @WebSocket('/d')
      class D {
        open(_: Socket, @Body() __: unknown) {}
        @On('x') x(@Body() _: unknown) {}
      }
      return [A, C, D]
    },
    problems: ['A.get', 'A.stream', 'C.open', 'D.open', 'D.x'].map(name => `${name}: ${noBody}`),
  },
  'asks for the body once': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@Body() _: unknown, @Query() __: unknown, @Body() ___: unknown) {}
      }
      return [A]
    },
    problems: ['A.post: the body is asked for 2 times; it can be read once, so use one @Body'],
  },
  'asks for the data of a message in a message handler': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@Data() _: unknown) {}
      }
      @WebSocket('/b')
      class B {
        open(_: Socket, @Data() __: unknown) {}
      }
      return [A, B]
    },
    problems: ['A.post', 'B.open'].map(name => `${name}: @Data is for @On handlers; here use @Body or @Query`),
  },
  'is injected in a constructor, not in a handler': {
    module: () => {
      @Controller('/a')
      class A {
        @Get() get(@inject(Store) _: Store, @inject('url') __: string) {}
      }
      return [A]
    },
    problems: ['Store', 'url'].map(
      token =>
        `A.get: @inject(${token}) on a handler's parameter gives the context, the signal or the connection; ask for the rest in the constructor`,
    ),
  },
  'of a constructor is no value of the request': {
    module: () => {
      @Controller('/a')
      class A {
        constructor(@Param('id') _: Store, @Header('x') __: Store) {}
        @Get() get() {}
      }
      return { controllers: [A], providers: [Store] }
    },
    problems: [
      "A: @Header stands in the constructor; it belongs to a handler's parameter",
      "A: @Param stands in the constructor; it belongs to a handler's parameter",
    ],
  },
  'of a callback that is called with what happened is not decorated': {
    module: () => {
      @WebSocket('/a/:id')
      class A {
        message(@Param('id') _: string) {}
        close(@Query('x') _: string) {}
      }
      return [A]
    },
    problems: ['message', 'close'].map(
      name =>
        `A.${name} has decorated parameters: it is called with what happened and the connection; read the rest in open`,
    ),
  },
})
