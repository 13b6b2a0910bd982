/**
 * Messages by name. The peer says `{ "event", "data" }`, with an `ack` of its own choosing where it wants an answer:
 * `{ "ack", "data" }`, or `{ "ack", "error" }`. An error that nobody asked for is told as the event `error`.
 */
import { toJson } from '../connections/codec.js'
import { badRequest, HttpError, unsupportedMediaType } from '../errors.js'
import { parseJson } from '../pipeline/json.js'

/** What a peer calls its question, and our answer to it. */
export type Ack = string | number | undefined

export interface Envelope {
  readonly event: string
  readonly data: unknown
  readonly ack: Ack
}

/** A data frame as a message by name; the error that the peer hears, where it is none. */
export function readEnvelope(data: Buffer, binary: boolean): Envelope | HttpError {
  if (binary) return unsupportedMediaType('this socket takes messages as JSON text')
  try {
    const value = parseJson(data.toString()) as { readonly [member: string]: unknown } | null
    if (typeof value !== 'object' || typeof value?.event !== 'string') return notAnEnvelope()
    const { event, ack } = value
    return { event, data: value.data, ack: typeof ack === 'string' || typeof ack === 'number' ? ack : undefined }
  } catch (error) {
    return error instanceof HttpError ? error : notAnEnvelope()
  }
}

function notAnEnvelope(): HttpError {
  return badRequest('a message is an object with an event: { "event": "name", "data": … }')
}

/** The answer to a message that was handled; undefined where none was asked for. @throws TypeError for what has no JSON form */
export function acknowledge(ack: Ack, value: unknown): string | undefined {
  if (ack === undefined) return undefined
  return `{"ack":${JSON.stringify(ack)},"data":${value === undefined ? 'null' : toJson(value)}}`
}

/** The answer to a message that failed. */
export function answerError(ack: Ack, { problem }: HttpError): string {
  return JSON.stringify(ack === undefined ? { event: 'error', data: problem } : { ack, error: problem })
}
