/** The messages of event streams and sockets, as AsyncAPI has them. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { MessageRow, Route } from '../routing/table.js'
import type { AsyncMessage } from './asyncapi-document.js'
import { type EventDescription, NOTHING, placeEvents, readerOf, registryEvents, streamEvents } from './events.js'
import { type JsonSchema, objectOf, refusesNothing, TEXT } from './json-schema.js'
import { Names } from './names.js'
import { problemSchema } from './replies.js'
import type { Schemas } from './schemas.js'

/** Which way a message goes, as the application sees it, and by what it is acknowledged. */
export interface DirectedMessage {
  /** Its key among those of its channel. */
  readonly key: string
  readonly message: AsyncMessage
  readonly action: 'receive' | 'send'
  /** The handler that takes it. */
  readonly row?: MessageRow
  readonly reply?: AsyncMessage
}

const ACK: JsonSchema = { type: ['string', 'number'] }

/** All messages of a route, each under a key of its own. */
export function messagesOf(route: Route, schemas: Schemas): readonly DirectedMessage[] {
  const told = route.kind === 'sse' ? streamMessages(route, schemas) : socketMessages(route, schemas)
  const keys = new Names()
  return told.map(each => ({ ...each, key: keys.take(each.key.replace(/[^\w.-]/g, '_')) }))
}

/** The fields of an event (WHATWG HTML §9.2.6) are the headers of its data. */
function streamMessages(route: Route, schemas: Schemas): DirectedMessage[] {
  return streamEvents(route, schemas).map(told => {
    const { event, data = NOTHING, numbered } = told
    const type = event === undefined ? TEXT : { ...TEXT, const: event }
    const headers = objectOf(
      { event: type, ...(numbered !== 'never' && { id: TEXT }) },
      event === undefined ? [] : ['event'],
    )
    const contentType = data.type === 'string' ? 'text/plain' : 'application/json'
    return { key: told.key, action: 'send', message: { ...wordsOf(told), contentType, headers, payload: data } }
  })
}

/** Messages by name are JSON text; what has none of it goes to `message`, and is what the class makes of it. */
function socketMessages(route: Route, schemas: Schemas): DirectedMessage[] {
  const { messages, owner } = route
  const received = messages.map(row => namedMessage(row, schemas))
  const sent = [...registryEvents(route, schemas), ...placeEvents(route)].map(
    (told): DirectedMessage => ({
      key: told.key,
      action: 'send',
      message: { ...wordsOf(told), payload: sentPayload(told) },
    }),
  )
  const isRaw = messages.length === 0 || 'message' in owner.prototype
  const frame = (key: string, action: DirectedMessage['action']): DirectedMessage => ({
    key,
    action,
    message: { description: 'Any text or bytes.', contentType: 'application/octet-stream', payload: {} },
  })
  return [
    ...received,
    ...sent,
    ...(messages.length > 0 ? [errorMessage(schemas)] : []),
    ...(isRaw ? [frame('frame', 'receive'), frame('answer', 'send')] : []),
  ]
}

/** `{ "event", "data", "ack"? }`, and `{ "ack", "data" }` or `{ "ack", "error" }`. */
function namedMessage(row: MessageRow, schemas: Schemas): DirectedMessage {
  const { summary, description, deprecated = false, output } = row
  const event = { ...TEXT, const: row.event }
  const reader = readerOf(row)
  const data = reader === undefined ? {} : schemas.input(reader)
  const payload = objectOf({ event, data, ack: ACK }, refusesNothing(reader) ? ['event', 'data'] : ['event'])
  return {
    key: row.event,
    action: 'receive',
    row,
    message: {
      name: row.event,
      ...(summary !== undefined && { summary }),
      ...(description !== undefined && { description }),
      ...(deprecated && { deprecated }),
      payload,
    },
    reply: {
      description: 'To a message that has an `ack`, which it repeats.',
      payload: answerPayload(output, schemas),
    },
  }
}

function answerPayload(output: StandardSchemaV1 | undefined, schemas: Schemas): JsonSchema {
  const data = output === undefined ? {} : schemas.output(output)
  return {
    oneOf: [
      objectOf({ ack: ACK, data }, ['ack', 'data']),
      objectOf({ ack: ACK, error: problemSchema(schemas) }, ['ack', 'error']),
    ],
  }
}

function errorMessage(schemas: Schemas): DirectedMessage {
  const payload = objectOf({ event: { ...TEXT, const: 'error' }, data: problemSchema(schemas) }, ['event', 'data'])
  const description = 'A message without an `ack` failed.'
  return { key: 'error', action: 'send', message: { name: 'error', description, payload } }
}

/** `{ "event", "data", "id" }`, or only an id. */
function sentPayload({ event, data, numbered }: EventDescription): JsonSchema {
  const id = numbered === 'never' ? {} : { id: TEXT }
  if (data === undefined && event === undefined && numbered === 'always')
    return { ...objectOf(id, ['id']), additionalProperties: false }
  const type = event === undefined ? TEXT : { ...TEXT, const: event }
  return objectOf({ event: type, data: data ?? {}, ...id }, ['event', 'data'])
}

function wordsOf({ event, description }: EventDescription): Pick<AsyncMessage, 'name' | 'description'> {
  return { ...(event !== undefined && { name: event }), ...(description !== undefined && { description }) }
}
