/** The classes among guards, interceptors and error mappers, and what cannot be one. */
import type { AbstractClass, Surroundings } from '../declare/metadata.js'
import { show } from '../declare/options.js'

interface Given {
  readonly what: unknown
  readonly written: string
  /** The method that a class among them has. */
  readonly method: string
}

const decorators = { guards: '@Guard', interceptors: '@Intercept', errorMappers: '@MapError' }

function given(surroundings: Surroundings, written = decorators): Given[] {
  return [
    ...surroundings.guards.map(what => ({ what, written: written.guards, method: 'admit' })),
    ...surroundings.interceptors.map(what => ({ what, written: written.interceptors, method: 'intercept' })),
    ...surroundings.errorMappers.map(mapping => ({
      what: (mapping as { mapper: unknown }).mapper,
      written: written.errorMappers,
      method: 'map',
    })),
  ]
}

/** Most handlers have nothing around them, and a large table asks of each of them several times. */
function isBare({ guards, interceptors, errorMappers }: Surroundings): boolean {
  return guards.length + interceptors.length + errorMappers.length === 0
}

const none: readonly never[] = Object.freeze([])

/** The classes whose instances surround a handler: they are made with the application. */
export function surroundingClasses(surroundings: Surroundings): readonly AbstractClass[] {
  if (isBare(surroundings)) return none
  return given(surroundings)
    .filter(({ what, method }) => hasMethod(what, method))
    .map(({ what }) => what as AbstractClass)
}

/** `written` is what put them there, for messages. */
export function surroundingProblems(
  where: string,
  surroundings: Surroundings,
  written = decorators,
): readonly string[] {
  if (isBare(surroundings)) return none
  const errors = surroundings.errorMappers
    .map(mapping => (mapping as { error: unknown }).error)
    .filter(error => typeof error !== 'function')
    .map(
      error =>
        `${where}: ${written.errorMappers} was given ${show(error)} for a class of errors: is it imported in a circle?`,
    )
  const items = given(surroundings, written).flatMap(({ what, written: by, method }) => {
    if (what === undefined) return [`${where}: ${by} was given undefined: is it imported in a circle?`]
    if (typeof what !== 'function')
      return [`${where}: ${by} was given ${show(what)}: give it a function, or a class with a method ${method}`]
    if (!isClass(what) || hasMethod(what, method)) return method === 'admit' ? securityProblems(where, what, by) : []
    return [`${where}: ${by} was given ${what.name}, which has no method ${method}: write it, or give a function`]
  })
  return [...errors, ...items]
}

const SCHEMES: ReadonlySet<unknown> = new Set(['apiKey', 'http', 'mutualTLS', 'oauth2', 'openIdConnect'])

/** What a guard says it asks for goes into documents as it is: by no scheme at all, they would say that nothing is asked for. */
function securityProblems(where: string, guard: { readonly name: string }, by: string): readonly string[] {
  const { security } = guard as { readonly security?: unknown }
  if (security === undefined) return none
  const schemes: readonly unknown[] = typeof security === 'object' ? Object.values(Object(security)) : none
  if (schemes.length > 0 && schemes.every(scheme => SCHEMES.has(Object(scheme).type))) return none
  const cure = "give it schemes by name, as in { token: { type: 'http', scheme: 'bearer' } }"
  return [`${where}: ${by} was given ${guard.name}, whose security is ${show(security)}: ${cure}`]
}

function hasMethod(what: unknown, method: string): boolean {
  return typeof what === 'function' && typeof what.prototype?.[method] === 'function'
}

/** A class cannot be called; its source says so, since its `prototype` is what a function's may be. */
function isClass(what: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(what))
}
