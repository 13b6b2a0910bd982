/** A reply as a value: what a handler, a guard or an error mapper may return in place of plain data. */
import type { Class } from '../declare/metadata.js'
import { checkCookie, type SetCookie } from './cookies.js'

/** The value of a header field; several make several lines. */
export type HeaderValue = string | number | readonly string[]

/** What a reply says besides its body. */
export interface ReplyOptions {
  /** @default that of the handler's `@Status`, or 200 */
  readonly status?: number
  /** `Set-Cookie` and `Vary` are added to what middleware set, all others replace it. @default none */
  readonly headers?: Readonly<Record<string, HeaderValue>>
  /** Cookies that are set besides those of middleware and `context.setCookie`. @default none */
  readonly cookies?: readonly SetCookie[]
}

/** An answer with its status and its fields. Made by `reply` and its kin. */
export class Reply {
  /** Its status; undefined leaves it to the route. */
  readonly status: number | undefined
  /** Its header fields. */
  readonly headers: Readonly<Record<string, HeaderValue>>
  /** The cookies that it sets. */
  readonly cookies: readonly SetCookie[]

  constructor(
    /** What is sent, of any kind that a handler may return. */
    readonly body: unknown,
    options: ReplyOptions = {},
  ) {
    this.status = options.status
    this.headers = options.headers ?? {}
    this.cookies = options.cookies ?? []
    for (const cookie of this.cookies) checkCookie(cookie)
  }
}

/** A body with a status and header fields of its own. */
export function reply(body: unknown, options: ReplyOptions = {}): Reply {
  return new Reply(body, options)
}

/** 204: done, and nothing to say (RFC 9110 §15.3.5). */
export function noContent(): Reply {
  return new Reply(undefined, { status: 204 })
}

/** 201 with the new resource's `Location` (RFC 9110 §15.3.2). */
export function created(location: string, body: unknown): Reply {
  return new Reply(body, { status: 201, headers: { Location: encodeLocation(location) } })
}

/**
 * Sends the peer elsewhere (RFC 9110 §15.4).
 * @param status 301, 302, 303, 307 or 308. @default 302
 */
export function redirect(location: string, status: 301 | 302 | 303 | 307 | 308 = 302): Reply {
  return new Reply(undefined, { status, headers: { Location: encodeLocation(location) } })
}

/** A reply of HTML. */
export function html(body: string, options: ReplyOptions = {}): Reply {
  return withType(body, 'text/html; charset=utf-8', options)
}

/** A reply of plain text. */
export function text(body: string, options: ReplyOptions = {}): Reply {
  return withType(body, 'text/plain; charset=utf-8', options)
}

/** One JSON text a line, for each item as it comes. */
export function ndjson(items: Iterable<unknown> | AsyncIterable<unknown>, options: ReplyOptions = {}): Reply {
  const isCollection = Array.isArray(items) || items instanceof Set || items instanceof Map
  return withType(isCollection ? items[Symbol.iterator]() : items, 'application/x-ndjson; charset=utf-8', options)
}

/** What a `@Get` handler answers to open a WebSocket in its place. */
export class Upgrade {
  constructor(readonly to: Class) {}
}

/** Opens a WebSocket of this class, from a `@Get` route that lists it: `@Get('/live', { upgrade: [Live] })`. */
export function upgrade(to: Class): Upgrade {
  return new Upgrade(to)
}

function withType(body: unknown, type: string, options: ReplyOptions): Reply {
  const saysType = Object.keys(options.headers ?? {}).some(name => name.toLowerCase() === 'content-type')
  return new Reply(body, saysType ? options : { ...options, headers: { 'Content-Type': type, ...options.headers } })
}

function encodeLocation(location: string): string {
  return location.replace(/[^\x21-\x7e]/gu, char => encodeURIComponent(char))
}
