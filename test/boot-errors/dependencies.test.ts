import 'reflect-metadata'
import { delay, inject as tsyringeInject } from 'tsyringe'
import {
  type Class,
  ConnectionRegistry,
  Controller,
  EventStream,
  Get,
  Injectable,
  inject,
  type ModuleOptions,
  type Provider,
  Registry,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { testBootErrors } from '../support/boot-errors.js'

interface Clock {
  now(): number
}
abstract class Store {}
class Plain {}
@Injectable()
class NeedsStore {
  constructor(readonly store: Store) {}
}
@Registry('rooms')
class Rooms extends ConnectionRegistry {}

const providing =
  (...providers: unknown[]) =>
  (): ModuleOptions => ({ providers: providers as Provider[] })

class Undecorated {
  constructor(readonly store: Store) {}
}
@Injectable()
class Bare {
  constructor(
    readonly one: Plain,
    readonly two: Plain,
  ) {}
}
Reflect.deleteMetadata('design:paramtypes', Bare)
@Injectable()
class HalfBare {
  constructor(
    @inject(Plain) readonly one: Plain,
    readonly two: Plain,
  ) {}
}
Reflect.deleteMetadata('design:paramtypes', HalfBare)
@Injectable()
class Interface {
  constructor(
    readonly clock: Clock,
    readonly url: string,
    readonly limits: number[],
    readonly either: Plain | Store,
  ) {}
}
/** What `tsc` makes of a class behind `import type`. */
@Injectable()
class TypeOnly {
  constructor(readonly plain: Plain) {}
}
Reflect.defineMetadata('design:paramtypes', [Function], TypeOnly)
const gone =
  'an interface, a union, or a class behind "import type", of which nothing is left at run time: import its class as a value'
@Injectable()
class Circular {
  constructor(readonly other: Plain) {}
}
Reflect.defineMetadata('design:paramtypes', [undefined], Circular)
@Injectable()
class Delayed {
  constructor(@tsyringeInject(delay(() => Plain)) readonly other: Plain) {}
}

@Injectable()
class Defaults {
  constructor(
    readonly plain: Plain,
    readonly limit = 5,
    readonly name: string = 'a',
  ) {}
}

testBootErrors('a constructor', {
  'with parameters has a decorator': {
    module: providing(Undecorated),
    problems: [
      'Undecorated has a constructor with parameters and no decorator, so the compiler emits no types for it: mark it @Injectable()',
    ],
  },
  'has types at run time, or tokens': {
    module: providing(Plain, Bare, HalfBare),
    problems: [
      ['Bare: constructor parameters 0 and 1 have no types', 'mark each'],
      ['HalfBare: constructor parameter 1 has no type', 'mark it'],
    ].map(
      ([where, cure]) =>
        `${where} at run time, since the compiler emitted no decorator metadata: set "emitDecoratorMetadata" (tsc) or "decoratorMetadata" (swc), or ${cure} @inject(Token), since esbuild and tsx emit none`,
    ),
  },
  'asks for no interface and no primitive': {
    module: providing(Interface),
    problems: [
      `0 is ${gone}, `,
      '1 is of the type String, which cannot be a token: ',
      '2 is of the type Array, which cannot be a token: ',
      `3 is ${gone}, `,
    ].map(
      what =>
        `Interface: constructor parameter ${what}give it a class (abstract, too) as its type, or mark it @inject('name')`,
    ),
  },
  'has no default in place of a token': {
    module: providing(Plain, Defaults),
    problems: [1, 2].map(
      index =>
        `Defaults: constructor parameter ${index} has a default, or stands behind one that has, and no token: mark it @inject('name', { isOptional: true }), which leaves the default where no module provides it`,
    ),
  },
  'asks for no class behind "import type"': {
    module: providing(Plain, TypeOnly),
    problems: [
      `TypeOnly: constructor parameter 0 is ${gone}, give it a class (abstract, too) as its type, or mark it @inject('name')`,
    ],
  },
  'asks for a class that exists by then': {
    module: providing(Circular),
    problems: [
      'Circular: constructor parameter 0 is undefined when the class is made: its file and this one import each other; move what both need into a third',
    ],
  },
  'hides no circle behind delay()': {
    module: providing(Plain, Delayed),
    problems: [
      'Delayed: constructor parameter 0 is asked for by delay(), which hides a circle of dependencies: move what both need into a third class',
    ],
  },
  'has no parameters of handlers': {
    module: () => {
      @Controller('/a')
      class A {
        constructor(@inject('x') readonly x: string) {}
        @Get() get() {}
      }
      return { controllers: [A] }
    },
    problems: ["A needs 'x', which no module provides: add 'x' to the providers of AppModule"],
  },
})

testBootErrors('a dependency', {
  'is provided': {
    module: () => {
      @Sse('/a')
      class A {
        constructor(readonly store: Store) {}
        open() {}
      }
      const factory = { token: 'made', useFactory: () => 1, inject: ['url', Symbol('key')] }
      return { providers: [NeedsStore, factory, { token: 'other', useToken: Plain }], controllers: [A] }
    },
    problems: [
      'NeedsStore needs Store, which no module provides: add Store to the providers of AppModule',
      "the provider of 'made' needs 'url', which no module provides: add 'url' to the providers of AppModule",
      "the provider of 'made' needs Symbol(key), which no module provides: add Symbol(key) to the providers of AppModule",
      "the provider of 'other' needs Plain, which no module provides: add Plain to the providers of AppModule",
      'A needs Store, which no module provides: add Store to the providers of AppModule',
    ],
  },
  'does not go in a circle': {
    module: () => {
      @Injectable()
      class A {
        constructor(@inject('b') readonly b: object) {}
      }
      @Injectable()
      class B {
        constructor(readonly a: A) {}
      }
      const self = { token: 'self', useToken: 'self' }
      return { providers: [A, { token: 'b', useToken: B }, B, self] }
    },
    problems: [
      "dependencies go in a circle: A → 'b' → B → A: move what both need into a third class, or pass it to a method",
      "dependencies go in a circle: 'self' → 'self': move what both need into a third class, or pass it to a method",
    ],
  },
  'that belongs to one connection is asked for by what belongs to one': {
    module: () => {
      @Injectable({ scope: 'connection' })
      class Session {}
      @Injectable()
      class Shared {
        constructor(
          readonly stream: EventStream,
          @inject('session') readonly session: Session,
        ) {}
      }
      @Controller('/a')
      class A {
        constructor(readonly session: Session) {}
        @Get() get() {}
      }
      return { controllers: [A], providers: [Session, Shared, { token: 'session', useToken: Session }] }
    },
    problems: [
      ['Shared', 'EventStream'],
      ['Shared', "'session'"],
      ['A', 'Session'],
    ].map(
      ([name, asked]) =>
        `${name} is not made for one connection, but needs ${asked}, which belongs to one: mark ${name} @Injectable({ scope: 'connection' }), or ask for it in an event source or a socket class`,
    ),
  },
  'on the connection asks for the kind that is served': {
    module: () => {
      @Injectable({ scope: 'connection' })
      class Session {
        constructor(readonly socket: Socket) {}
      }
      @Sse('/a')
      class A {
        constructor(readonly session: Session) {}
        open() {}
      }
      @WebSocket('/b')
      class B {
        constructor(
          readonly session: Session,
          readonly stream: EventStream,
        ) {}
        open() {}
      }
      return { controllers: [A, B], providers: [Session] }
    },
    problems: [
      'A is given no Socket, since it serves no such connection: ask for Connection',
      'B is given no EventStream, since it serves no such connection: ask for Connection',
    ],
  },
})

testBootErrors('a provider', {
  'has a token, and says what it is': {
    module: providing({ useClass: Plain }, undefined, { token: undefined, useValue: 1 }, { token: 'x' }),
    problems: [
      'AppModule lists a provider without a token: give a class, or { token, useClass | useValue | useFactory | useToken }',
      "AppModule: the provider of 'x' says nothing of what it is: add useClass, useValue, useFactory or useToken",
    ],
  },
  'has hooks only as a singleton': {
    module: () => {
      @Injectable({ scope: 'transient' })
      class Fleeting {
        onStart() {}
        onStop() {}
      }
      return { providers: [Fleeting] }
    },
    problems: [
      "Fleeting has the scope 'transient' and an onStart, which never runs: only singletons start and stop",
      "Fleeting has the scope 'transient' and an onStop, which never runs: only singletons start and stop",
    ],
  },
  'knows its options, each form its own': {
    module: providing(
      { token: 'a', useVale: 1 },
      { token: 'b', useClass: Plain, injects: [] },
      { token: 'c', useFactory: () => 1, scope: 'transient' },
      { token: 'd', useClass: Plain, useValue: 1 },
    ),
    problems: [
      "AppModule: the provider of 'a' has no option useVale: did you mean useValue?",
      "AppModule: the provider of 'a' says nothing of what it is: add useClass, useValue, useFactory or useToken",
      "AppModule: the provider of 'b' has no option injects: it knows token, useClass, scope",
      "AppModule: the provider of 'c' has no option scope: it knows token, useFactory, inject",
      "AppModule: the provider of 'd' has no option useValue: it knows token, useClass, scope",
    ],
  },
  'gives a class that is one, and a function that is one': {
    module: providing({ token: 'a', useClass: undefined }, { token: 'b', useFactory: undefined }),
    problems: [
      "AppModule: the class that provides 'a' is undefined: is it imported in a circle?",
      "AppModule: the provider of 'b': its useFactory is undefined, not a function: is it imported in a circle?",
    ],
  },
  'is no controller and no module': {
    module: () => {
      @Controller('/a')
      class A {
        @Get() get() {}
      }
      return { providers: [A] }
    },
    problems: [
      "AppModule lists A among its providers, but it is marked @Controller('/a'): list it among the controllers",
    ],
  },
  'among the overrides is held to the same': {
    module: providing(),
    options: { overrides: [{ useValue: 1 } as never] },
    problems: [
      'overrides lists a provider without a token: give a class, or { token, useClass | useValue | useFactory | useToken }',
    ],
  },
})

testBootErrors('a registry', {
  'has a name': {
    module: () => {
      class Nameless extends ConnectionRegistry {}
      @Registry('')
      class Empty extends ConnectionRegistry {}
      return { providers: [Nameless, Empty] }
    },
    problems: ['Nameless', 'Empty'].map(name => `${name} is a registry without a name: mark it @Registry('name')`),
  },
  'extends ConnectionRegistry': {
    module: () => {
      @Registry('x')
      class NotOne {}
      return { providers: [NotOne] }
    },
    problems: ["NotOne is marked @Registry('x') but is no registry: let it extend ConnectionRegistry<Events>"],
  },
  'has a name of its own': {
    module: () => {
      const other: { Rooms?: Class } = {}
      {
        @Registry('rooms')
        class Rooms extends ConnectionRegistry {}
        other.Rooms = Rooms
      }
      return { providers: [Rooms, other.Rooms] }
    },
    problems: [
      "Rooms and Rooms are both the registry 'rooms': a name stands for one registry on every node; choose another",
    ],
  },
  'is one instance, that lives with the application': {
    module: () => {
      @Injectable({ scope: 'transient' })
      @Registry('fleeting')
      class Fleeting extends ConnectionRegistry {}
      return { providers: [Rooms, { token: 'rooms', useClass: Rooms }, Fleeting] }
    },
    problems: [
      "Rooms is provided by two tokens, which makes it two registries 'rooms': give the second by useToken",
      "Fleeting is a registry with the scope 'transient': a registry holds many connections; take its scope away",
    ],
  },
  'is made by the application': {
    module: () => ({ providers: [{ token: Rooms, useValue: new Rooms() }] }),
    problems: ['AppModule: the provider of Rooms is a registry as a value, which nothing starts: list its class'],
  },
})
