import type { SseOptions, WebSocketOptions } from '../declare/routes.js'
import { parseHost } from '../routing/host.js'
import { type Pattern, parsePattern } from '../routing/pattern.js'
import type { Route } from '../routing/table.js'
import { asyncSchemeOf } from './async-security.js'
import type { AsyncApiDocument, AsyncOperation, AsyncServer, Channel, Reference } from './asyncapi-document.js'
import { type JsonSchema, objectOf } from './json-schema.js'
import { type DirectedMessage, messagesOf } from './messages.js'
import { Names } from './names.js'
import type { DocumentInfo, Parameter } from './openapi-document.js'
import { parametersOf, templateOf } from './parameters.js'
import { drawWith, type Schemas } from './schemas.js'
import { schemesOf, securitiesOf } from './security.js'
import { type RouteTable, routesOf } from './table.js'

/**
 * The event streams and the sockets of a route table as an AsyncAPI document: what peers send, by the `@On` handlers and
 * their schemas; what they are sent, by the `events` of registries and the `output` of streams; what acknowledges a
 * message. Schemas are those that tell a JSON Schema, as for `openapi`. (AsyncAPI 3.0)
 */
export function asyncapi(table: RouteTable, info: DocumentInfo): AsyncApiDocument {
  const routes = routesOf(table)
  const places = routes.filter(({ kind }) => kind !== 'http').flatMap(route => placesOf(route, routes))
  return drawWith('draft-07', schemas => {
    const channels: Record<string, Channel> = {}
    const operations: Record<string, AsyncOperation> = {}
    for (const place of withNames(places)) {
      const messages = messagesOf(place.route, schemas)
      const parameters = parametersOf(place.route, place.pattern, schemas)
      channels[place.name] = channelOf(place, messages, parameters)
      Object.assign(operations, operationsOf(place, messages, parameters))
    }
    const servers = serversOf(places)
    const components = componentsOf(places, schemas)
    return {
      asyncapi: '3.0.0',
      info,
      defaultContentType: 'application/json',
      ...(servers && { servers }),
      channels,
      operations,
      ...(components && { components }),
    }
  })
}

/** Where peers reach an event stream or a socket. */
interface Place {
  readonly route: Route
  readonly pattern: Pattern
  readonly host: string | undefined
}

/** One for each optional segment that may be missing. A socket without a path is reached where a `@Get` upgrades to it. */
function placesOf(route: Route, routes: readonly Route[]): Place[] {
  const doors =
    route.pattern === undefined
      ? routes.filter(({ options }) => ((options.upgrade ?? []) as readonly unknown[]).includes(route.owner))
      : [route]
  return doors.flatMap(({ pattern = '/', host }) =>
    parsePattern(pattern).patterns.map(each => ({ route, pattern: each, host })),
  )
}

/** Each channel has a name of its own: the handler's, and a number where that stands in several places. */
function withNames(places: readonly Place[]): NamedPlace[] {
  const names = new Names()
  return places.map(place => ({ ...place, name: names.take(place.route.name) }))
}

type NamedPlace = Place & { readonly name: string }

function channelOf(
  { route, pattern, host }: NamedPlace,
  messages: readonly DirectedMessage[],
  parameters: readonly Parameter[],
): Channel {
  const { summary, description, deprecated, tags = [route.owner.name] } = route.options as SseOptions
  const inPath = parameters.filter(each => each.in === 'path')
  // A channel has no field for that it is deprecated.
  const told = [deprecated === true ? 'Deprecated.' : undefined, description].filter(text => text !== undefined)
  return {
    address: templateOf(pattern),
    ...(summary !== undefined && { summary }),
    ...(told.length > 0 && { description: told.join('\n\n') }),
    ...(inPath.length > 0 && { parameters: Object.fromEntries(inPath.map(each => [each.name, pathValue(each)])) }),
    ...(host !== undefined && { servers: [serverReference(route, host)] }),
    tags: tags.map(name => ({ name })),
    messages: Object.fromEntries(
      messages.flatMap(({ key, message, reply }) => [
        [key, message],
        ...(reply === undefined ? [] : [[replyKey(key), reply]]),
      ]),
    ),
    ...(route.kind === 'websocket' && { bindings: { ws: handshakeOf(route, parameters) } }),
  }
}

/** A parameter has no schema since 3.0: its values are strings. */
function pathValue({ description, schema }: Parameter) {
  const values = schema.enum
  return {
    ...(description !== undefined && { description }),
    ...(Array.isArray(values) && { enum: values.map(String) }),
  }
}

