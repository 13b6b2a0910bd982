import { parsePattern, shapeOf, withoutClosingSlash } from './pattern.js'
import { nameRoute, type Route } from './table.js'

/** What is wrong between routes, or with their paths; each names both sides and the cure. */
export function routeProblems(routes: readonly Route[], closingSlash: 'ignore' | 'strict' | 'redirect'): string[] {
  const problems: string[] = []
  const taken = new Map<string, { route: Route; text: string }>()
  for (const route of routes) {
    if (route.pattern === undefined) continue
    const path = closingSlash === 'ignore' ? withoutClosingSlash(route.pattern) : route.pattern
    const parsed = parsePattern(path)
    problems.push(...parsed.problems.map(problem => `${route.name}: ${route.pattern}: ${problem}`))
    for (const pattern of parsed.patterns) {
      const key = `${route.kind} ${route.method} ${shapeOf(pattern)}`
      const other = taken.get(key)
      if (other !== undefined) problems.push(conflict(route, other.route, pattern.text === other.text))
      else taken.set(key, { route, text: pattern.text })
    }
  }
  return problems
}

function conflict(route: Route, first: Route, samePath: boolean): string {
  const both = `${nameRoute(first)} (${first.name})`
  if (samePath && route.pattern === first.pattern) {
    return `${nameRoute(route)} is declared twice, by ${first.name} and by ${route.name}: give one another path or method`
  }
  return `${nameRoute(route)} (${route.name}) can never be reached, since ${both} answers the same requests: give one another path, or constrain its parameter, as in :id(\\d+)`
}
