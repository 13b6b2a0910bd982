import { badRequest } from '../errors.js'
import { type Pattern, parsePattern, withoutClosingSlash } from './pattern.js'
import type { Route } from './table.js'

/** What is declared under one shape of path: routes of all kinds and methods side by side. */
export interface Leaf<T> {
  http: ReadonlyMap<string, Target<T>>
  sse: ReadonlyMap<string, Target<T>>
  websocket: Target<T> | undefined
}

/** What a route leads to, and the names of the values in its path. */
export interface Target<T> {
  readonly endpoint: T
  readonly names: readonly string[]
}

/** A route of the table, and what it leads to. */
export interface Row<T> {
  readonly route: Route
  readonly endpoint: T
}

export interface Match<T> {
  readonly endpoint: T
  readonly params: Readonly<Record<string, string>>
}

interface Node<T> {
  texts: ReadonlyMap<string, Node<T>>
  /** Tried in the order of their sources, so that the order of declaration does not matter. */
  constrained: readonly { source: string; test: RegExp; node: Node<T> }[]
  free: Node<T> | undefined
  rest: Leaf<T> | undefined
  leaf: Leaf<T> | undefined
}

/** Which route of a leaf an exchange takes. */
export type Pick<T> = (leaf: Leaf<T>) => Target<T> | undefined

/** Shared by all that lead nowhere further, which are most of a large table. */
const noneByName: ReadonlyMap<string, never> = new Map<string, never>()
const noBranches: readonly never[] = []

const node = <T>(): Node<T> => ({
  texts: noneByName,
  constrained: noBranches,
  free: undefined,
  rest: undefined,
  leaf: undefined,
})
const leaf = <T>(): Leaf<T> => ({ http: noneByName, sse: noneByName, websocket: undefined })

const noParams: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/** Values that no prototype fills, and yet an object like others: `Object.create(null)` makes a table, at 2 µs. */
class Values {
  [name: string]: string
}
Object.setPrototypeOf(Values.prototype, null)
Reflect.deleteProperty(Values.prototype, 'constructor')

/**
 * Finds routes by path. At each segment text beats a constrained parameter, that beats a free one, that beats a
 * wildcard; where a branch has no route that `pick` takes, the next is tried.
 */
export class Matcher<T> {
  readonly #root = node<T>()
  /** Paths without parameters, found without being split. */
  readonly #texts = new Map<string, Leaf<T>>()
  readonly #keepsSlash: boolean

  constructor(rows: readonly Row<T>[], closingSlash: 'ignore' | 'strict' | 'redirect' = 'ignore') {
    this.#keepsSlash = closingSlash !== 'ignore'
    for (const { route, endpoint } of rows) {
      if (route.pattern === undefined) continue
      for (const pattern of parsePattern(this.#normal(route.pattern)).patterns)
        place(this.#leafAt(pattern), route, { endpoint, names: pattern.names })
    }
  }

  /** @throws HttpError 400 for a bad percent escape */
  find(path: string, pick: Pick<T>): Match<T> | undefined {
    const normal = this.#normal(path)
    const exact = this.#texts.get(normal)
    const target = exact === undefined ? undefined : pick(exact)
    if (target !== undefined) return { endpoint: target.endpoint, params: noParams }
    const values: string[] = []
    const found = search(this.#root, splitPath(normal), 0, values, pick)
    return found && { endpoint: found.endpoint, params: nameValues(found.names, values) }
  }

  /** All leaves that answer to a path, for `Allow` and for telling 404 from 405. */
  leaves(path: string): readonly Leaf<T>[] {
    const found: Leaf<T>[] = []
    search(this.#root, splitPath(this.#normal(path)), 0, [], candidate => {
      found.push(candidate)
      return undefined
    })
    return found
  }

  #normal(path: string): string {
    return this.#keepsSlash ? path : withoutClosingSlash(path)
  }

  #leafAt(pattern: Pattern): Leaf<T> {
    let at = this.#root
    for (const segment of pattern.segments) {
      if (segment.kind === 'wildcard') {
        at.rest ??= leaf()
        return at.rest
      }
      at = segment.kind === 'static' ? textNode(at, segment.text) : paramNode(at, segment.source, segment.test)
    }
    at.leaf ??= leaf()
    if (pattern.names.length === 0) this.#texts.set(pattern.text, at.leaf)
    return at.leaf
  }
}

function textNode<T>(at: Node<T>, text: string): Node<T> {
  const known = at.texts.get(text)
  if (known !== undefined) return known
  const next = node<T>()
  at.texts = added(at.texts, text, next)
  return next
}

/** A map with one more entry; one that is shared by all stays empty. */
function added<V>(to: ReadonlyMap<string, V>, name: string, value: V): ReadonlyMap<string, V> {
  const own = to === noneByName ? new Map<string, V>() : (to as Map<string, V>)
  return own.set(name, value)
}

function paramNode<T>(at: Node<T>, source: string | undefined, test: RegExp | undefined): Node<T> {
  if (source === undefined || test === undefined) {
    at.free ??= node()
    return at.free
  }
  const known = at.constrained.find(branch => branch.source === source)
  if (known !== undefined) return known.node
  const branch = { source, test, node: node<T>() }
  at.constrained = [...at.constrained, branch].sort((a, b) => (a.source < b.source ? -1 : 1))
  return branch.node
}

function place<T>(at: Leaf<T>, route: Route, target: Target<T>): void {
  if (route.kind === 'websocket') at.websocket = target
  else at[route.kind] = added(at[route.kind], route.method, target)
}

/** Percent-decoding happens here, once for each segment and after the split, so `%2F` never makes a new segment. */
function splitPath(path: string): string[] {
  if (path === '/') return []
  const parts: string[] = []
  // By hand: `split` costs more than the search.
  let from = 1
  for (let slash = path.indexOf('/', from); slash !== -1; slash = path.indexOf('/', from)) {
    parts.push(path.slice(from, slash))
    from = slash + 1
  }
  parts.push(path.slice(from))
  return path.includes('%') ? parts.map(decodeSegment) : parts
}

function decodeSegment(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw badRequest('the path has a bad percent escape')
  }
}

/** Walks the tree depth first; a node is met once at the most, so a path costs no more than there are nodes. */
function search<T>(
  at: Node<T>,
  parts: readonly string[],
  depth: number,
  values: string[],
  pick: Pick<T>,
): Target<T> | undefined {
  const part = parts[depth]
  if (part === undefined) return at.leaf && pick(at.leaf)
  const text = at.texts.get(part)
  let found = text && search(text, parts, depth + 1, values, pick)
  if (found !== undefined) return found
  if (part !== '') {
    for (const branch of at.constrained) {
      if (!branch.test.test(part)) continue
      found = searchParam(branch.node, parts, depth, values, pick)
      if (found !== undefined) return found
    }
    found = at.free && searchParam(at.free, parts, depth, values, pick)
    if (found !== undefined) return found
  }
  const rest = at.rest && pick(at.rest)
  if (rest !== undefined) values.push(parts.slice(depth).join('/'))
  return rest
}

function searchParam<T>(
  at: Node<T>,
  parts: readonly string[],
  depth: number,
  values: string[],
  pick: Pick<T>,
): Target<T> | undefined {
  values.push(parts[depth] ?? '')
  const found = search(at, parts, depth + 1, values, pick)
  if (found === undefined) values.pop()
  return found
}

function nameValues(names: readonly string[], values: readonly string[]): Readonly<Record<string, string>> {
  if (names.length === 0) return noParams
  const params = new Values()
  for (let index = 0; index < names.length; index++) params[names[index] ?? ''] = values[index] ?? ''
  return params
}
