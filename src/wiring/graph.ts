import type { AbstractClass, Token } from '../declare/metadata.js'
import { type Definition, nameToken } from './definitions.js'

/** Someone who asks for dependencies: a definition, or a class whose instances are made for each connection. */
export interface Asker {
  readonly name: string
  readonly module: string
  readonly needs: readonly Token[]
  /** Those that it can do without. */
  readonly optional?: ReadonlySet<Token> | undefined
  /** Whether it may be given what belongs to one connection. */
  readonly perConnection: boolean
  /** Of event sources and socket classes, the connections they are not made for. */
  readonly foreign?: readonly AbstractClass[]
}

/** What nobody provides, and what lives longer than what it asks for. */
export function needProblems(
  askers: readonly Asker[],
  definitions: ReadonlyMap<Token, Definition>,
  connections: readonly AbstractClass[],
): string[] {
  return askers.flatMap(({ name, module, needs, optional, perConnection, foreign = [] }) => [
    ...needs.flatMap(need => {
      const isConnection = connections.includes(need as AbstractClass)
      const asked = nameToken(need)
      if (!isConnection && !definitions.has(need)) {
        if (optional?.has(need) === true) return []
        return [`${name} needs ${asked}, which no module provides: add ${asked} to the providers of ${module}`]
      }
      if (perConnection || (!isConnection && resolveAlias(need, definitions)?.scope !== 'connection')) return []
      const cure = `mark ${name} @Injectable({ scope: 'connection' }), or ask for it in an event source or a socket class`
      return [`${name} is not made for one connection, but needs ${asked}, which belongs to one: ${cure}`]
    }),
    ...foreign
      .filter(connection => reaches(needs, connection, definitions))
      .map(
        connection => `${name} is given no ${connection.name}, since it serves no such connection: ask for Connection`,
      ),
  ])
}

/** Provides `undefined` for what can be done without, and nobody provides. */
export function provideNothing(askers: readonly Asker[], definitions: Map<Token, Definition>): void {
  for (const { optional = [], module: from } of askers)
    for (const token of optional)
      if (!definitions.has(token))
        definitions.set(token, { kind: 'value', token, useValue: undefined, scope: 'singleton', needs: [], from })
}

/** What stands behind a token, where that is another name of it. Circles of names end nowhere. */
export function resolveAlias(
  token: Token,
  definitions: ReadonlyMap<Token, Definition>,
  met: readonly Token[] = [],
): Definition | undefined {
  const definition = definitions.get(token)
  if (definition?.kind !== 'alias' || met.includes(token)) return definition
  return resolveAlias(definition.useToken, definitions, [...met, token])
}

/** Whether a token is needed, by the asker itself or by what is made for the same connection. */
function reaches(
  needs: readonly Token[],
  wanted: Token,
  definitions: ReadonlyMap<Token, Definition>,
  met = new Set<Definition>(),
): boolean {
  return needs.some(need => {
    const definition = resolveAlias(need, definitions)
    if (need === wanted) return true
    if (definition?.scope !== 'connection' || met.has(definition)) return false
    return reaches(definition.needs, wanted, definitions, met.add(definition))
  })
}

/** The definitions with each behind all that it needs; and the circles that make that impossible. */
export function sortByNeed(definitions: ReadonlyMap<Token, Definition>): {
  readonly order: readonly Definition[]
  readonly problems: readonly string[]
} {
  const order: Definition[] = []
  const problems: string[] = []
  const done = new Set<Token>()
  const path: Token[] = []
  const visit = (token: Token) => {
    const definition = definitions.get(token)
    if (definition === undefined || done.has(token)) return
    const start = path.indexOf(token)
    if (start !== -1) {
      const circle = [...path.slice(start), token].map(nameToken).join(' → ')
      problems.push(
        `dependencies go in a circle: ${circle}: move what both need into a third class, or pass it to a method`,
      )
      return
    }
    path.push(token)
    for (const need of definition.needs) visit(need)
    path.pop()
    done.add(token)
    order.push(definition)
  }
  for (const token of definitions.keys()) visit(token)
  return { order, problems }
}
