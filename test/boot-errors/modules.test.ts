import { type Class, Controller, Get, Guard, Injectable, Module, type ModuleOptions, Sse } from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { testBootErrors } from '../support/boot-errors.js'

@Controller('/users')
class Users {
  @Get() list() {}
}
@Sse('/ticks')
class Ticks {
  open() {}
}
@Injectable()
class Service {}
class Plain {}

const pass = () => true
const refuse = () => false

function named(name: string, options: ModuleOptions, ...guards: (() => boolean)[]): Class {
  const module = moduleOf(options)
  if (guards.length > 0) Guard(...guards)(module)
  return Object.defineProperty(module, 'name', { value: name })
}

testBootErrors('a module', {
  'is one': {
    module: () => Plain,
    problems: ['Plain is used as a module but is not one: mark it @Module({ … })'],
  },
  'is a class': {
    module: () => ({ imports: [undefined as never, { module: undefined as never }] }),
    problems: ['AppModule imports undefined, which is no module: is it imported in a circle?'],
  },
  'is given to bootstrap': {
    module: () => Object.assign(() => {}, {}) as unknown as Class,
    problems: ['a function is used as a module but is not one: mark it @Module({ … })'],
  },
  'imports modules, and no classes of another kind': {
    module: () => ({ imports: [Users, Ticks, Service] }),
    problems: [
      "Users is used as a module but is marked @Controller('/users'): list it among the controllers of a module",
      "Ticks is used as a module but is marked @Sse('/ticks'): list it among the controllers of a module",
      'Service is used as a module but is marked @Injectable(): list it among the providers of a module',
    ],
  },
  'does not import itself, by whatever way': {
    module: () => {
      const circle: Class[] = []
      const inner = named('Inner', { imports: circle })
      const outer = named('Outer', { imports: [inner] })
      circle.push(outer)
      return { imports: [outer] }
    },
    problems: ['modules import each other: Outer → Inner → Outer: move what both need into a third'],
  },
  'with controllers has one prefix': {
    module: () => {
      const shared = named('Shared', { controllers: [Users] })
      const inner = named('Inner', { imports: [shared] })
      return {
        imports: [
          named('A', { imports: [inner], prefix: '/a' }),
          named('B', { imports: [shared], prefix: '/b' }),
          { module: shared, prefix: 'c/' },
          shared,
        ],
      }
    },
    problems: [
      'Shared is imported under two prefixes, /a and /b: import it once',
      'Shared is imported under two prefixes, /a and /c: import it once',
      'Shared is imported under two prefixes, /a and /: import it once',
    ],
  },
  'with controllers is guarded one way': {
    module: () => {
      const shared = named('Shared', { controllers: [Users] })
      const same = named('Same', { imports: [shared] }, pass)
      return { imports: [named('A', { imports: [shared] }, pass), named('B', { imports: [shared] }, refuse), same] }
    },
    problems: [
      'Shared is imported by A and B, which surround it with different guards, interceptors or error mappers: import it once, or put those on its classes',
    ],
  },
  'has lists of classes, and a prefix that is text': {
    module: () => {
      @Module({ controllers: Users, imports: { module: Plain }, providers: 'Service', prefix: 5 } as never)
      class AppModule {}
      return AppModule
    },
    problems: [
      'AppModule: @Module(): controllers should be an array, not Users',
      'AppModule: @Module(): imports should be an array, not an object',
      "AppModule: @Module(): providers should be an array, not 'Service'",
      'AppModule: @Module(): prefix should be a string, not 5',
    ],
  },
  'is declared with an object': {
    module: () => moduleOf(null as never),
    problems: ['AppModule: @Module() takes an object of options, not null'],
  },
  'knows its options, and those of its imports': {
    module: () => ({ controler: [], imports: [{ module: moduleOf({}), prefx: '/a' }] }) as never,
    problems: [
      'AppModule: @Module() has no option controler: did you mean controllers?',
      'AppModule: an import has no option prefx: did you mean prefix?',
    ],
  },
})
