/** The context of what runs right now, for code that nobody hands it to: a logger, a tracer, a database client. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from './context.js'

/**
 * Where `currentContext` finds the context. Timers, promises and sockets that are made meanwhile keep this, for as long as
 * they live, and not the exchange: when that has become a connection, its request can be let go.
 */
export class Scope {
  constructor(private context: Context) {}

  run<T>(task: () => T): T {
    return storage.run(this, task)
  }

  /** From here on, and for all that began in here, the context is another. */
  moveTo(context: Context): void {
    this.context = context
  }

  /** @internal */
  get current(): Context {
    return this.context
  }
}

/** Costs nothing until the first `run`. */
const storage = new AsyncLocalStorage<Scope | undefined>()
let isKept = false

/** Some application keeps contexts. @internal */
export function keepContexts(): void {
  isKept = true
}

/**
 * The context of the request, the connection or the message that runs right now; undefined outside of them. It reaches
 * guards and handlers, what they await, their generators, their timers and all messages of a connection.
 * @throws Error where no application has `asyncContext: true`
 */
export function currentContext(): Context | undefined {
  if (!isKept) throw new Error('currentContext() needs bootstrap(AppModule, { asyncContext: true })')
  return storage.getStore()?.current
}

/** Runs a task inside a scope, where there is one. */
export function runIn<T>(scope: Scope | undefined, task: () => T): T {
  return scope === undefined ? task() : scope.run(task)
}

/** Runs a task outside of all scopes: what it starts belongs to many exchanges. */
export function runOutside<T>(task: () => T): T {
  return isKept ? storage.run(undefined, task) : task()
}