/** "WebSockets Channel Binding", 0.1.0. */
function handshakeOf({ options }: Route, parameters: readonly Parameter[]): JsonSchema {
  const { protocols = [] } = options as WebSocketOptions
  const protocol: Parameter = {
    name: 'Sec-WebSocket-Protocol',
    in: 'header',
    schema: { type: 'string', enum: protocols },
  }
  const query = fieldsIn('query', parameters)
  const headers = fieldsIn('header', protocols.length > 0 ? [...parameters, protocol] : parameters)
  return { method: 'GET', ...(query && { query }), ...(headers && { headers }), bindingVersion: '0.1.0' }
}

function fieldsIn(place: Parameter['in'], parameters: readonly Parameter[]): JsonSchema | undefined {
  const fields = parameters.filter(each => each.in === place)
  if (fields.length === 0) return undefined
  const properties = fields.map(({ name, schema, description }) => [
    name,
    description ? { description, ...schema } : schema,
  ])
  const required = fields.flatMap(({ name, required = false }) => (required ? name : []))
  return objectOf(Object.fromEntries(properties), required)
}

/** One for each message that peers send, `Board.stroke`, and one for all that they are sent, `Board`. */
function operationsOf(
  { name, route }: NamedPlace,
  messages: readonly DirectedMessage[],
  parameters: readonly Parameter[],
): Record<string, AsyncOperation> {
  const channel: Reference = { $ref: `#/channels/${name}` }
  const reference = (key: string): Reference => ({ $ref: `#/channels/${name}/messages/${key}` })
  const names = new Names()
  const common = { channel, ...securityOf(route) }
  const received = messages
    .filter(({ action }) => action === 'receive')
    .map(({ key, row, reply, message: { summary, description } }): [string, AsyncOperation] => [
      names.take(`${name}.${row?.member ?? 'message'}`),
      {
        action: 'receive',
        ...common,
        ...(row !== undefined && summary !== undefined && { summary }),
        ...(row !== undefined && description !== undefined && { description }),
        messages: [reference(key)],
        ...(reply && { reply: { channel, messages: [reference(replyKey(key))] } }),
      },
    ])
  const sent = messages.filter(({ action }) => action === 'send').map(({ key }) => reference(key))
  if (sent.length === 0) return Object.fromEntries(received)
  const bindings = route.kind === 'sse' && { bindings: { http: requestOf(route, parameters) } }
  return { ...Object.fromEntries(received), [name]: { action: 'send', ...common, messages: sent, ...bindings } }
}

/**
 * Any one of the schemes of an operation is enough ("Operation Object"), so that of several guards it has a place only for
 * the innermost.
 */
function securityOf(route: Route): Pick<AsyncOperation, 'security'> {
  const innermost = Object.keys(securitiesOf(route).at(-1) ?? {})
  if (innermost.length === 0) return {}
  return { security: innermost.map(name => ({ $ref: `#/components/securitySchemes/${name}` })) }
}

/** "HTTP Operation Binding", 0.3.0. */
function requestOf({ method }: Route, parameters: readonly Parameter[]): JsonSchema {
  const query = fieldsIn('query', parameters)
  return { method, ...(query && { query }), bindingVersion: '0.3.0' }
}

function replyKey(key: string): string {
  return `${key}.ack`
}

function serverKey({ kind }: Route, host: string): string {
  return `${kind === 'sse' ? 'http' : 'ws'}.${host.replace(/[^\w.-]/g, '')}`
}

function serverReference(route: Route, host: string): Reference {
  return { $ref: `#/servers/${serverKey(route, host)}` }
}

function serversOf(places: readonly Place[]): Record<string, AsyncServer> | undefined {
  const bound = places.flatMap(({ route, host }) => (host === undefined ? [] : [{ route, host }]))
  if (bound.length === 0) return undefined
  return Object.fromEntries(
    bound.map(({ route, host }) => {
      const { labels, names } = parseHost(host)
      const variables = Object.fromEntries(names.map(each => [each, { default: each }]))
      const server: AsyncServer = {
        host: labels.map(({ text, name }) => text ?? `{${name}}`).join('.'),
        protocol: route.kind === 'sse' ? 'http' : 'ws',
        ...(names.length > 0 && { variables }),
      }
      return [serverKey(route, host), server]
    }),
  )
}

function componentsOf(places: readonly Place[], schemas: Schemas): AsyncApiDocument['components'] {
  const schemes = Object.entries(schemesOf(places.map(({ route }) => route)) ?? {})
  if (schemas.components === undefined && schemes.length === 0) return undefined
  return {
    ...(schemas.components && { schemas: schemas.components }),
    ...(schemes.length > 0 && {
      securitySchemes: Object.fromEntries(schemes.map(([name, scheme]) => [name, asyncSchemeOf(scheme)])),
    }),
  }
}
