import { hostShape, parseHost } from './host.js'
import { type Pattern, parsePattern, shapeOf, withoutClosingSlash } from './pattern.js'
import { nameRoute, type Route, verbOf } from './table.js'

/** What is wrong between routes, or with their paths; each names both sides and the cure. */
export function routeProblems(routes: readonly Route[], closingSlash: 'ignore' | 'strict' | 'redirect'): string[] {
  const problems: string[] = []
  const taken = new Map<string, Route>()
  for (const route of routes) {
    const { pattern: path, host } = route
    if (path === undefined) {
      problems.push(...pathless(route))
      continue
    }
    const parsed = parsePattern(closingSlash === 'ignore' ? withoutClosingSlash(path) : path)
    for (const problem of parsed.problems) problems.push(`${route.name}: ${path}: ${problem}`)
    if (host !== undefined) problems.push(...namesTwice(route, host, parsed.names))
    for (const pattern of parsed.patterns) {
      const key = `${route.kind} ${route.method} ${placeOf(route)} ${shapeOf(pattern)}`
      const other = taken.get(key)
      if (other === undefined) taken.set(key, route)
      else problems.push(conflict(route, other, parsed.patterns.length > 1 ? pattern : undefined))
    }
  }
  return [...problems, ...upgradeConflicts(routes)]
}

/** Two routes on one path are no conflict where their hosts or their versions differ. */
function placeOf({ host, version = '' }: Route): string {
  return `${hostShape(host)} ${version}`
}

/** A host or a version tells paths apart: what has no path has nothing to be told apart. */
function pathless({ name, options }: Route): string[] {
  return ['host', 'version']
    .filter(option => options[option] !== undefined)
    .map(option => `${name} has a ${option} but no path: give it a path, or take its ${option} away`)
}

function namesTwice({ name, pattern }: Route, host: string, names: readonly string[]): string[] {
  const inHost = parseHost(host).names
  return [...new Set(inHost.filter((each, index) => names.includes(each) || inHost.indexOf(each) < index))].map(
    twice => `${name}: ${host}${pattern}: the name ${twice} stands twice`,
  )
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
  if (routes.every(route => route.options.upgrade === undefined)) return []
  const shapes = (route: Route) =>
    parsePattern(withoutClosingSlash(route.pattern ?? '/')).patterns.map(
      pattern => `${placeOf(route)} ${shapeOf(pattern)}`,
    )
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
