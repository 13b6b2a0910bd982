/** An application before anything is made: what its modules declare, checked as a whole. */

import { Connection } from './connections/connection.js'
import { ConnectionRegistry } from './connections/registry.js'
import {
  type AbstractClass,
  type Class,
  foreignProblem,
  type Mark,
  readDeclaration,
  type Surroundings,
  type Token,
} from './declare/metadata.js'
import type { Provider } from './declare/module.js'
import type { ReadCookieOptions } from './declare/params.js'
import type { RegistryOptions } from './declare/registry.js'
import { ConfigurationError } from './errors.js'
import { bodyOpener } from './http/body.js'
import { routeProblems } from './routing/conflicts.js'
import { joinPrefixes } from './routing/pattern.js'
import { rowsOf } from './routing/rows.js'
import type { Route } from './routing/table.js'
import type { Versioning } from './routing/versioning.js'
import { handlerProblems } from './server/compile.js'
import { type HealthOptions, hiddenByHealth } from './server/health.js'
import { EventStream } from './sse/event-stream.js'
import { Socket } from './websocket/socket.js'
import {
  constructorTokens,
  type Definition,
  define,
  nameDefinition,
  nameToken,
  optionalTokens,
} from './wiring/definitions.js'
import { classProblems } from './wiring/diagnose.js'
import { type Asker, needProblems, provideNothing, resolveAlias, sortByNeed } from './wiring/graph.js'
import { kindOf } from './wiring/marks.js'
import { type ListedClass, type ModuleGraph, walkModules } from './wiring/modules.js'
import { surroundingClasses, surroundingProblems } from './wiring/surroundings.js'

export interface BlueprintOptions extends Surroundings {
  readonly prefix: string
  readonly closingSlash: 'ignore' | 'strict' | 'redirect'
  readonly versioning: Versioning | undefined
  readonly overrides: readonly Provider[]
  /** Where health answers, and no route may. */
  readonly health: boolean | HealthOptions | undefined
  /** Whether there are keys for signed cookies. */
  readonly signsCookies: boolean
  /** What exists without being listed. */
  readonly given: readonly Provider[]
  /** What is wrong already. */
  readonly problems: readonly string[]
}

export interface Blueprint {
  readonly routes: readonly Route[]
  readonly definitions: ReadonlyMap<Token, Definition>
  /** The definitions, each behind what it needs. */
  readonly order: readonly Definition[]
  /** What the constructors of event sources and socket classes ask for. */
  readonly needs: ReadonlyMap<AbstractClass, readonly Token[]>
}

/** Classes that stand for the connection that is being served. */
export const connectionTokens: readonly AbstractClass[] = [Connection, EventStream, Socket]

/** @throws ConfigurationError with everything that is wrong */
export function drawUp(root: AbstractClass, options: BlueprintOptions): Blueprint {
  const graph = walkModules(root, options)
  const problems = [
    ...options.problems,
    ...surroundingProblems('bootstrap', options, {
      guards: 'guards',
      interceptors: 'interceptors',
      errorMappers: 'errorMappers',
    }),
    ...graph.problems,
    ...classProblems(graph),
  ]
  const classes = servable(graph.classes)
  const perConnection = classes.filter(({ owner }) => kindOf(owner)?.as !== 'controller')
  const everywhere = surroundingClasses(options).map(owner => ({ owner, module: 'bootstrap' }))
  const surrounding = [...classes.flatMap(surroundingsOf), ...everywhere]
  const given = options.given.map(provider => ({ provider, module: 'bootstrap' }))
  const listings = [
    ...given,
    ...graph.providers,
    ...implicit(classes, surrounding, graph),
    ...options.overrides.map(asOverride),
  ]
  const definitions = define(listings, problems)
  const needs = new Map(perConnection.map(({ owner }) => [owner, constructorTokens(owner, problems)]))
  const askers = askersOf(definitions, perConnection, needs)
  const unmet = needProblems(askers, definitions, connectionTokens)
  provideNothing(askers, definitions)
  const sorted = sortByNeed(definitions)
  problems.push(
    ...sorted.problems,
    ...unmet,
    ...sharedProblems(classes, surrounding, definitions),
    ...registryProblems(definitions),
  )
  const placing = { prefix: joinPrefixes(options.prefix), versioning: options.versioning ?? ({ by: 'path' } as const) }
  const routes = classes.flatMap(listed => rowsOf({ ...listed, ...registriesOf(needs.get(listed.owner)) }, placing))
  problems.push(...routeProblems(routes, options.closingSlash), ...handlerProblems(routes, bodyOpener()))
  problems.push(...hiddenByHealth(routes, options.health))
  if (!options.signsCookies) problems.push(...keyProblems(routes))
  if (problems.length > 0) throw new ConfigurationError([...new Set(problems)])
  return { routes: Object.freeze(routes), definitions, order: sorted.order, needs }
}

function keyProblems(routes: readonly Route[]): string[] {
  const problems: string[] = []
  for (const route of routes) {
    route.params.forEach(({ source, name, options }) => {
      if (source !== 'cookie' || (options as ReadCookieOptions | undefined)?.signed !== true) return
      const cure = 'needs keys: bootstrap(AppModule, { cookieKeys: [newest, …older] })'
      problems.push(`${route.name}: @Cookie('${name}', { signed: true }) ${cure}`)
    })
  }
  return problems
}

