import { type Pattern, parsePattern, shapeOf, withoutClosingSlash } from './pattern.js'
import { nameRoute, type Route, verbOf } from './table.js'

/** What is wrong between routes, or with their paths; each names both sides and the cure. */
export function routeProblems(routes: readonly Route[], closingSlash: 'ignore' | 'strict' | 'redirect'): string[] {
  const problems: string[] = []
  const taken = new Map<string, { route: Route; pattern: Pattern }>()
  for (const route of routes) {
    if (route.pattern === undefined) continue
    const path = closingSlash === 'ignore' ? withoutClosingSlash(route.pattern) : route.pattern
    const parsed = parsePattern(path)
    problems.push(...parsed.problems.map(problem => `${route.name}: ${route.pattern}: ${problem}`))
    for (const pattern of parsed.patterns) {
      const key = `${route.kind} ${route.method} ${shapeOf(pattern)}`
      const other = taken.get(key)
      if (other === undefined) taken.set(key, { route, pattern })
      else problems.push(conflict(route, other.route, parsed.patterns.length > 1 ? pattern : undefined))
    }
  }
  return [...problems, ...upgradeConflicts(routes)]
}

/** `part` is the pattern that is taken, where the route has others besides, since it has optional segments. */
function conflict(route: Route, first: Route, part: Pattern | undefined): string {
  const other = `${nameRoute(first)} (${first.name})`
  if (route.pattern === first.pattern)
    return `${nameRoute(route)} is declared twice, by ${first.name} and by ${route.name}: give one another path or method`
  if (part !== undefined)
    return `${nameRoute(route)} (${route.name}) and ${other} both answer ${verbOf(route)} ${part.text}: give one another path`
  return `${nameRoute(route)} (${route.name}) can never be reached, since ${other} answers the same requests: give one another path, or constrain its parameter, as in :id(\\d+)`
}

/** A socket class takes all upgrade requests of its path, so that a handler there can never upgrade. */
function upgradeConflicts(routes: readonly Route[]): string[] {
  const shapes = (route: Route) => parsePattern(withoutClosingSlash(route.pattern ?? '/')).patterns.map(shapeOf)
  const sockets = new Map(
    routes
      .filter(route => route.kind === 'websocket' && route.pattern !== undefined)
      .flatMap(route => shapes(route).map(shape => [shape, route])),
  )
  return routes.flatMap(route => {
    if (route.options.upgrade === undefined) return []
    const socket = shapes(route)
      .map(shape => sockets.get(shape))
      .find(found => found !== undefined)
    if (socket === undefined) return []
    return `${route.name} can never upgrade, since ${nameRoute(socket)} (${socket.name}) takes the upgrade requests of its path: give one another path`
  })
}
