import type { DescriptionOptions } from '../declare/routes.js'
import { parseHost } from '../routing/host.js'
import { type Pattern, parsePattern } from '../routing/pattern.js'
import { nameRoute, type Route } from '../routing/table.js'
import { requestBodyOf } from './bodies.js'
import { mergeOperations } from './merge.js'
import { Names } from './names.js'
import type {
  DocumentInfo,
  DocumentMethod,
  DocumentServer,
  OpenApiDocument,
  Operation,
  PathItem,
} from './openapi-document.js'
import { parametersOf, templateOf } from './parameters.js'
import { problemSchema, type ReplyContext, repliesOf } from './replies.js'
import { drawWith } from './schemas.js'
import { requirementsOf, schemesOf } from './security.js'
import { type RouteTable, routesOf } from './table.js'

/** How `openapi` tells. */
export interface OpenApiOptions {
  /**
   * The version of the specification. 3.2 has a word for the events of a stream (`itemSchema`); fewer tools read it.
   * @default '3.1'
   */
  readonly openapi?: '3.1' | '3.2'
}

const VERSIONS = { '3.1': '3.1.1', '3.2': '3.2.0' } as const

/**
 * The requests and the event streams of a route table as an OpenAPI document; sockets are told by `asyncapi`. Schemas are
 * those that tell a JSON Schema (zod, ArkType, Valibot by `toStandardJsonSchema`). A path has one operation for a method:
 * where several routes answer there, by host, by version or by what a parameter looks like, the first stands and names the
 * others; give `app.routes.filter(…)` for a document of one version. (OpenAPI 3.1, 3.2)
 */
export function openapi(table: RouteTable, info: DocumentInfo, options: OpenApiOptions = {}): OpenApiDocument {
  const version = options.openapi ?? '3.1'
  const routes = routesOf(table).filter(({ kind }) => kind !== 'websocket')
  return drawWith('draft-2020-12', schemas => {
    if (routes.length > 0) problemSchema(schemas) // first, so that its name is free
    const paths = new Paths({ schemas, hasItems: version === '3.2' }).tell(routes)
    const securitySchemes = schemesOf(routes)
    const components = {
      ...(schemas.components && { schemas: schemas.components }),
      ...(securitySchemes && { securitySchemes }),
    }
    const hasComponents = Object.keys(components).length > 0
    return { openapi: VERSIONS[version], info, paths, ...(hasComponents && { components }) }
  })
}

/** One path of the document, and who answers there by which method. */
interface TakenPath {
  readonly template: string
  readonly pattern: Pattern
  readonly operations: { [method in DocumentMethod]?: { readonly route: Route; operation: Operation } }
}

/** The methods that `@All` is told for: HEAD and OPTIONS are answered in any case. */
const ALL: readonly DocumentMethod[] = ['get', 'put', 'post', 'delete', 'patch']

class Paths {
  readonly #taken = new Map<string, TakenPath>()
  readonly #ids = new Names()

  constructor(private readonly context: ReplyContext) {}

