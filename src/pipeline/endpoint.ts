/** A route compiled for running: admit, call, map. Closures made once at boot; a request only runs them. */

import type { Surroundings } from '../declare/metadata.js'
import { forbidden, HttpError } from '../errors.js'
import type { Arguments, Bind } from './bind.js'
import type { Context } from './context.js'
import { Reply } from './reply.js'
import { isPromise } from './settle.js'
import type { Admission, ErrorMapper, ErrorMapping, Guard, Interceptor } from './surroundings.js'

export type Handler = (...args: Arguments) => unknown

export interface Endpoint {
  /** Runs the guards. @throws HttpError or Refusal, before anything is committed */
  readonly admit: (context: Context) => undefined | Promise<undefined>
  /** Reads the arguments, then runs the handler inside its interceptors. */
  readonly call: (context: Context, handler: Handler) => unknown
  /** Asks the error mappers, innermost first; what none of them takes is given back. Never throws. */
  readonly map: (error: unknown, context: Context) => unknown
}

/** A guard's refusal that is a reply of its own. */
export class Refusal {
  constructor(readonly reply: Reply) {}
}

/** Where the classes that surround a handler come from. */
export type Resolve = <T>(token: new (...args: never[]) => T) => T

export function compileEndpoint(surroundings: Surroundings, bind: Bind, resolve: Resolve): Endpoint {
  const guards = surroundings.guards.map(guard => method<Guard, 'admit'>(guard, 'admit', resolve))
  const interceptors = surroundings.interceptors.map(each =>
    method<Interceptor, 'intercept'>(each, 'intercept', resolve),
  )
  const mappers = surroundings.errorMappers.map(each => each as ErrorMapping).reverse()
  const compiled = mappers.map(({ error, mapper }) => ({
    error,
    map: method<ErrorMapper, 'map'>(mapper, 'map', resolve),
  }))
  return {
    admit: context => admitFrom(guards, 0, context),
    call: compileCall(interceptors, bind),
    map(error, context) {
      try {
        for (const mapper of compiled) {
          const mapped = error instanceof mapper.error ? mapper.map(error, context) : undefined
          if (mapped !== undefined) return checkMapped(mapped)
        }
        return error
      } catch (worse) {
        return worse instanceof HttpError ? worse : new AggregateError([worse, error], 'an error mapper failed')
      }
    },
  }
}

function checkMapped(mapped: unknown): unknown {
  if (mapped instanceof HttpError || mapped instanceof Reply) return mapped
  if (isPromise(mapped)) Promise.resolve(mapped).catch(() => {})
  throw new TypeError(
    `an error mapper answered ${nameOf(mapped)}: return an HttpError, a Reply, or undefined to pass the error on`,
  )
}

/** The method of an instance when a class was given, else the function itself. */
function method<T, K extends keyof T>(given: unknown, name: K, resolve: Resolve): T[K] & Handler {
  const asClass = given as (new () => T) & { prototype?: T }
  if (typeof asClass.prototype?.[name] !== 'function') return given as T[K] & Handler
  const instance = resolve(asClass)
  return (instance[name] as T[K] & Handler).bind(instance) as T[K] & Handler
}

function admitFrom(guards: readonly Guard['admit'][], first: number, context: Context): undefined | Promise<undefined> {
  for (let index = first; index < guards.length; index++) {
    const admission = guards[index]?.(context)
    if (isPromise(admission)) {
      return Promise.resolve(admission as PromiseLike<Admission>).then(settled => {
        check(settled)
        return admitFrom(guards, index + 1, context)
      })
    }
    check(admission)
  }
  return undefined
}

/** Only `true` admits: a guard that forgot to answer keeps the door shut, and says so. */
function check(admission: Admission | undefined): void {
  if (admission === true) return
  if (admission === false) throw forbidden()
  if (admission instanceof HttpError) throw admission
  if (admission instanceof Reply) throw new Refusal(admission)
  throw new TypeError(`a guard answered ${nameOf(admission)}: return true to admit, false or an HttpError to refuse`)
}

/** A value as it is spoken of: `undefined`, `a string`, `an object`. */
function nameOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (isPromise(value)) return 'a promise'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function compileCall(interceptors: readonly Interceptor['intercept'][], bind: Bind): Endpoint['call'] {
  if (interceptors.length === 0) return (context, handler) => bind(context, args => handler(...args))
  return (context, handler) =>
    bind(context, args => {
      const run = (index: number): Promise<unknown> => {
        const intercept = interceptors[index]
        const step =
          intercept === undefined
            ? () => handler(...args)
            : () =>
                intercept(
                  context,
                  once(() => run(index + 1)),
                )
        return new Promise(resolve => resolve(step()))
      }
      return run(0)
    })
}

/** `next()` means the handler runs; twice would be two runs of it. An interceptor may ignore how it ends. */
function once(next: () => Promise<unknown>): () => Promise<unknown> {
  let called = false
  return () => {
    const result = called ? Promise.reject(new Error('an interceptor called next() twice')) : next()
    called = true
    result.catch(() => {})
    return result
  }
}
