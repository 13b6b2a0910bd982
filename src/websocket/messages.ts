/** What a socket class does with the data frames of its peer: its `@On` handlers, and `message` for all others. */
import { Stop } from '../connections/close-reason.js'
import { Connection } from '../connections/connection.js'
import type { ConnectionServing } from '../connections/serving.js'
import { HttpError, notFound } from '../errors.js'
import { nameExchange } from '../logger.js'
import type { Bind } from '../pipeline/bind.js'
import { runIn, Scope } from '../pipeline/current.js'
import { compileEndpoint, type Handler, Refusal } from '../pipeline/endpoint.js'
import { MessageContext } from '../pipeline/message-context.js'
import { Reply } from '../pipeline/reply.js'
import { type Binding, bindMember, ofMessages } from '../pipeline/serving.js'
import { attempt, then } from '../pipeline/settle.js'
import { readInput, readOutput } from '../pipeline/validate.js'
import type { MessageRow, Route } from '../routing/table.js'
import { acknowledge, answerError, type Envelope, readEnvelope } from './envelope.js'
import { type HandleFrame, Socket } from './socket.js'

/** Answers one message by name: what it returns is sent. */
type HandleMessage = (socket: Socket, envelope: Envelope) => unknown

export function compileMessages(route: Route, serving: ConnectionServing): HandleFrame {
  const handlers = new Map(route.messages.map(row => [row.event, compileMessage(route, row, serving)]))
  if (handlers.size === 0) return handleRaw
  return (socket, data, binary) => {
    const read = readEnvelope(data, binary)
    const handle = read instanceof HttpError ? undefined : handlers.get(read.event)
    if (handle !== undefined) return handle(socket, read as Envelope)
    if (socket.handlers?.message !== undefined) return handleRaw(socket, data, binary)
    if (read instanceof HttpError) return answerError(undefined, read)
    return answerError(read.ack, notFound(`no handler for the event ${read.event}`))
  }
}

/** Text as a string, bytes as a `Buffer`. */
function handleRaw(socket: Socket, data: Buffer, binary: boolean): unknown {
  return socket.handlers?.message?.(binary ? data : data.toString(), socket)
}

export function bindMessage(route: Route, row: MessageRow, binding: Binding): Bind {
  return bindMember(
    { route, name: row.name, key: row.member, row },
    { sources: ofMessages, connections: [Connection, Socket] },
    binding,
  )
}

/** One message through the pipeline: guards, the data's schema and the arguments, interceptors, the handler; then its answer. */
function compileMessage(route: Route, row: MessageRow, serving: ConnectionServing): HandleMessage {
  const endpoint = compileEndpoint(row, bindMessage(route, row, serving), serving.resolve)
  const readData = (context: MessageContext) => {
    if (row.schema === undefined) return undefined
    return then(readInput(row.schema, context.data, 'data'), data => {
      context.data = data
    })
  }
  return (socket, { event, data, ack }) => {
    const context = new MessageContext(route, socket, event, data)
    const instance = socket.handlers as Record<string, Handler>
    const handler: Handler = (...args) => instance[row.member]?.(...args)
    const run = () =>
      then(endpoint.admit(context), () => then(readData(context), () => endpoint.call(context, handler)))
    const answer = (value: unknown) => {
      if (value instanceof Stop) return value
      if (isRefusal(value)) throw value
      return then(checked(row, value), settled => acknowledge(ack, settled))
    }
    const fail = (error: unknown) => {
      const heard = asHttpError(endpoint.map(error, context))
      if (heard.status >= 500) serving.logger.error(`${nameExchange(row, context)} failed`, error)
      return answerError(ack, heard)
    }
    const scope = socket.scope && new Scope(context)
    return runIn(scope, () => attempt(() => then(run(), answer), fail))
  }
}

/** An error that was returned in place of an answer. */
function isRefusal(value: unknown): boolean {
  return value instanceof HttpError || (value instanceof Reply && (value.status ?? 200) >= 400)
}

/** What acknowledges a message: the value that the handler returned, in the form its output schema gives it. */
function checked(row: MessageRow, value: unknown): unknown {
  const answer = value instanceof Reply ? value.body : value
  if (isIterable(answer))
    throw new TypeError(
      `${row.name} returned an iterable, but a message has one answer: send its items with socket.send`,
    )
  return row.output === undefined ? answer : readOutput(row.output, answer, row.name)
}

/** What is sent item by item elsewhere; an array has a JSON form, as bytes have. */
function isIterable(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer) || ArrayBuffer.isView(answer)) return false
  return Symbol.asyncIterator in answer || Symbol.iterator in answer
}

/** Guards and mappers may answer with a reply, of which a message has only the status. */
function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  const reply = error instanceof Refusal ? error.reply : error
  if (!(reply instanceof Reply)) return new HttpError(500)
  return new HttpError(reply.status !== undefined && reply.status >= 400 ? reply.status : 403)
}
