import type { TestContext } from 'node:test'
import {
  type Application,
  type ApplicationOptions,
  bootstrap,
  type Class,
  Controller,
  Get,
  Module,
  type ModuleOptions,
  type Route,
} from '../../src/index.js'
import type { RouteKind } from '../../src/routing/table.js'

/** A module of these options. */
export function moduleOf(options: ModuleOptions): Class {
  @Module(options)
  class AppModule {}
  return AppModule
}

/** Serves a module on a spare port until the test is over. */
export async function serve(
  t: TestContext,
  module: Class | ModuleOptions,
  options: ApplicationOptions = {},
): Promise<Application> {
  const quiet: ApplicationOptions = { port: 0, host: '127.0.0.1', signals: false }
  const app = await bootstrap(typeof module === 'function' ? module : moduleOf(module), { ...quiet, ...options })
  t.after(() => app.close({ deadline: 0 }))
  return app
}

/** A controller whose one handler, a GET on `path`, answers with what `handler` does. */
export function answering(path: string, handler: (context: unknown) => unknown = () => path): Class {
  @Controller()
  class Answering {
    @Get(path)
    get() {
      return handler(undefined)
    }
  }
  return Answering
}

/** A row of a route table that says no more than where it is. */
export function routeAt(pattern: string, { method = 'GET', kind = 'http' as RouteKind, name = pattern } = {}): Route {
  const nothing = {
    guards: [],
    interceptors: [],
    errorMappers: [],
    messages: [],
    registries: [],
    sends: [],
    options: {},
  }
  const where = { kind, method, pattern, prefix: '', name, owner: Object, member: 'handler' }
  return { ...nothing, ...where, status: undefined, params: new Map() }
}
