/**
 * What decorators write and boot reads. The only file that touches `Reflect`'s metadata: each class carries its own
 * declaration, and nothing is kept anywhere else, so a class that no module lists does not exist.
 */
import 'reflect-metadata'
import type { StandardSchemaV1 } from '@standard-schema/spec'

export type Class<T = object> = new (...args: never[]) => T
export type AbstractClass<T = object> = abstract new (...args: never[]) => T
/** What a dependency is asked for by: a class, an abstract class, a string or a symbol. */
export type Token<T = unknown> = AbstractClass<T & object> | string | symbol

export type ParamSource = 'param' | 'query' | 'header' | 'body' | 'data' | 'context' | 'token' | 'custom'

/** How one parameter of a handler is filled. */
export interface ParamDeclaration {
  readonly source: ParamSource
  /** The name of the value; without one, all values of the source. */
  readonly name?: string
  readonly schema?: StandardSchemaV1
  readonly options?: object
  /** The class asked for, where the source is `token`. */
  readonly token?: Token
  /** Where the source is `custom`. */
  readonly read?: (context: never) => unknown
}

/** One decorator that makes a class or a member into something: a route, a message handler, a module. */
export interface Mark {
  readonly as: 'controller' | 'sse' | 'websocket' | 'module' | 'registry' | 'injectable' | 'http' | 'on'
  /** The decorator as it was written, for messages: `@Get('/users')`. */
  readonly written: string
  readonly method?: string
  readonly path?: string
  readonly schema?: StandardSchemaV1
  readonly options: object
}

/** What surrounds a handler: filled by the decorators of `pipeline/`, outermost first. */
export interface Surroundings {
  readonly guards: readonly unknown[]
  readonly interceptors: readonly unknown[]
  readonly errorMappers: readonly unknown[]
}

export interface MemberDeclaration extends Surroundings {
  readonly marks: readonly Mark[]
  readonly status?: number
  readonly params: ReadonlyMap<number, ParamDeclaration>
}

export interface ClassDeclaration extends Surroundings {
  readonly marks: readonly Mark[]
  readonly members: ReadonlyMap<string, MemberDeclaration>
  readonly tokens: ReadonlyMap<number, Token>
  readonly problems: readonly string[]
}

interface OpenMember extends MemberDeclaration {
  marks: Mark[]
  status?: number
  guards: unknown[]
  interceptors: unknown[]
  errorMappers: unknown[]
  params: Map<number, ParamDeclaration>
}

interface OpenDeclaration extends ClassDeclaration {
  /** Tells apart the declarations of a second copy of this package, which this one could not serve. */
  readonly copy: symbol
  marks: Mark[]
  guards: unknown[]
  interceptors: unknown[]
  errorMappers: unknown[]
  members: Map<string, OpenMember>
  tokens: Map<number, Token>
  problems: string[]
}

const KEY = Symbol.for('palomino.declaration')
const THIS_COPY = Symbol('palomino')

const surroundings = () => ({ guards: [], interceptors: [], errorMappers: [] })

/** The declaration a decorator writes to: the class's own, made at its first decorator. */
export function openDeclaration(target: AbstractClass): OpenDeclaration {
  const own: OpenDeclaration | undefined = Reflect.getOwnMetadata(KEY, target)
  if (own !== undefined) return own
  const made = { copy: THIS_COPY, marks: [], members: new Map(), tokens: new Map(), problems: [], ...surroundings() }
  Reflect.defineMetadata(KEY, made, target)
  return made
}

/** The part of a class's declaration that concerns one of its methods. `target` is the prototype. */
export function openMember(target: object, key: string | symbol): OpenMember {
  if (typeof key === 'object') {
    throw new TypeError(
      'Palomino needs decorators with metadata: set "experimentalDecorators" and "emitDecoratorMetadata" in tsconfig.json',
    )
  }
  const declaration = openDeclaration(target.constructor as AbstractClass)
  const name = String(key)
  const known = declaration.members.get(name)
  if (known !== undefined) return known
  if (typeof target === 'function')
    declaration.problems.push(`${target.name}.${name} is static: decorate instance methods`)
  const made = { marks: [], params: new Map(), ...surroundings() }
  declaration.members.set(name, made)
  return made
}

/** Whether a class was declared by another copy of this package. */
export function isForeign(target: AbstractClass): boolean {
  const own: OpenDeclaration | undefined = Reflect.getMetadata(KEY, target)
  return own !== undefined && own.copy !== THIS_COPY
}

/** Whether any decorator, of whatever library, left metadata on a class. */
export function isDecorated(target: AbstractClass): boolean {
  return Reflect.getOwnMetadataKeys(target).length > 0
}

/**
 * All that a class says of itself, ancestors included. What surrounds adds up, the ancestor's outermost. A member is
 * taken over as it stands, unless the descendant marks it anew; then only the descendant's marks count.
 */
export function readDeclaration(target: AbstractClass): ClassDeclaration {
  const ancestor = Object.getPrototypeOf(target) as AbstractClass | null
  const own: OpenDeclaration | undefined = Reflect.getOwnMetadata(KEY, target)
  const inherited = ancestor !== null && ancestor !== Function.prototype ? readDeclaration(ancestor) : undefined
  if (own === undefined)
    return inherited ?? { ...surroundings(), marks: [], members: new Map(), tokens: new Map(), problems: [] }
  if (inherited === undefined) return own
  const members = new Map(inherited.members)
  for (const [name, member] of own.members) members.set(name, mergeMember(inherited.members.get(name), member))
  return {
    ...addSurroundings(inherited, own),
    marks: own.marks.length > 0 ? own.marks : inherited.marks,
    members,
    tokens: own.tokens.size > 0 ? own.tokens : inherited.tokens,
    problems: own.problems,
  }
}

function mergeMember(inherited: MemberDeclaration | undefined, own: MemberDeclaration): MemberDeclaration {
  if (inherited === undefined) return own
  const status = own.status ?? inherited.status
  return {
    ...addSurroundings(inherited, own),
    marks: own.marks.length > 0 ? own.marks : inherited.marks,
    params: own.params.size > 0 ? own.params : inherited.params,
    ...(status === undefined ? {} : { status }),
  }
}

export function addSurroundings(outer: Surroundings, inner: Surroundings): Surroundings {
  return {
    guards: [...outer.guards, ...inner.guards],
    interceptors: [...outer.interceptors, ...inner.interceptors],
    errorMappers: [...outer.errorMappers, ...inner.errorMappers],
  }
}

/** `design:paramtypes` of a constructor or a method, nearest ancestor's; undefined where the compiler emitted none. */
export function paramTypes(target: AbstractClass, member?: string): readonly unknown[] | undefined {
  return member === undefined
    ? Reflect.getMetadata('design:paramtypes', target)
    : Reflect.getMetadata('design:paramtypes', target.prototype, member)
}

/** Tokens that tsyringe's own `@inject` noted on a constructor, by position. */
export function tsyringeTokens(target: AbstractClass): Readonly<Record<number, unknown>> {
  return Reflect.getMetadata('injectionTokens', target) ?? {}
}
