/**
 * What decorators write and boot reads. The only file that touches `Reflect`'s metadata: each class carries its own
 * declaration, and nothing is kept anywhere else, so a class that no module lists does not exist.
 */
/// <reference types="reflect-metadata" />
import { fileURLToPath } from 'node:url'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ConfigurationError } from '../errors.js'
import { require } from './require.js'

require('reflect-metadata')

/** A class that can be made. */
export type Class<T = object> = new (...args: never[]) => T
/** A class, abstract or not. */
export type AbstractClass<T = object> = abstract new (...args: never[]) => T
/** What a dependency is asked for by: a class, an abstract class, a string or a symbol. */
export type Token<T = unknown> = AbstractClass<T & object> | string | symbol

export type ParamSource =
  | 'param'
  | 'query'
  | 'header'
  | 'cookie'
  | 'accepts'
  | 'body'
  | 'file'
  | 'files'
  | 'data'
  | 'context'
  | 'token'
  | 'custom'

/** How one parameter of a handler is filled. */
export interface ParamDeclaration {
  readonly source: ParamSource
  /** The name of the value; without one, all values of the source. */
  readonly name?: string
  readonly schema?: StandardSchemaV1
  readonly options?: object
  /** The class asked for, where the source is `token`. */
  readonly token?: Token
  /** Where the source is `custom` or `accepts`. */
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

/** What decorators that were told nothing share: so it is with most of a large table. */
export const noOptions: Readonly<Record<string, unknown>> = Object.freeze({})

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

/** What a constructor's parameter asks for by `@inject`. */
export interface AskedToken {
  readonly token: Token
  /** Whether it may be undefined, where nobody provides it. */
  readonly isOptional: boolean
}

export interface ClassDeclaration extends Surroundings {
  readonly marks: readonly Mark[]
  readonly members: ReadonlyMap<string, MemberDeclaration>
  readonly tokens: ReadonlyMap<number, AskedToken>
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
  readonly copy: Copy
  marks: Mark[]
  guards: unknown[]
  interceptors: unknown[]
  errorMappers: unknown[]
  members: Map<string, OpenMember>
  tokens: Map<number, AskedToken>
  problems: string[]
}

const KEY = Symbol.for('palomino.declaration')

interface Copy {
  readonly folder: string
}
const THIS_COPY: Copy = { folder: fileURLToPath(new URL('..', import.meta.url)) }

/** What this copy declared. Boot asks for it thousands of times, and each answer of `Reflect` takes three maps. */
const declared = new WeakMap<AbstractClass, OpenDeclaration>()

function ownDeclaration(target: AbstractClass): OpenDeclaration | undefined {
  return declared.get(target) ?? Reflect.getOwnMetadata(KEY, target)
}

const surroundings = () => ({ guards: [], interceptors: [], errorMappers: [] })

/** The declaration a decorator writes to: the class's own, made at its first decorator. */
export function openDeclaration(target: AbstractClass): OpenDeclaration {
  const own = ownDeclaration(target)
  if (own !== undefined) return own
  const made = { copy: THIS_COPY, marks: [], members: new Map(), tokens: new Map(), problems: [], ...surroundings() }
  Reflect.defineMetadata(KEY, made, target)
  declared.set(target, made)
  return made
}

/**
 * The part of a class's declaration that concerns one of its methods. `target` is the prototype; of a static method, which
 * cannot be a handler, it is the class.
 */
export function openMember(target: object, key: string | symbol): OpenMember {
  refuseStandard(key)
  const name = String(key)
  if (typeof target === 'function') {
    openDeclaration(target as AbstractClass).problems.push(
      `${target.name}.${name} is static: decorate instance methods`,
    )
    return newMember()
  }
  const declaration = openDeclaration(target.constructor as AbstractClass)
  if (typeof key === 'symbol') {
    declaration.problems.push(`${target.constructor.name}: ${name} has no name: decorate methods named by a string`)
    return newMember()
  }
  const known = declaration.members.get(name)
  if (known !== undefined) return known
  const made = newMember()
  declaration.members.set(name, made)
  return made
}

/** Written out, since spreading into a literal costs several times as much, for each member. */
function newMember(): OpenMember {
  return { marks: [], params: new Map(), guards: [], interceptors: [], errorMappers: [] }
}

/**
 * Standard (TC39) decorators get a context where these get a key, or nothing; they know neither parameters nor types, and
 * a method's does not know its class, so that this cannot wait for boot.
 */
export function refuseStandard(context: unknown): void {
  if (typeof context !== 'object' || context === null || !('kind' in context) || !('name' in context)) return
  throw new ConfigurationError([
    `the ${String(context.kind)} ${String(context.name)} is decorated by the TC39 standard, which knows no parameters and no types: set "experimentalDecorators" and "emitDecoratorMetadata" in tsconfig.json (swc: "legacyDecorator" and "decoratorMetadata")`,
  ])
}

/** What to do about a class that another copy of this package declared; undefined where it was this one. */
export function foreignProblem(target: AbstractClass): string | undefined {
  if (declared.has(target)) return undefined
  const own: OpenDeclaration | undefined = Reflect.getMetadata(KEY, target)
  if (own === undefined || own.copy === THIS_COPY) return undefined
  return `${target.name} was declared with another copy of palomino (${own.copy.folder}) than the one that runs (${THIS_COPY.folder}): keep one version of it in node_modules (npm ls palomino)`
}

/** Whether any decorator, of whatever library, left metadata on a class. */
export function isDecorated(target: AbstractClass): boolean {
  return Reflect.getOwnMetadataKeys(target).length > 0
}

/**
 * All that a class says of itself, ancestors included. What surrounds adds up, the ancestor's outermost. A member is
 * taken over as it stands, unless the descendant marks it anew; then only the descendant's marks and parameters count.
 * So with the class's own mark, and with the constructor's tokens where the descendant has a constructor of its own.
 */
export function readDeclaration(target: AbstractClass): ClassDeclaration {
  const ancestor = Object.getPrototypeOf(target) as AbstractClass | null
  const own = ownDeclaration(target)
  const inherited = ancestor !== null && ancestor !== Function.prototype ? readDeclaration(ancestor) : undefined
  if (own === undefined)
    return inherited ?? { ...surroundings(), marks: [], members: new Map(), tokens: new Map(), problems: [] }
  if (inherited === undefined) return own
  const members = new Map(inherited.members)
  for (const [name, member] of own.members) members.set(name, mergeMember(inherited.members.get(name), member))
  return {
    ...addSurroundings(inherited, own),
    marks: mergeMarks(inherited.marks, own.marks),
    members,
    tokens: own.tokens.size > 0 || hasConstructor(target) ? own.tokens : inherited.tokens,
    problems: [...inherited.problems, ...own.problems],
  }
}

/** `@Injectable()` goes with any other mark, so it does not take an inherited one's place. */
function mergeMarks(inherited: readonly Mark[], own: readonly Mark[]): readonly Mark[] {
  const isInjectable = (mark: Mark) => mark.as === 'injectable'
  const kept = inherited.filter(mark => !own.some(each => isInjectable(each) === isInjectable(mark)))
  return [...own, ...kept]
}

/** Whether a class has a constructor of its own, as far as compilers and `length` tell: the one it is given takes any. */
function hasConstructor(target: AbstractClass, types = constructorTypes(target)): boolean {
  return types !== undefined || target.length > 0
}

function constructorTypes(target: AbstractClass): readonly unknown[] | undefined {
  return Reflect.getOwnMetadata('design:paramtypes', target)
}

function mergeMember(inherited: MemberDeclaration | undefined, own: MemberDeclaration): MemberDeclaration {
  if (inherited === undefined) return own
  const status = own.status ?? inherited.status
  return {
    ...addSurroundings(inherited, own),
    marks: own.marks.length > 0 ? own.marks : inherited.marks,
    params: own.params.size > 0 || own.marks.length > 0 ? own.params : inherited.params,
    ...(status === undefined ? {} : { status }),
  }
}

/** The lists are frozen, as the rows of the table are that have them. */
export function addSurroundings(outer: Surroundings, inner: Surroundings): Surroundings {
  return {
    guards: addLists(outer.guards, inner.guards),
    interceptors: addLists(outer.interceptors, inner.interceptors),
    errorMappers: addLists(outer.errorMappers, inner.errorMappers),
  }
}

/** One for all that nothing surrounds, which are most of a large table. */
const nobody: readonly unknown[] = Object.freeze([])

function addLists(outer: readonly unknown[], inner: readonly unknown[]): readonly unknown[] {
  return outer.length + inner.length === 0 ? nobody : Object.freeze([...outer, ...inner])
}

/** A method of a class or of its ancestors, found without running a getter. */
export function findMethod(target: AbstractClass, member: string): ((...args: never[]) => unknown) | undefined {
  let found: PropertyDescriptor | undefined
  for (let at: object | null = target.prototype; at !== null && found === undefined; at = Object.getPrototypeOf(at))
    found = Object.getOwnPropertyDescriptor(at, member)
  const value: unknown = found?.value
  return typeof value === 'function' ? (value as (...args: never[]) => unknown) : undefined
}

/** `design:paramtypes` of a method, nearest ancestor's; undefined where the compiler emitted none. */
export function paramTypes(target: AbstractClass, member: string): readonly unknown[] | undefined {
  return Reflect.getMetadata('design:paramtypes', target.prototype, member)
}

/** What is known of the constructor that makes a class: its own, or the nearest ancestor's that has one. */
export function readConstructor(target: AbstractClass): {
  /** How many parameters it has before the first that has a default. */
  readonly length: number
  /** `design:paramtypes`; undefined where the compiler emitted none. */
  readonly types: readonly unknown[] | undefined
  /** Tokens that tsyringe's own `@inject` noted, by position. */
  readonly tsyringe: Readonly<Record<number, unknown>>
} {
  const ancestor = Object.getPrototypeOf(target) as AbstractClass | null
  const types = constructorTypes(target)
  if (!hasConstructor(target, types) && ancestor !== null && ancestor !== Function.prototype)
    return readConstructor(ancestor)
  return {
    length: target.length,
    types,
    tsyringe: Reflect.getOwnMetadata('injectionTokens', target) ?? {},
  }
}
