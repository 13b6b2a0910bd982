/**
 * Messages by name: `{ "event", "data", "ack" }` from the peer; `{ "ack", "data" }` or `{ "ack", "error" }` back, where
 * it asked for an acknowledgement with an `ack` of its own choosing. An error without one is told as the event `error`.
 */

import { Stop } from '../connections/close-reason.js'
import { Connection } from '../connections/connection.js'
import type { ConnectionServing } from '../connections/serving.js'
import { badRequest, HttpError, notFound, type Problem, unsupportedMediaType } from '../errors.js'
import type { Bind } from '../pipeline/bind.js'
import { MessageContext } from '../pipeline/context.js'
import { compileEndpoint, type Endpoint, type Handler, Refusal } from '../pipeline/endpoint.js'
import { parseJson } from '../pipeline/json.js'
import { Reply } from '../pipeline/reply.js'
import { type Binding, bindMember } from '../pipeline/serving.js'
import { isPromise, then } from '../pipeline/settle.js'
import { readInput, readOutput } from '../pipeline/validate.js'
import type { MessageRow, Route } from '../routing/table.js'
import { Socket, type SocketHandlers } from './socket.js'

type Ack = string | number | undefined

interface Envelope {
  readonly event: string
  readonly data: unknown
  readonly ack: Ack
}

interface CompiledMessage {
  readonly row: MessageRow
  readonly endpoint: Endpoint
}

/** Handles a data frame of a socket whose instance is known. */
export type HandleFrame = (socket: Socket, instance: SocketHandlers, data: Buffer, binary: boolean) => unknown

/** The handling of data frames that a socket class declares: its `@On` handlers, and `message` for all others. */
export function compileMessages(route: Route, serving: ConnectionServing): HandleFrame {
  const rows = new Map(route.messages.map(row => [row.event, compileRow(route, row, serving)]))
  return (socket, instance, data, binary) => {
    const raw = () => instance.message?.(binary ? data : data.toString(), socket)
    if (rows.size === 0) return raw()
    const takesRaw = instance.message !== undefined
    if (binary)
      return takesRaw ? raw() : answerError(undefined, unsupportedMediaType('this socket takes messages as JSON text'))
    const envelope = readEnvelope(data.toString())
    if (envelope instanceof HttpError) return takesRaw ? raw() : answerError(undefined, envelope)
    const compiled = rows.get(envelope.event)
    if (compiled !== undefined) return run(route, compiled, socket, instance, envelope, serving)
    return takesRaw ? raw() : answerError(envelope.ack, notFound(`no handler for the event ${envelope.event}`))
  }
}

function compileRow(route: Route, row: MessageRow, serving: ConnectionServing): CompiledMessage {
  return { row, endpoint: compileEndpoint(row, bindMessage(route, row, serving), serving.resolve) }
}

export function bindMessage(route: Route, row: MessageRow, binding: Binding): Bind {
  return bindMember(
    { route, name: row.name, key: row.member, row },
    { sources: ['data'], connections: [Connection, Socket] },
    binding,
  )
}

function readEnvelope(text: string): Envelope | HttpError {
  try {
    const value = parseJson(text)
    if (typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string') {
      const ack =
        'ack' in value && (typeof value.ack === 'string' || typeof value.ack === 'number') ? value.ack : undefined
      return { event: value.event, data: 'data' in value ? value.data : undefined, ack }
    }
    return badRequest('a message is an object with an event: { "event": "name", "data": … }')
  } catch (error) {
    return error as HttpError
  }
}

/** One message through the pipeline: guards, arguments, interceptors, the handler; then its acknowledgement. */
function run(
  route: Route,
  { row, endpoint }: CompiledMessage,
  socket: Socket,
  instance: SocketHandlers,
  envelope: Envelope,
  serving: ConnectionServing,
): unknown {
  const handler = (instance as Record<string, Handler>)[row.member]?.bind(instance) as Handler
  const fail = (error: unknown, context?: MessageContext) => {
    const mapped = context === undefined ? error : endpoint.map(error, context)
    const heard = toHttpError(mapped)
    if (heard.status >= 500) serving.logger.error(`${row.name} failed`, error)
    return answerError(envelope.ack, heard)
  }
  let context: MessageContext | undefined
  try {
    const result = then(
      row.schema === undefined ? envelope.data : readInput(row.schema, envelope.data, 'data'),
      data => {
        const made = new MessageContext(route, socket, envelope.event, data)
        context = made
        return then(endpoint.admit(made), () => endpoint.call(made, handler))
      },
    )
    const answer = (value: unknown) => then(checked(row, value), settled => acknowledge(envelope.ack, settled))
    return isPromise(result)
      ? Promise.resolve(result)
          .then(answer)
          .catch(error => fail(error, context))
      : answer(result)
  } catch (error) {
    return fail(error, context)
  }
}

function checked(row: MessageRow, value: unknown): unknown {
  const isPlain = !(value instanceof Stop || value instanceof HttpError || value instanceof Reply)
  return row.output !== undefined && isPlain ? readOutput(row.output, value, row.name) : value
}

function acknowledge(ack: Ack, value: unknown): unknown {
  if (value instanceof HttpError) return answerError(ack, value)
  if (value instanceof Stop) return value
  if (ack === undefined) return undefined
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value) {
    throw new TypeError('a message is acknowledged with a value, not with an iterable: send its items with socket.send')
  }
  return { ack, data: value ?? null }
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  const status =
    error instanceof Refusal ? (error.reply.status ?? 403) : error instanceof Reply ? (error.status ?? 500) : 500
  return new HttpError(status >= 400 ? status : 403)
}

function answerError(
  ack: Ack,
  error: HttpError,
): { readonly ack?: Ack; readonly error?: Problem; readonly event?: string; readonly data?: Problem } {
  return ack === undefined ? { event: 'error', data: error.problem } : { ack, error: error.problem }
}
