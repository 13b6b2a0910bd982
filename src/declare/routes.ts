import type { StandardSchemaV1 } from '@standard-schema/spec'
import {
  type AbstractClass,
  type Class,
  type Mark,
  noOptions,
  openDeclaration,
  openMember,
  refuseStandard,
} from './metadata.js'
import type { UploadOptions } from './uploads.js'

/** How a body is encoded on its way out (RFC 9110 §8.4.1). `zstd` is there since Node.js 22.15. */
export type Coding = 'zstd' | 'br' | 'gzip'

/** How replies are compressed. */
export interface CompressionOptions {
  /** Bytes of a whole body from which it is compressed; what is sent item by item always is. @default 1024 */
  readonly threshold?: number
  /** What is offered, the preferred one first; what this Node.js lacks is left out. @default ['zstd', 'br', 'gzip'] */
  readonly encodings?: readonly Coding[]
}

/** Where a route stands besides its path. */
export interface PlaceOptions {
  /**
   * The host it is bound to: `api.example.com`, or `:tenant.example.com`, whose parameter reaches `@Param`. The request's
   * port does not matter. @default that of the class, or of the module; else any host
   */
  readonly host?: string
  /** The version, or versions, it belongs to, as `versioning` says. @default that of the class, or of the module; else every version */
  readonly version?: string | readonly string[]
}

/** What is said of a handler to its users: in `openapi` and `asyncapi`, and nowhere else. */
export interface SummaryOptions {
  /** What it does, in a few words. @default none */
  readonly summary?: string
  /** What else is to be known, in CommonMark. @default none */
  readonly description?: string
  /** Whether it should not be used any more. @default false */
  readonly deprecated?: boolean
}

/** What is said of a route to its users. */
export interface DescriptionOptions extends SummaryOptions {
  /** What it is listed under. @default the name of its class */
  readonly tags?: readonly string[]
}

/** What `@Controller` is told. */
export interface ControllerOptions extends PlaceOptions {}

/** What `@Get` and its kin are told. */
export interface HttpOptions extends PlaceOptions, DescriptionOptions {
  /** Checks, and may transform, what the handler returns; a misfit is 500. @default none */
  readonly output?: StandardSchemaV1
  /** Socket classes that this `@Get` handler may answer an upgrade request with, by `upgrade(SocketClass)`. @default none */
  readonly upgrade?: readonly Class[]
  /** Limits of multipart bodies. @default the application's `uploads` */
  readonly uploads?: UploadOptions
  /** Whether replies are compressed: `false` where a secret stands beside what the peer has sent (BREACH). @default the application's `compression` */
  readonly compression?: boolean | CompressionOptions
}

/** What happens to what a slow peer has not taken, once its send queue is full. */
export type Overflow = 'disconnect' | 'drop-oldest' | 'drop-newest' | 'latest'

/** What event sources and socket classes have in common. */
export interface ConnectionOptions extends PlaceOptions, DescriptionOptions {
  /**
   * Bytes that may wait for a slow peer, at the most. It is at least twice what the socket buffers
   * by itself (16 KiB, and 64 KiB since Node.js 22). @default 1_048_576 (1 MiB)
   */
  readonly sendLimit?: number
  /**
   * `disconnect` ends the connection, and the peer resumes from the log; `drop-oldest` and `drop-newest` drop what
   * waits or what comes; `latest` keeps only the newest event of each name. @default 'disconnect'
   */
  readonly overflow?: Overflow
  /** Header fields that the connection remembers in its handshake; those of `@Header` on messages are kept anyway. @default none */
  readonly keepHeaders?: readonly string[]
}

/** What `@Sse` is told. */
export interface SseOptions extends ConnectionOptions {
  /** The request method. @default 'GET' */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Milliseconds of silence after which a comment line keeps the stream alive; 0 for never. @default 15_000 */
  readonly keepAlive?: number
  /** Milliseconds after which the peer reconnects, told to it at the start. @default what the peer does by itself */
  readonly retry?: number
  /** Milliseconds without an event after which the stream ends; 0 for never. @default 0 */
  readonly idleTimeout?: number
  /** Checks, and may transform, the data of each event that the handlers return. @default none */
  readonly output?: StandardSchemaV1
  /** Limits of multipart bodies, where the method has any. @default the application's `uploads` */
  readonly uploads?: UploadOptions
  /**
   * Whether events are compressed, and flushed one by one, for peers that accept it. It costs a compressor for each
   * connection, and what is sent to a room is no longer encoded once for all. @default false
   */
  readonly compression?: boolean
}