  tell(routes: readonly Route[]): Readonly<Record<string, PathItem>> {
    // What has a method of its own goes before `@All`, which takes the others.
    const inOrder = [...routes.filter(({ method }) => method !== '*'), ...routes.filter(({ method }) => method === '*')]
    for (const route of inOrder)
      for (const pattern of parsePattern(route.pattern ?? '/').patterns) this.#place(route, pattern)
    return Object.fromEntries(
      [...this.#taken.values()].map(({ template, operations }) => [template, itemOf(operations)]),
    )
  }

  #place(route: Route, own: Pattern): void {
    const shape = ownShape(own)
    const { template, pattern, operations } = this.#taken.get(shape) ?? {
      template: templateOf(own),
      pattern: own,
      operations: {},
    }
    this.#taken.set(shape, { template, pattern, operations })
    const methods = route.method === '*' ? ALL : [route.method.toLowerCase() as DocumentMethod]
    for (const method of methods) {
      const there = operations[method]
      if (there === undefined) operations[method] = { route, operation: this.#operation(route, own, pattern, method) }
      else if (isBeside(there.route, route))
        there.operation = mergeOperations(there.operation, this.#operation(route, own, pattern, method))
      else if (route.method !== '*' || !isOfOnePlace(there.route, route))
        there.operation = alsoHere(there.operation, route)
    }
  }

  /** @param pattern the one that gave the path its names, which may not differ from method to method (§4.8.8.2) */
  #operation(route: Route, own: Pattern, pattern: Pattern, method: DocumentMethod): Operation {
    const { schemas } = this.context
    const { summary, description, deprecated = false, tags = [route.owner.name] } = route.options as DescriptionOptions
    const parameters = parametersOf(route, own, schemas)
    const requestBody = method === 'get' || method === 'head' ? undefined : requestBodyOf(route, schemas)
    const told = [description, versionNote(route)].filter(text => text !== undefined)
    const security = requirementsOf(route)
    return {
      // A handler may have several, by its versions, its optional segments and its methods.
      operationId: this.#ids.take(route.method === '*' ? `${route.name}.${method}` : route.name),
      ...(summary !== undefined && { summary }),
      ...(told.length > 0 && { description: told.join('\n\n') }),
      ...(deprecated && { deprecated }),
      tags,
      ...(route.host !== undefined && { servers: [serverOf(route.host)] }),
      ...(parameters.length > 0 && { parameters: renamed(parameters, own, pattern) }),
      ...(requestBody && { requestBody }),
      responses: repliesOf(route, own, this.context),
      ...(security && { security }),
    }
  }
}

function itemOf(operations: TakenPath['operations']): PathItem {
  return Object.fromEntries(Object.entries(operations).map(([method, { operation }]) => [method, operation]))
}

/** Paths that differ in the names or the expressions of their parameters are one path (§4.8.8.2). */
function ownShape({ segments }: Pattern): string {
  return segments.map(each => (each.kind === 'static' ? each.written : ':')).join('/')
}

function renamed(parameters: NonNullable<Operation['parameters']>, from: Pattern, to: Pattern) {
  const names = new Map(from.segments.map((segment, index) => [nameIn(segment), nameIn(to.segments[index])]))
  return parameters.map(each => (each.in === 'path' ? { ...each, name: names.get(each.name) ?? each.name } : each))
}

function nameIn(segment: Pattern['segments'][number] | undefined): string {
  return segment === undefined || segment.kind === 'static' ? '' : segment.name
}

/** A stream and a plain reply under one path and method, of which `Accept` chooses; what `@All` has is nobody's choice. */
function isBeside(one: Route, other: Route): boolean {
  return one.kind !== other.kind && one.method === other.method && isOfOnePlace(one, other)
}

function isOfOnePlace(one: Route, other: Route): boolean {
  return one.host === other.host && one.version === other.version
}

function alsoHere(operation: Operation, route: Route): Operation {
  const note = `Also here: ${nameRoute(route)} (${route.name}).`
  const { operationId, summary, description, ...rest } = operation
  const told = description === undefined ? note : `${description}\n\n${note}`
  return { operationId, ...(summary !== undefined && { summary }), description: told, ...rest }
}

/** A parameter of `Accept` has no place among those of an operation (§4.8.12.2.1). */
function versionNote({ version, versioning }: Route): string | undefined {
  if (version === undefined || versioning?.by !== 'media-type') return undefined
  return `Version ${version}: ask for it by \`Accept: application/json; ${versioning.parameter ?? 'v'}=${version}\`.`
}

/** `:tenant.example.com` as `//{tenant}.example.com` (§4.8.5): the scheme is that of the document. */
function serverOf(host: string): DocumentServer {
  const { labels, names } = parseHost(host)
  const url = `//${labels.map(({ text, name }) => text ?? `{${name}}`).join('.')}`
  const variables = Object.fromEntries(names.map(name => [name, { default: name }]))
  return names.length === 0 ? { url } : { url, variables }
}
