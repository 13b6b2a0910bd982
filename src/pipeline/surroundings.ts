/** What may stand around a handler, and the decorators that put it there. */
import { type AbstractClass, type Class, openDeclaration, openMember } from '../declare/metadata.js'
import { declareParam } from '../declare/params.js'
import type { HttpError } from '../errors.js'
import type { Context } from './context.js'
import type { Reply } from './reply.js'

/** `true` admits, `false` refuses with 403, an error or a reply refuses with itself. */
export type Admission = boolean | HttpError | Reply

/** Decides, before anything is committed, whether an exchange may go on. It may throw an `HttpError`, too. */
export interface Guard {
  /** `true` admits; `false`, an `HttpError` or a reply refuses. */
  admit(context: Context): Admission | Promise<Admission>
}

/** Wraps one call of a handler: a request, an opening, or a message. What it returns takes the place of the result. */
export interface Interceptor {
  /** Runs around the call, which `next` makes, once. */
  intercept(context: Context, next: () => Promise<unknown>): unknown
}

/** Turns an error into what the peer is told: an `HttpError` or a reply. `undefined` passes it on. */
export interface ErrorMapper<E = unknown> {
  /** Answers what the peer is told; `undefined` leaves the error to the next mapper. */
  map(error: E, context: Context): HttpError | Reply | undefined
}

/** A guard: a function, or a class with dependencies. */
export type GuardLike = Class<Guard> | Guard['admit']
/** An interceptor: a function, or a class with dependencies. */
export type InterceptorLike = Class<Interceptor> | Interceptor['intercept']
/** An error mapper: a function, or a class with dependencies. */
export type ErrorMapperLike<E = unknown> = Class<ErrorMapper<E>> | ErrorMapper<E>['map']

/** A mapper and the class of errors it is for: `{ error: NoSuchThing, mapper: error => notFound(error.message) }`. */
export interface ErrorMapping {
  /** The class of the errors that it maps, subclasses included. */
  readonly error: AbstractClass
  /** Gets instances of `error`; a parameter without a type is taken for an `Error`, since a list cannot say more. */
  readonly mapper: ErrorMapperLike<Error>
}

type Decorate = (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => void

function surround(list: 'guards' | 'interceptors' | 'errorMappers', items: readonly unknown[]): Decorate {
  return (target, key) => {
    const declaration = key === undefined ? openDeclaration(target as AbstractClass) : openMember(target, key)
    declaration[list].unshift(...items)
  }
}

/**
 * Guards of a class, a method or a module, run in the order they are written, before the handler's arguments are read.
 * On a socket class they run before the handshake is answered; on an `@On` method before each message. A guard may say what
 * it asks for, for documents: by a static member `security` (`Security` of `palomino/describe`).
 */
export function Guard(...guards: readonly GuardLike[]): Decorate {
  return surround('guards', guards)
}

/** Interceptors of a class, a method or a module; the first written is the outermost. */
export function Intercept(...interceptors: readonly InterceptorLike[]): Decorate {
  return surround('interceptors', interceptors)
}

/** A mapper for errors of one class (and its descendants) that come from a class, a method or a module. The innermost is asked first. */
export function MapError<E>(error: AbstractClass<E & object>, mapper: ErrorMapperLike<E>): Decorate {
  return surround('errorMappers', [{ error, mapper }])
}

/**
 * A parameter decorator of your own: `const User = fromContext(context => context.get(user))`, then `@User() user`.
 */
export function fromContext<C extends Context>(read: (context: C) => unknown) {
  return (): ((target: object, key: string | symbol | undefined, index: number) => void) =>
    declareParam({ source: 'custom', read })
}