/** What `@WebSocket` is told. */
export interface WebSocketOptions extends ConnectionOptions {
  /** Subprotocols that are spoken here, the preferred one first (RFC 6455 §1.9). @default none */
  readonly protocols?: readonly string[]
  /** Origins that browsers may connect from besides the host's own; `'*'` for any. @default the application's `origins` */
  readonly origins?: readonly string[] | '*'
  /** Bytes of a message at the most; more closes with 1009. @default 1_048_576 (1 MiB) */
  readonly maxPayload?: number
  /** Whether messages of 1 KiB and more may be compressed (RFC 7692); what goes to a room is, once for all of its sockets. @default false */
  readonly perMessageDeflate?: boolean
  /** Milliseconds between pings; a peer that missed one is gone; 0 for none. @default 30_000 */
  readonly heartbeat?: number
  /** Milliseconds without a message from the peer after which the socket is closed; 0 for never. @default 0 */
  readonly idleTimeout?: number
}

/** What `@On` is told. */
export interface OnOptions extends SummaryOptions {
  /** Checks, and may transform, what acknowledges the message. @default none */
  readonly output?: StandardSchemaV1
}

type DecorateClass = (target: AbstractClass) => void
type DecorateMethod = (target: object, key: string | symbol, descriptor: PropertyDescriptor) => void

/** A decorator as its user wrote it, as far as its first argument tells. */
export function written(name: string, path: unknown): string {
  if (path === undefined) return `@${name}()`
  return typeof path === 'string'
    ? `@${name}('${path}')`
    : `@${name}(${typeof path === 'object' ? '{ … }' : String(path)})`
}

/** Where every class decorator leaves its mark. */
export function markClass(mark: Mark): DecorateClass {
  return (target, context?: unknown) => {
    refuseStandard(context)
    openDeclaration(target).marks.unshift(mark)
  }
}

function markMember(mark: Mark): DecorateMethod {
  return (target, key) => {
    openMember(target, key).marks.unshift(mark)
  }
}

/** A class with HTTP routes, under a path of their own. */
export function Controller(path = '/', options: ControllerOptions = noOptions): DecorateClass {
  return markClass({ as: 'controller', written: written('Controller', path), path, options })
}

type Verb = (path?: string, options?: HttpOptions) => DecorateMethod

function verb(name: string, method: string): Verb {
  return (path = '/', options = noOptions) =>
    markMember({ as: 'http', written: written(name, path), method, path, options })
}

/** A route for GET; HEAD is answered by it, too, unless it has a route of its own. (RFC 9110 §9.3.1) */
export const Get: Verb = verb('Get', 'GET')
/** A route for POST. (RFC 9110 §9.3.3) */
export const Post: Verb = verb('Post', 'POST')
/** A route for PUT. (RFC 9110 §9.3.4) */
export const Put: Verb = verb('Put', 'PUT')
/** A route for PATCH. (RFC 5789) */
export const Patch: Verb = verb('Patch', 'PATCH')
/** A route for DELETE. (RFC 9110 §9.3.5) */
export const Delete: Verb = verb('Delete', 'DELETE')
/** A route for HEAD alone, where what GET says would be dear to make. (RFC 9110 §9.3.2) */
export const Head: Verb = verb('Head', 'HEAD')
/** A route for OPTIONS, in place of the answer that each path has by itself. (RFC 9110 §9.3.7) */
export const Options: Verb = verb('Options', 'OPTIONS')
/** Every method that has no route of its own on the same path. */
export const All: Verb = verb('All', '*')

/**
 * On a class: an event source, one instance per connection. On a controller's method: a route whose returned iterable,
 * or injected `EventStream`, feeds one stream. (WHATWG HTML §9.2)
 */
export function Sse(path = '/', options: SseOptions = {}): DecorateClass & DecorateMethod {
  const mark: Mark = { as: 'sse', written: written('Sse', path), method: options.method ?? 'GET', path, options }
  return (target: object, key?: string | symbol) => {
    if (key === undefined) markClass(mark)(target as AbstractClass)
    else openMember(target, key).marks.unshift(mark)
  }
}

/** A socket class: one instance per connection. Without a path it is reached only by `upgrade(SocketClass)`. (RFC 6455) */
export function WebSocket(path?: string, options: WebSocketOptions = {}): DecorateClass {
  return markClass({
    as: 'websocket',
    written: written('WebSocket', path),
    method: 'GET',
    options,
    ...(path === undefined ? {} : { path }),
  })
}

/** A socket class's handler of the messages `{ "event": event, "data": … }`; what it returns acknowledges them. */
export function On(event: string, schema?: StandardSchemaV1, options: OnOptions = {}): DecorateMethod {
  return markMember({
    as: 'on',
    written: written('On', event),
    path: event,
    options,
    ...(schema === undefined ? {} : { schema }),
  })
}

/** The status of the reply when the handler returns a plain value; on an `@Sse` method, of the stream's head. */
export function Status(status: number): DecorateMethod {
  return (target, key) => {
    openMember(target, key).status = status
  }
}

type AnyDecorator = (target: never, key: never, descriptor: never) => void

/** One decorator made of several, applied as if written one above the other. */
export function compose(...decorators: readonly AnyDecorator[]): DecorateClass & DecorateMethod {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    for (const decorate of decorators.toReversed()) decorate(target as never, key as never, descriptor as never)
  }
}
