/** Every dependency of the application by its token, and what each needs: checked before anything is made. */
import {
  type AbstractClass,
  type Class,
  foreignProblem,
  isDecorated,
  readConstructor,
  readDeclaration,
  type Token,
} from '../declare/metadata.js'
import type { InjectableOptions, Provider, Scope } from '../declare/module.js'
import { markProblems, unknownKeys, wrongScope } from '../declare/options.js'

export type Definition = {
  readonly token: Token
  readonly scope: Scope
  readonly needs: readonly Token[]
  readonly from: string
} & (
  | { readonly kind: 'class'; readonly useClass: Class }
  | { readonly kind: 'value'; readonly useValue: unknown }
  | {
      readonly kind: 'factory'
      readonly useFactory: (...dependencies: never[]) => unknown
      readonly takesContainer: boolean
    }
  | { readonly kind: 'alias'; readonly useToken: Token }
)

export interface Listing {
  readonly provider: Provider
  readonly module: string
}

/** What each form of provider knows besides its token. */
const forms = { useClass: ['scope'], useFactory: ['inject'], useToken: [], useValue: [] } as const

/** The definitions by token; of two for one token the later counts. */
export function define(listings: readonly Listing[], problems: string[]): Map<Token, Definition> {
  const definitions = new Map<Token, Definition>()
  for (const { provider, module } of listings) {
    const definition = toDefinition(provider, module, problems)
    if (definition !== undefined) definitions.set(definition.token, definition)
  }
  return definitions
}

function toDefinition(provider: Provider, from: string, problems: string[]): Definition | undefined {
  if (typeof provider === 'function') return classDefinition(provider, provider, undefined, from, problems)
  if (typeof provider !== 'object' || provider === null || !('token' in provider) || provider.token === undefined) {
    problems.push(
      `${from} lists a provider without a token: give a class, or { token, useClass | useValue | useFactory | useToken }`,
    )
    return undefined
  }
  const { token } = provider
  const where = `${from}: the provider of ${nameToken(token)}`
  const form = Object.keys(forms).find(key => key in provider) as keyof typeof forms | undefined
  problems.push(...unknownKeys(where, provider, ['token', ...(form ? [form, ...forms[form]] : Object.keys(forms))]))
  const value = { token, scope: 'singleton', needs: [], from } as const
  if ('useClass' in provider) return classDefinition(token, provider.useClass, provider.scope, from, problems)
  if ('useFactory' in provider) {
    const { useFactory, inject } = provider
    if (typeof useFactory !== 'function') {
      problems.push(`${where}: its useFactory is ${String(useFactory)}, not a function: is it imported in a circle?`)
      return undefined
    }
    return { ...value, kind: 'factory', useFactory, needs: inject ?? [], takesContainer: inject === undefined }
  }
  if ('useToken' in provider)
    return { ...value, kind: 'alias', useToken: provider.useToken, needs: [provider.useToken] }
  if ('useValue' in provider) return { ...value, kind: 'value', useValue: provider.useValue }
  problems.push(`${where} says nothing of what it is: add useClass, useValue, useFactory or useToken`)
  return undefined
}

function classDefinition(
  token: Token,
  useClass: Class,
  scope: Scope | undefined,
  from: string,
  problems: string[],
): Definition | undefined {
  if (typeof useClass !== 'function') {
    problems.push(
      `${from}: the class that provides ${nameToken(token)} is ${String(useClass)}: is it imported in a circle?`,
    )
    return undefined
  }
  const foreign = foreignProblem(useClass)
  if (foreign !== undefined) {
    problems.push(foreign)
    return undefined
  }
  const declaration = readDeclaration(useClass)
  problems.push(...declaration.problems, ...wrongScope(`${from}: the provider of ${nameToken(token)}`, scope))
  problems.push(...declaration.marks.flatMap(mark => markProblems(useClass.name, mark)))
  const said = declaration.marks.find(mark => mark.as === 'injectable')?.options as InjectableOptions | undefined
  const needs = constructorTokens(useClass, problems)
  const lives = scope ?? said?.scope ?? 'singleton'
  problems.push(...unheardHooks(useClass, lives))
  return { kind: 'class', token, useClass, scope: lives, needs, from }
}