/** What is listed first, and can have routes: the rest is a problem that was told. */
function servable(classes: readonly ListedClass[]): readonly ListedClass[] {
  const first = new Map(classes.toReversed().map(listed => [listed.owner, listed]))
  return classes.filter(
    listed =>
      first.get(listed.owner) === listed &&
      kindOf(listed.owner) !== undefined &&
      foreignProblem(listed.owner) === undefined,
  )
}

function asOverride(provider: Provider): { provider: Provider; module: string } {
  return { provider, module: 'overrides' }
}

interface Surrounding {
  readonly owner: AbstractClass
  readonly module: string
}

function surroundingsOf(listed: ListedClass): Surrounding[] {
  const declaration = readDeclaration(listed.owner)
  return [listed, declaration, ...declaration.members.values()]
    .flatMap(surroundingClasses)
    .map(owner => ({ owner, module: listed.module }))
}

/** Controllers, the classes that surround handlers, and modules with hooks exist without being listed as providers. */
function implicit(
  classes: readonly ListedClass[],
  surrounding: readonly Surrounding[],
  { providers, hooked }: ModuleGraph,
): { provider: Provider; module: string }[] {
  const provided = new Set(
    providers.map(({ provider }) => (typeof provider === 'function' ? provider : provider?.token)),
  )
  const controllers = classes.filter(({ owner }) => kindOf(owner)?.as === 'controller')
  const modules = hooked.map(owner => ({ owner, module: owner.name }))
  return [...controllers, ...surrounding, ...modules]
    .filter(({ owner }) => !provided.has(owner))
    .map(({ owner, module }) => ({ provider: owner as Class, module }))
}

/** One controller and one guard serve all exchanges. */
function sharedProblems(
  classes: readonly ListedClass[],
  surrounding: readonly Surrounding[],
  definitions: ReadonlyMap<Token, Definition>,
): string[] {
  return [...classes, ...surrounding]
    .filter(({ owner }) => resolveAlias(owner, definitions)?.scope === 'connection')
    .map(
      ({ owner }) => `${owner.name} serves all exchanges, so it cannot belong to one connection: take its scope away`,
    )
}

function askersOf(
  definitions: ReadonlyMap<Token, Definition>,
  perConnection: readonly ListedClass[],
  needs: ReadonlyMap<AbstractClass, readonly Token[]>,
): Asker[] {
  const made = [...definitions.values()].map(definition => ({
    name: nameDefinition(definition),
    module: definition.from,
    needs: definition.needs,
    optional: definition.kind === 'class' ? optionalTokens(definition.useClass) : undefined,
    perConnection: definition.scope === 'connection' || definition.kind === 'alias',
  }))
  const connected = perConnection.map(({ owner, module }) => ({
    name: owner.name,
    module,
    needs: needs.get(owner) ?? [],
    optional: optionalTokens(owner),
    perConnection: true,
    foreign: [kindOf(owner)?.as === 'sse' ? Socket : EventStream],
  }))
  return [...made, ...connected]
}

function isRegistry(token: unknown): token is AbstractClass<ConnectionRegistry> {
  return typeof token === 'function' && token.prototype instanceof ConnectionRegistry
}

/** The name that `@Registry` gave; undefined for a class that it does not mark. */
export function registryMark(owner: AbstractClass) {
  return readDeclaration(owner).marks.find(mark => mark.as === 'registry')
}

/** The registries that a class is given, and what they say they send. */
function registriesOf(needs: readonly Token[] = []): Pick<Route, 'registries' | 'sends'> {
  const given = needs.filter(isRegistry).map(token => {
    const mark = registryMark(token)
    return { registry: mark?.path ?? token.name, events: (mark?.options as RegistryOptions | undefined)?.events ?? {} }
  })
  return {
    registries: given.map(({ registry }) => registry),
    sends: given.flatMap(({ registry, events }) =>
      Object.entries(events).map(([event, schema]) => ({ registry, event, schema })),
    ),
  }
}

function registryProblems(definitions: ReadonlyMap<Token, Definition>): string[] {
  const problems: string[] = []
  const taken = new Map<string, Class>()
  for (const definition of definitions.values()) {
    if (definition.kind === 'value' && definition.useValue instanceof ConnectionRegistry)
      problems.push(
        `${definition.from}: the provider of ${nameToken(definition.token)} is a registry as a value, which nothing starts: list its class`,
      )
    if (definition.kind !== 'class') continue
    const { useClass } = definition
    const mark = registryMark(useClass)
    const other = mark && taken.get(mark.path ?? '')
    problems.push(...registryMarkProblems(definition, mark), ...(other ? [sameRegistry(useClass, other, mark)] : []))
    if (mark !== undefined) taken.set(mark.path ?? '', useClass)
  }
  return problems
}

function registryMarkProblems({ useClass, scope }: Definition & { kind: 'class' }, mark: Mark | undefined): string[] {
  const { name } = useClass
  if (isRegistry(useClass) && !mark?.path) return [`${name} is a registry without a name: mark it @Registry('name')`]
  if (mark !== undefined && !isRegistry(useClass))
    return [`${name} is marked ${mark.written} but is no registry: let it extend ConnectionRegistry<Events>`]
  if (mark === undefined || scope === 'singleton') return []
  return [`${name} is a registry with the scope '${scope}': a registry holds many connections; take its scope away`]
}

function sameRegistry(one: Class, other: Class, mark: Mark): string {
  if (one === other)
    return `${one.name} is provided by two tokens, which makes it two registries '${mark.path}': give the second by useToken`
  return `${one.name} and ${other.name} are both the registry '${mark.path}': a name stands for one registry on every node; choose another`
}
