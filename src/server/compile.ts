/** One function that turns the route table into what the dispatcher looks up. */

import type { ConnectionServing } from '../connections/serving.js'
import { type Class, findMethod, readDeclaration } from '../declare/metadata.js'
import { listOf, show } from '../declare/options.js'
import { collect } from '../declare/problems.js'
import type { HttpOptions } from '../declare/routes.js'
import { bindHttp, compileHttp } from '../http/serve.js'
import type { Binding, Serve } from '../pipeline/serving.js'
import { type Lookup, makeLookup } from '../routing/lookup.js'
import { callbacks, type Route } from '../routing/table.js'
import { tryHibernation } from '../sse/hibernate.js'
import { bindSse, compileSse } from '../sse/serve.js'
import { bindMessage } from '../websocket/messages.js'
import { bindWebSocket, compileWebSocket, type ServeUpgrade } from '../websocket/serve.js'
import { surroundingClasses } from '../wiring/surroundings.js'

/** A route, ready to run. */
export type Served =
  | { readonly route: Route; readonly kind: 'http'; readonly serve: Serve; readonly mayUpgrade: boolean }
  | { readonly route: Route; readonly kind: 'sse'; readonly serve: Serve }
  | { readonly route: Route; readonly kind: 'websocket'; readonly serveUpgrade: ServeUpgrade }

export interface CompileOptions {
  readonly closingSlash: 'ignore' | 'strict' | 'redirect'
  readonly origins: readonly string[] | '*'
}

export interface Compiled {
  readonly lookup: Lookup<Served>
  /** How socket classes are served, for `@Get` handlers that upgrade to them. */
  readonly upgrades: ReadonlyMap<unknown, ServeUpgrade>
}

export async function compileRoutes(
  routes: readonly Route[],
  serving: ConnectionServing,
  options: CompileOptions,
): Promise<Compiled> {
  const upgrades = new Map<unknown, ServeUpgrade>()
  // `ws` takes as long to load as a third of all the rest: it is for those who have sockets.
  const wire = routes.some(({ kind }) => kind === 'websocket') ? await import('../websocket/wire.js') : undefined
  if (routes.some(({ kind }) => kind === 'sse')) await tryHibernation()
  const compile = (route: Route): Served => {
    if (route.kind === 'sse') return { route, kind: 'sse', serve: compileSse(route, serving) }
    if (route.kind === 'http' || wire === undefined)
      return { route, kind: 'http', serve: whenAsked(route, serving), mayUpgrade: upgradesOf(route).length > 0 }
    const serveUpgrade = compileWebSocket(route, serving, options.origins, wire.makeAccept)
    upgrades.set(route.owner, serveUpgrade)
    return { route, kind: 'websocket', serveUpgrade }
  }
  const served = routes.map(route => ({ route, endpoint: compile(route) }))
  return { lookup: makeLookup(served, options.closingSlash), upgrades }
}

/**
 * Compiles a route at its first request, since most of a large table are not asked for while a process is young. All that
 * can be wrong with it was found before; a class of which an instance is made here is an exception, as its constructor
 * may throw.
 */
function whenAsked(route: Route, serving: ConnectionServing): Serve {
  const { isMade } = serving
  if (!isMade(route.owner) || !surroundingClasses(route).every(isMade)) return compileHttp(route, serving)
  let serve: Serve | undefined
  return context => {
    serve ??= compileHttp(route, serving)
    serve(context)
  }
}

function upgradesOf(route: Route): readonly Class[] {
  return listOf((route.options as HttpOptions).upgrade)
}

const none: readonly never[] = Object.freeze([])

/** What cannot be filled, or cannot be reached by an upgrade: found without making anything. */
export function handlerProblems(routes: readonly Route[], openBody: Binding['openBody']): string[] {
  const problems: string[] = []
  const binding = { openBody, problems }
  const sockets = new Set<unknown>(routes.filter(route => route.kind === 'websocket').map(route => route.owner))
  const upgraded = new Set<unknown>(routes.flatMap(upgradesOf))
  for (const route of routes) {
    if (route.kind === 'http' && takesSomething(route)) bindHttp(route, binding)
    if (route.kind === 'sse') bindSse(route, binding)
    if (route.kind === 'websocket') {
      bindWebSocket(route, binding)
      for (const row of route.messages) bindMessage(route, row, binding)
    }
    for (const upgrade of upgradesOf(route)) {
      if (!sockets.has(upgrade))
        problems.push(
          `${route.name} upgrades to ${show(upgrade)}, which is no socket class that a module lists: mark it @WebSocket(), and add it to the controllers of a module`,
        )
      if (route.method !== 'GET')
        problems.push(`${route.name} upgrades, but only GET can (RFC 6455 §4.1): mark it @Get`)
    }
    collect(problems, misplacedParameters(route))
    if (route.pattern === undefined && !upgraded.has(route.owner))
      problems.push(
        `${route.name} can never be reached: give it a path, @WebSocket('/path'), or name it in @Get(path, { upgrade: [${route.name}] })`,
      )
  }
  return problems
}

/** Half of a large table has handlers without parameters, with which nothing can be wrong. */
function takesSomething({ owner, member = '', params }: Route): boolean {
  return params.size > 0 || findMethod(owner, member)?.length !== 0
}

/** `message`, `info`, `close` and their kind are called with what happened and the connection, and nothing else. */
function misplacedParameters(route: Route): readonly string[] {
  if (route.kind === 'http' || route.member !== undefined) return none
  const { members } = readDeclaration(route.owner)
  return callbacks[route.kind]
    .filter(callback => callback !== 'open' && (members.get(callback)?.params.size ?? 0) > 0)
    .map(
      callback =>
        `${route.name}.${callback} has decorated parameters: it is called with what happened and the connection; read the rest in open`,
    )
}