/** Hooks are for what is made at boot. */
function unheardHooks({ name, prototype }: Class, scope: Scope): string[] {
  const hooks = scope === 'singleton' ? [] : ['onStart', 'onStop'].filter(hook => hook in prototype)
  return hooks.map(
    hook => `${name} has the scope '${scope}' and an ${hook}, which never runs: only singletons start and stop`,
  )
}

/** The tokens of a constructor's parameters: `@inject` where it is written, else the classes the compiler emitted. */
export function constructorTokens(owner: AbstractClass, problems: string[]): readonly Token[] {
  const { types, length, tsyringe } = readConstructor(owner)
  const own = readDeclaration(owner).tokens
  const marked = [...own.keys(), ...Object.keys(tsyringe).map(Number)].map(index => index + 1)
  const count = types?.length ?? Math.max(length, ...marked)
  const tokens: Token[] = []
  const untyped: number[] = []
  for (let index = 0; index < count; index++) {
    const token = own.get(index)?.token ?? tokenOf(tsyringe[index]) ?? (types?.[index] as Token | undefined)
    if (types === undefined && token === undefined) {
      untyped.push(index)
      continue
    }
    const problem = tokenProblem(owner, index, token, index >= length)
    if (problem === undefined) tokens.push(token as Token)
    else problems.push(problem)
  }
  if (untyped.length > 0) problems.push(untypedProblem(owner, untyped))
  return tokens
}

/** Those of them that nobody needs to provide. */
export function optionalTokens(owner: AbstractClass): ReadonlySet<Token> {
  const own = [...readDeclaration(owner).tokens.values()].filter(asked => asked.isOptional)
  const noted = Object.values(readConstructor(owner).tsyringe) as readonly ({ isOptional?: boolean } | undefined)[]
  const theirs = noted.filter(each => each?.isOptional === true).map(tokenOf)
  return new Set([...own.map(asked => asked.token), ...theirs.filter(token => token !== undefined)])
}

/** tsyringe notes a token itself, or an object around it. */
function tokenOf(noted: unknown): Token | undefined {
  return typeof noted === 'object' && noted !== null && 'token' in noted
    ? (noted.token as Token)
    : (noted as Token | undefined)
}

const NO_TOKENS: readonly unknown[] = [Object, String, Number, Boolean, Array, Function, Promise, Symbol, BigInt]

/** One for all of them: a compiler without metadata would fill the screen. */
function untypedProblem(owner: AbstractClass, indexes: readonly number[]): string {
  if (!isDecorated(owner))
    return `${owner.name} has a constructor with parameters and no decorator, so the compiler emits no types for it: mark it @Injectable()`
  const [which, cure] =
    indexes.length === 1
      ? [`parameter ${indexes[0]} has no type`, 'mark it']
      : [`parameters ${indexes.slice(0, -1).join(', ')} and ${indexes.at(-1)} have no types`, 'mark each']
  return `${owner.name}: constructor ${which} at run time, since the compiler emitted no decorator metadata: set "emitDecoratorMetadata" (tsc) or "decoratorMetadata" (swc), or ${cure} @inject(Token), since esbuild and tsx emit none`
}

function tokenProblem(
  owner: AbstractClass,
  index: number,
  token: Token | undefined,
  hasDefault: boolean,
): string | undefined {
  const where = `${owner.name}: constructor parameter ${index}`
  if (typeof token === 'object')
    return `${where} is asked for by delay(), which hides a circle of dependencies: move what both need into a third class`
  if (token === undefined)
    return `${where} is undefined when the class is made: its file and this one import each other; move what both need into a third`
  if (!NO_TOKENS.includes(token)) return undefined
  if (hasDefault)
    return `${where} has a default, or stands behind one that has, and no token: mark it @inject('name', { isOptional: true }), which leaves the default where no module provides it`
  const cure = `give it a class (abstract, too) as its type, or mark it @inject('name')`
  if (token === Object || token === Function)
    return `${where} is an interface, a union, or a class behind "import type", of which nothing is left at run time: import its class as a value, ${cure}`
  return `${where} is of the type ${(token as Class).name}, which cannot be a token: ${cure}`
}

export function nameToken(token: Token): string {
  return typeof token === 'function' ? token.name : typeof token === 'string' ? `'${token}'` : String(token)
}

/** Who asks for what a definition needs: the class that is made, else the token. */
export function nameDefinition(definition: Definition): string {
  return definition.kind === 'class' ? definition.useClass.name : `the provider of ${nameToken(definition.token)}`
}
