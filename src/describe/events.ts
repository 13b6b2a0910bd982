/** What connections are sent, as far as declarations tell. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { SseOptions } from '../declare/routes.js'
import type { MessageRow, Route } from '../routing/table.js'
import { type JsonSchema, objectOf, TEXT } from './json-schema.js'
import type { Schemas } from './schemas.js'

/** The data of an event that has none. */
export const NOTHING: JsonSchema = { type: 'string', const: '' }

/** An event of a stream, or a message from a registry to a socket. */
export interface EventDescription {
  /** Its key among those of its route. */
  readonly key: string
  /** The type that it has; undefined where it may have any. */
  readonly event?: string
  /** What its data are like, before they are text; undefined where it has none. */
  readonly data?: JsonSchema
  /** What it is, where that is ours to say. */
  readonly description?: string
  /** Whether it carries the id that a peer comes back with: always, or where it was given one. */
  readonly numbered: 'always' | 'maybe' | 'never'
}

/** What an event stream is sent: by its registries, by its handlers, and by Palomino itself. */
export function streamEvents(route: Route, schemas: Schemas): readonly EventDescription[] {
  const sent = registryEvents(route, schemas)
  const { output } = route.options as SseOptions
  const own: EventDescription = {
    key: 'event',
    numbered: 'maybe',
    data: output === undefined ? {} : schemas.output(output),
  }
  const isTold = output === undefined && sent.length > 0
  return [...sent, ...(isTold ? [] : [own]), ...placeEvents(route), failure]
}

/** What registries send to the connections of a route, on both transports. */
export function registryEvents({ registries, sends }: Route, schemas: Schemas): readonly EventDescription[] {
  const told = sends.map(({ registry, event, schema }): EventDescription => {
    const isShared = sends.some(other => other.event === event && other.registry !== registry)
    const key = isShared ? `${registry}.${event}` : event
    return { key, event, numbered: 'maybe', data: schemas.output(schema) }
  })
  const silent = registries.filter(registry => sends.every(send => send.registry !== registry))
  return [
    ...told,
    ...silent.map(key => ({ key, description: `Sent by the registry ${key}.`, data: {}, numbered: 'maybe' }) as const),
  ]
}

/** What tells a peer of registries where it stands. */
export function placeEvents({ registries, kind }: Route): readonly EventDescription[] {
  if (registries.length === 0) return []
  const gap = objectOf({ registry: TEXT, rooms: { type: 'array', items: TEXT } }, ['registry', 'rooms'])
  const place = {
    key: 'place',
    numbered: 'always',
    description: 'Where the peer stands: an id to come back with.',
  } as const
  return [
    {
      key: 'gap',
      event: 'gap',
      numbered: 'never',
      data: gap,
      description: 'What was missed there cannot be had any more.',
    },
    kind === 'sse' ? { ...place, event: 'place' } : place,
  ]
}

const failure: EventDescription = {
  key: 'error',
  event: 'error',
  numbered: 'never',
  data: objectOf({ title: TEXT, status: { type: 'integer' } }, ['title', 'status']),
  description: 'A handler failed, and the stream ends.',
}

/**
 * One event as its fields (OpenAPI 3.2 §4.14.4, WHATWG HTML §9.2.6): data are text, a string as it is and all else as JSON.
 */
export function eventFields({ event, data, numbered, description }: EventDescription): JsonSchema {
  const id = numbered === 'never' ? {} : { id: TEXT }
  const required = [...(event === undefined ? [] : ['event']), 'data', ...(numbered === 'always' ? ['id'] : [])]
  const type = event === undefined ? TEXT : { type: 'string', const: event }
  const fields = objectOf({ event: type, data: dataText(data), ...id }, required)
  return description === undefined ? fields : { ...fields, description }
}

function dataText(data: JsonSchema | undefined): JsonSchema {
  if (data === undefined) return NOTHING
  if (data.type === 'string') return data
  if (Object.keys(data).length === 0) return TEXT
  return { ...TEXT, contentMediaType: 'application/json', contentSchema: data }
}

/** What reads the data of an `@On` message: its decorator, or its parameter. */
export function readerOf({ schema, params }: MessageRow): StandardSchemaV1 | undefined {
  return schema ?? [...params.values()].find(each => each.source === 'data')?.schema
}
