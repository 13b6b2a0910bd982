/** What operations answer, as far as declarations and the pipeline tell. */
import { STATUS_CODES } from 'node:http'
import type { BodyOptions } from '../declare/params.js'
import type { HttpOptions } from '../declare/routes.js'
import type { Pattern } from '../routing/pattern.js'
import type { Route } from '../routing/table.js'
import { bodyAsks } from './bodies.js'
import { eventFields, streamEvents } from './events.js'
import { type JsonSchema, objectOf, TEXT } from './json-schema.js'
import type { Content, MediaType, ReplyDescription } from './openapi-document.js'
import type { Schemas } from './schemas.js'
import { securitiesOf } from './security.js'

/** What replies depend on besides their route. */
export interface ReplyContext {
  readonly schemas: Schemas
  /** Whether event streams are told one event at a time, as 3.2 has it. */
  readonly hasItems: boolean
}

/** The replies of a route where it stands under this pattern. */
export function repliesOf(route: Route, pattern: Pattern, context: ReplyContext): Record<string, ReplyDescription> {
  const status = route.status ?? 200
  const content = hasNoContent(route, status) ? undefined : contentOf(route, context)
  const upgrades = ((route.options as HttpOptions).upgrade ?? []).map(socket => socket.name)
  const problems = problemsOf(route, pattern).map(([code, description]) => [
    code,
    problem(description, context.schemas),
  ])
  return {
    ...(upgrades.length > 0 && { 101: { description: `A WebSocket: ${upgrades.join(', ')}.` } }),
    [status]: { description: STATUS_CODES[status] ?? 'Done', ...(content && { content }) },
    ...Object.fromEntries(problems),
    default: problem('Any other error.', context.schemas),
  }
}

/** RFC 9110 §9.3.2, §15.3.5, §15.3.6, §15.4.5. */
function hasNoContent({ method }: Route, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 205 || status === 304
}

function contentOf(route: Route, { schemas, hasItems }: ReplyContext): Content | undefined {
  if (route.kind === 'sse') return { 'text/event-stream': eventStream(route, { schemas, hasItems }) }
  const { output } = route.options as HttpOptions
  const types = acceptedTypes(route)
  if (output === undefined) return types.length === 0 ? undefined : sameFor(types, {})
  const schema = schemas.output(output)
  const isText = schemas.resolve(schema).type === 'string'
  return sameFor(types.length > 0 ? types : [isText ? 'text/plain' : 'application/json'], { schema })
}

function sameFor(types: readonly string[], media: MediaType): Content {
  return Object.fromEntries(types.map(type => [type, media]))
}

/**
 * Events have a field of their own since 3.2 (§4.14.4). In 3.1, which has nothing to say of streams, tools that know them
 * (Speakeasy, Schemathesis) take `schema` for that of one event.
 */
function eventStream(route: Route, { schemas, hasItems }: ReplyContext): MediaType {
  const [first = {}, ...others] = streamEvents(route, schemas).map(eventFields)
  const schema: JsonSchema = others.length === 0 ? first : { anyOf: [first, ...others] }
  return hasItems ? { itemSchema: schema } : { schema }
}

/** What `@Accepts` names, on a parameter or on the method. */
function acceptedTypes({ params, guards }: Route): readonly string[] {
  const onParameters = [...params.values()].flatMap(each =>
    each.source === 'accepts' ? ((each.options as { types?: readonly string[] } | undefined)?.types ?? []) : [],
  )
  return [...new Set([...onParameters, ...guards.flatMap(typesOfGuard)])]
}

function typesOfGuard(guard: unknown): readonly string[] {
  const { accepts } = guard as { readonly accepts?: unknown }
  return Array.isArray(accepts) ? accepts : []
}

type ProblemReply = readonly [status: number, description: string]

/** What the pipeline answers before a handler is called, and when. */
function problemsOf(route: Route, { segments }: Pattern): readonly ProblemReply[] {
  const asks = bodyAsks(route)
  const hasBody = asks.length > 0
  const inputs = [...route.params.values()].filter(({ schema }) => schema !== undefined)
  const isRaw = asks.some(({ options }) => (options as BodyOptions | undefined)?.as !== undefined)
  const guards = route.guards.filter(guard => typesOfGuard(guard).length === 0)
  const readsHead = inputs.some(({ source }) => ['param', 'query', 'header', 'cookie'].includes(source))
  const isRead = inputs.some(({ source }) => source === 'body') || asks.some(({ source }) => source !== 'body')
  const when = (holds: boolean, status: number, description: string): ProblemReply[] =>
    holds ? [[status, description]] : []
  return [
    ...when(readsHead || hasBody, 400, readsHead ? 'A parameter is refused.' : 'The body is malformed.'),
    ...when(securitiesOf(route).length > 0, 401, 'It is not known who asks.'),
    ...when(guards.length > 0, 403, 'A guard refuses.'),
    ...when(
      segments.some(({ kind }) => kind !== 'static'),
      404,
      'There is nothing under this path.',
    ),
    ...when(isNegotiated(route), 406, 'What is asked for is not offered.'),
    ...when(hasBody, 413, 'The body is too large.'),
    ...when(hasBody, 415, isRaw ? 'The body is encoded.' : 'The body is of another type.'),
    ...when(isRead, 422, 'The body is refused.'),
  ]
}

function isNegotiated(route: Route): boolean {
  return route.kind === 'sse' || route.version !== undefined || acceptedTypes(route).length > 0
}

function problem(description: string, schemas: Schemas): ReplyDescription {
  return { description, content: { 'application/problem+json': { schema: problemSchema(schemas) } } }
}

const ISSUE = objectOf({ in: TEXT, path: { type: 'array', items: { type: ['string', 'integer'] } }, message: TEXT }, [
  'in',
  'path',
  'message',
])
const PROBLEM = objectOf(
  {
    type: { ...TEXT, format: 'uri-reference' },
    title: TEXT,
    status: { type: 'integer' },
    detail: TEXT,
    issues: { type: 'array', items: ISSUE },
  },
  ['type', 'title', 'status'],
)

/** A problem detail (RFC 9457 §3.1), with what schemas refused. */
export function problemSchema(schemas: Schemas): JsonSchema {
  return schemas.named('Problem', PROBLEM)
}
