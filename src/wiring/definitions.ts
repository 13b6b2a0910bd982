/** Every dependency of the application by its token, and what each needs: checked before anything is made. */
import {
  type AbstractClass,
  type Class,
  isDecorated,
  paramTypes,
  readDeclaration,
  type Token,
  tsyringeTokens,
} from '../declare/metadata.js'
import type { InjectableOptions, Provider, Scope } from '../declare/module.js'
import { unknownKeys } from '../declare/options.js'

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

const PROVIDER_KEYS = ['token', 'useClass', 'useValue', 'useFactory', 'useToken', 'inject', 'scope']

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
  problems.push(...unknownKeys(where, provider, PROVIDER_KEYS))
  const value = { token, scope: 'singleton', needs: [], from } as const
  if ('useClass' in provider) return classDefinition(token, provider.useClass, provider.scope, from, problems)
  if ('useFactory' in provider) {
    const { useFactory, inject } = provider
    return { ...value, kind: 'factory', useFactory, needs: inject ?? [], takesContainer: inject === undefined }
  }
  if ('useToken' in provider)
    return { ...value, kind: 'alias', useToken: provider.useToken, needs: [provider.useToken] }
  if ('useValue' in provider) return { ...value, kind: 'value', useValue: provider.useValue }
  problems.push(`${where} says not what it is: add useClass, useValue, useFactory or useToken`)
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
  const said = readDeclaration(useClass).marks.find(mark => mark.as === 'injectable')?.options as
    | InjectableOptions
    | undefined
  const needs = constructorTokens(useClass, problems)
  return { kind: 'class', token, useClass, scope: scope ?? said?.scope ?? 'singleton', needs, from }
}

/** The tokens of a constructor's parameters: `@inject` where it is written, else the classes the compiler emitted. */
export function constructorTokens(owner: AbstractClass, problems: string[]): readonly Token[] {
  const types = paramTypes(owner)
  const own = readDeclaration(owner).tokens
  const foreign = tsyringeTokens(owner)
  const count = types?.length ?? Math.max(owner.length, ...[...own.keys()].map(index => index + 1))
  const tokens: Token[] = []
  for (let index = 0; index < count; index++) {
    const token = own.get(index) ?? tokenOf(foreign[index]) ?? (types?.[index] as Token | undefined)
    const problem = tokenProblem(owner, index, token, types)
    if (problem === undefined) tokens.push(token as Token)
    else problems.push(problem)
  }
  return tokens
}

/** tsyringe notes a token itself, or an object around it. */
function tokenOf(noted: unknown): Token | undefined {
  return typeof noted === 'object' && noted !== null && 'token' in noted
    ? (noted.token as Token)
    : (noted as Token | undefined)
}

const NO_TOKENS: readonly unknown[] = [Object, String, Number, Boolean, Array, Function, Promise, Symbol, BigInt]

function tokenProblem(
  owner: AbstractClass,
  index: number,
  token: Token | undefined,
  types: readonly unknown[] | undefined,
): string | undefined {
  const where = `${owner.name}: constructor parameter ${index}`
  if (types === undefined && token === undefined) {
    const undecorated = `${owner.name} has a constructor with parameters and no decorator, so the compiler emits no types for it: mark it @Injectable()`
    const unemitted = `${where} has no type at run time, since the compiler emitted no decorator metadata: set "emitDecoratorMetadata" (tsc, swc), or mark it @inject(Token)`
    return isDecorated(owner) ? unemitted : undecorated
  }
  if (token === undefined)
    return `${where} is undefined when the class is made: its file and this one import each other; move what both need into a third`
  if (!NO_TOKENS.includes(token)) return undefined
  const what = token === Object ? 'an interface or a type without a class' : `a ${(token as Class).name}`
  return `${where} is ${what}, which cannot be a token: use an abstract class as its type, or mark it @inject('name')`
}

export function nameToken(token: Token): string {
  return typeof token === 'function' ? token.name : typeof token === 'string' ? `'${token}'` : String(token)
}
