/** An application before anything is made: what its modules declare, checked as a whole. */

import { Connection } from './connections/connection.js'
import { ConnectionRegistry } from './connections/registry.js'
import type { AbstractClass, Class, Surroundings, Token } from './declare/metadata.js'
import { readDeclaration } from './declare/metadata.js'
import type { Provider } from './declare/module.js'
import { ConfigurationError } from './errors.js'
import { readBody } from './http/body.js'
import { routeProblems } from './routing/conflicts.js'
import { rowsOf } from './routing/rows.js'
import type { Route } from './routing/table.js'
import { handlerProblems } from './server/compile.js'
import { EventStream } from './sse/event-stream.js'
import { Socket } from './websocket/socket.js'
import { constructorTokens, type Definition, define } from './wiring/definitions.js'
import { classProblems } from './wiring/diagnose.js'
import { type Asker, needProblems, sortByNeed } from './wiring/graph.js'
import { type ListedClass, type ModuleGraph, walkModules } from './wiring/modules.js'

export interface BlueprintOptions extends Surroundings {
  readonly prefix: string
  readonly closingSlash: 'ignore' | 'strict' | 'redirect'
  readonly overrides: readonly Provider[]
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
  const problems = [...options.problems, ...graph.problems, ...classProblems(graph)]
  const everywhere: ListedClass = { ...options, owner: root, module: 'bootstrap' }
  const perConnection = graph.classes.filter(({ owner }) => isPerConnection(owner))
  const definitions = define(
    [...graph.providers, ...implicit(graph, everywhere), ...options.overrides.map(asOverride)],
    problems,
  )
  const needs = new Map(perConnection.map(({ owner }) => [owner, constructorTokens(owner, problems)]))
  const sorted = sortByNeed(definitions)
  problems.push(
    ...sorted.problems,
    ...needProblems(askersOf(definitions, perConnection, needs), definitions, connectionTokens),
    ...registryProblems(definitions),
  )
  const routes = graph.classes.flatMap(listed =>
    rowsOf({ ...listed, registries: registriesOf(needs.get(listed.owner)) }),
  )
  problems.push(...routeProblems(routes, options.closingSlash), ...handlerProblems(routes, readBody))
  if (problems.length > 0) throw new ConfigurationError([...new Set(problems)])
  return { routes: Object.freeze(routes), definitions, order: sorted.order, needs }
}

function isPerConnection(owner: AbstractClass): boolean {
  return kindOf(owner) === 'sse' || kindOf(owner) === 'websocket'
}

function kindOf(owner: AbstractClass): string | undefined {
  if (typeof owner !== 'function') return undefined
  return readDeclaration(owner).marks.find(mark => ['controller', 'sse', 'websocket'].includes(mark.as))?.as
}

function asOverride(provider: Provider): { provider: Provider; module: string } {
  return { provider, module: 'overrides' }
}

/** Controllers, and the classes that surround handlers, exist without being listed as providers. */
function implicit(graph: ModuleGraph, everywhere: ListedClass): { provider: Provider; module: string }[] {
  const provided = new Set(
    graph.providers.map(({ provider }) => (typeof provider === 'function' ? provider : provider?.token)),
  )
  const controllers = graph.classes.filter(({ owner }) => kindOf(owner) === 'controller')
  const surrounding = [...graph.classes, everywhere].flatMap(listed =>
    surroundingClasses(listed).map(owner => ({ owner, module: listed.module })),
  )
  return [...controllers, ...surrounding]
    .filter(({ owner }) => !provided.has(owner))
    .map(({ owner, module }) => ({ provider: owner as Class, module }))
}

function surroundingClasses(listed: ListedClass): AbstractClass[] {
  if (typeof listed.owner !== 'function') return []
  const declaration = readDeclaration(listed.owner)
  return [listed, declaration, ...declaration.members.values()].flatMap(each => [
    ...each.guards.filter(guard => hasMethod(guard, 'admit')),
    ...each.interceptors.filter(interceptor => hasMethod(interceptor, 'intercept')),
    ...each.errorMappers
      .map(mapping => (mapping as { mapper: unknown }).mapper)
      .filter(mapper => hasMethod(mapper, 'map')),
  ]) as AbstractClass[]
}

function hasMethod(given: unknown, name: string): boolean {
  return typeof given === 'function' && typeof given.prototype?.[name] === 'function'
}

function askersOf(
  definitions: ReadonlyMap<Token, Definition>,
  perConnection: readonly ListedClass[],
  needs: ReadonlyMap<AbstractClass, readonly Token[]>,
): Asker[] {
  const made = [...definitions.values()].map(({ token, needs: asked, from, scope }) => ({
    name: typeof token === 'function' ? token.name : String(token),
    module: from,
    needs: asked,
    perConnection: scope === 'connection',
  }))
  const connected = perConnection.map(({ owner, module }) => ({
    name: owner.name,
    module,
    needs: needs.get(owner) ?? [],
    perConnection: true,
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

function registriesOf(needs: readonly Token[] = []): readonly string[] {
  return needs.filter(isRegistry).map(token => registryMark(token)?.path ?? token.name)
}

function registryProblems(definitions: ReadonlyMap<Token, Definition>): string[] {
  const problems: string[] = []
  const taken = new Map<string, string>()
  for (const definition of definitions.values()) {
    if (definition.kind !== 'class') continue
    const { useClass } = definition
    const mark = registryMark(useClass)
    if (isRegistry(useClass) && mark === undefined)
      problems.push(`${useClass.name} is a registry without a name: mark it @Registry('name')`)
    if (mark === undefined) continue
    if (!isRegistry(useClass))
      problems.push(
        `${useClass.name} is marked ${mark.written} but is no registry: let it extend ConnectionRegistry<Events>`,
      )
    const other = taken.get(mark.path ?? '')
    if (other !== undefined && other !== useClass.name) {
      problems.push(
        `${useClass.name} and ${other} are both the registry '${mark.path}': a name stands for one registry on every node; choose another`,
      )
    }
    taken.set(mark.path ?? '', useClass.name)
  }
  return problems
}
