import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AbstractClass, MemberDeclaration, ParamDeclaration, Surroundings } from '../declare/metadata.js'
import type { SummaryOptions } from '../declare/routes.js'
import type { Versioning } from './versioning.js'

/** Requests, an event stream by a class or by a method, or a socket. */
export type RouteKind = 'http' | 'sse' | 'websocket'

/** A message handler of a socket class: what `@On` declared. */
export interface MessageRow extends Surroundings, SummaryOptions {
  /** The name of the event. */
  readonly event: string
  /** The handler's name. */
  readonly member: string
  /** `Board.stroke`. */
  readonly name: string
  /** What reads the data. */
  readonly schema?: StandardSchemaV1
  /** What checks the acknowledgement. */
  readonly output?: StandardSchemaV1
  /** How each parameter is filled, by its index. */
  readonly params: ReadonlyMap<number, ParamDeclaration>
}

/** An event that a registry says it sends. */
export interface EventRow {
  /** The name of the registry. */
  readonly registry: string
  /** The name of the event. */
  readonly event: string
  /** What its data are like. */
  readonly schema: StandardSchemaV1
}

/** One row of the route table: frozen, and all that is known of a route. */
export interface Route extends Surroundings {
  /** What it serves. */
  readonly kind: RouteKind
  /** The request method; `*` for all. */
  readonly method: string
  /** The whole path, prefixes included; undefined for a socket class that is reached only by `upgrade`. */
  readonly pattern: string | undefined
  /** What the modules and the application put in front of the path. */
  readonly prefix: string
  /** The host it is bound to, `:tenant.example.com`; absent where it answers on any. */
  readonly host?: string
  /** The version that requests ask for in a header field; absent where it has none, or has it in its path. */
  readonly version?: string
  /** How they ask for it; absent where `version` is. */
  readonly versioning?: Versioning
  /** `Users.show`, or the name of the class. */
  readonly name: string
  /** The class that declares it. */
  readonly owner: AbstractClass
  /** The handler's name; undefined for event sources and socket classes. */
  readonly member: string | undefined
  /** What `@Status` says. */
  readonly status: number | undefined
  /** How each parameter is filled, by its index. */
  readonly params: ReadonlyMap<number, ParamDeclaration>
  /** The `@On` handlers of a socket class. */
  readonly messages: readonly MessageRow[]
  /** Names of the registries that the owner is given. */
  readonly registries: readonly string[]
  /** The events that those registries say they send. */
  readonly sends: readonly EventRow[]
  /** What its decorator was told. */
  readonly options: Readonly<Record<string, unknown>>
}

/** A class whose routes are asked for, and what surrounds it. */
export interface Listed extends Surroundings {
  readonly owner: AbstractClass
  readonly prefix: string
  /** The host and the versions that the modules give to those who have none of their own. */
  readonly host?: string | undefined
  readonly version?: string | readonly string[] | undefined
  readonly registries: readonly string[]
  readonly sends: readonly EventRow[]
}

export const noSurroundings: Surroundings = { guards: [], interceptors: [], errorMappers: [] }

/** Stands for the route of an exchange that has none. */
export function standInRoute(name: string): Route {
  return Object.freeze({
    ...noSurroundings,
    kind: 'http',
    method: '*',
    pattern: undefined,
    prefix: '',
    name,
    owner: Object,
    member: undefined,
    status: undefined,
    params: new Map(),
    messages: [],
    registries: [],
    sends: [],
    options: {},
  })
}

/** Members that a class of each kind runs by name, without a decorator. */
export const callbacks = {
  sse: ['open', 'info', 'close'],
  websocket: ['open', 'message', 'info', 'ping', 'pong', 'close'],
} as const

export const noMember: MemberDeclaration = { ...noSurroundings, marks: [], params: new Map() }

/** How a route's kind and method are spoken of: `GET`, `ALL`, `SSE`, `WS`. */
export function verbOf(route: Route): string {
  if (route.kind === 'websocket') return 'WS'
  if (route.kind === 'sse' && route.method === 'GET') return 'SSE'
  return route.method === '*' ? 'ALL' : route.method
}

/** How a route is spoken of: `GET /users/:id`. */
export function nameRoute(route: Route): string {
  const version = route.version === undefined ? '' : ` version ${route.version}`
  return `${verbOf(route)} ${route.host ?? ''}${route.pattern ?? '(by upgrade)'}${version}`
}
