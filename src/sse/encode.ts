/** The wire format of event streams, and its only home (WHATWG HTML §9.2.5 and §9.2.6). */
import { type Codec, type RegistryEvent, toJson } from '../connections/codec.js'

/** One event of a stream, as its fields. */
export interface ServerSentEvent {
  /** Its type; without one the peer sees a `message`. */
  readonly event?: string
  /** Another name of `event`. */
  readonly type?: string
  /** A string goes as it is, everything else as JSON. */
  readonly data?: unknown
  /** What the peer's `Last-Event-ID` says when it comes back; an empty one clears it. */
  readonly id?: string | number
  /** Milliseconds after which the peer reconnects. */
  readonly retry?: number
  /** A line that the peer reads over. */
  readonly comment?: string
}

const FIELDS: ReadonlySet<string> = new Set(['event', 'type', 'data', 'id', 'retry', 'comment'])

/** Marks an object as an event, whatever its fields. */
class Fields {
  constructor(readonly fields: ServerSentEvent) {}
}

/** Marks a value as data, whatever it looks like. */
class Plain {
  constructor(readonly value: unknown) {}
}

/** An event by its fields: for one that is only an id or a `retry`, which could not be told from data. */
export function event(fields: ServerSentEvent): unknown {
  return new Fields(fields)
}

/** Data as it is: for an object whose own fields are called `data`, `event` or `retry`. */
export function data(value: unknown): unknown {
  return new Plain(value)
}

/**
 * What a value means on an event stream: an object that has `data`, `event`, `retry` or `comment`, and no field that
 * events do not have, is an event; all else is the data of one.
 */
export function toEvent(value: unknown): ServerSentEvent {
  if (value instanceof Fields) return value.fields
  if (value instanceof Plain) return { data: value.value }
  return looksLikeEvent(value) ? value : { data: value }
}

function looksLikeEvent(value: unknown): value is ServerSentEvent {
  if (typeof value !== 'object' || value === null) return false
  if (!('data' in value || 'event' in value || 'retry' in value || 'comment' in value)) return false
  return Object.keys(value).every(key => FIELDS.has(key))
}

/** The event's block of lines. @throws TypeError for a field that cannot be told to the peer as it stands */
export function encodeEvent(fields: ServerSentEvent): string {
  const { data, id, retry, comment } = fields
  const type = fields.event ?? fields.type
  let block = ''
  if (comment !== undefined)
    for (const line of lines(commentText(comment))) block += line === '' ? ':\n' : `: ${line}\n`
  if (type !== undefined && type !== '') block += `event: ${oneLine(type, 'event')}\n`
  if (id !== undefined) block += encodeId(id)
  if (retry !== undefined) block += encodeRetry(retry)
  if ('data' in fields) for (const line of lines(dataText(data))) block += line === '' ? 'data:\n' : `data: ${line}\n`
  else if (type !== undefined) block += 'data:\n'
  if (block === '') throw new TypeError('an event needs a field: data, event, id, retry or comment')
  return `${block}\n`
}

function encodeId(id: string | number): string {
  const text = oneLine(typeof id === 'number' ? String(id) : id, 'id')
  return text === '' ? 'id\n' : `id: ${text}\n`
}

function encodeRetry(retry: number): string {
  if (Number.isSafeInteger(retry) && retry >= 0) return `retry: ${retry}\n`
  throw new TypeError(`retry is a whole number of milliseconds, not ${retry}`)
}

function dataText(value: unknown): string {
  if (typeof value === 'string') return value
  if (ArrayBuffer.isView(value))
    throw new TypeError('an event stream carries text: send bytes as base64, or over a WebSocket')
  return toJson(value)
}

function commentText(text: string): string {
  if (typeof text === 'string') return text
  throw new TypeError(`the comment of an event is a string, not ${typeof text}`)
}

/** A line ends at CR, LF or both, for every parser. */
function lines(text: string): string[] {
  return /[\r\n]/.test(text) ? text.split(/\r\n|\r|\n/) : [text]
}

function oneLine(text: string, field: string): string {
  if (typeof text !== 'string') throw new TypeError(`the ${field} of an event is a string, not ${typeof text}`)
  if (!/[\r\n\0]/.test(text)) return text
  throw new TypeError(`the ${field} of an event is one line: ${JSON.stringify(text)} has a CR, LF or NUL in it`)
}

/** A comment that keeps the line open: the same bytes for every stream of a kind. */
const KEEP_ALIVE = ':\n\n'

/** A chunk of an HTTP/1.1 message (RFC 9112 §7.1). */
function chunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

/** How a stream's bytes are framed, the same for all streams of a kind. */
export interface StreamCodec extends Codec {
  frame(text: string): Buffer
  readonly keepAlive: Buffer
  /** What ends a stream, where its end needs saying. */
  readonly end: Buffer
}

/**
 * What tells a peer where it stands, and nothing else. An id alone would do for a browser; other clients remember only the
 * ids of events that they dispatch, so it has a type that nobody listens to.
 */
const PLACE: ServerSentEvent = { event: 'place', data: '' }

function codec(frame: (text: string) => Buffer, end: string): StreamCodec {
  const encode = ({ event, data, id }: RegistryEvent) => {
    const fields = event === undefined ? PLACE : { event, data: data ?? '' }
    return frame(encodeEvent(id === undefined ? fields : { ...fields, id }))
  }
  return { frame, encode, keepAlive: frame(KEEP_ALIVE), end: Buffer.from(end) }
}

/** For HTTP/1.1: each event is a chunk, so that the same buffer goes to the socket of every stream. */
export const chunkedCodec: StreamCodec = codec(chunk, '0\r\n\r\n')

/** For a response that frames by itself, and for HTTP/1.0, where the end of the connection ends the stream. */
export const plainCodec: StreamCodec = codec(text => Buffer.from(text), '')
