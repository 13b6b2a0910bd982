import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { type ParsedUrlQuery, parse as parseQuery } from 'node:querystring'
import { behindPrefix } from '../routing/pattern.js'
import type { Route } from '../routing/table.js'

/** The typed name of a value that a guard or an interceptor leaves for those after it. */
export class ContextKey<T> {
  declare readonly type: T

  constructor(readonly name: string) {}
}

export type Params<Names extends string = string> = Readonly<Record<Names, string>>
export type QueryValues = Readonly<ParsedUrlQuery>

/** What stays of a request for as long as its connection lives: small and frozen. */
export interface Handshake {
  readonly method: string
  /** The path that was asked for, without the application's and the modules' prefixes. */
  readonly path: string
  readonly params: Params
  readonly query: QueryValues
  /** The header fields that the route keeps, by their names in lower case. */
  readonly headers: Readonly<IncomingHttpHeaders>
  readonly remoteAddress: string | undefined
}

/** The values that an exchange carries; a connection goes on with those of its opening. */
export type State = Map<ContextKey<unknown>, unknown>

/** One exchange: a request, the opening of a stream or a socket, or a message. What guards and interceptors see. */
export abstract class Context {
  abstract readonly method: string
  /** The path that was asked for, percent escapes and all, without the prefixes of the application and the modules. */
  abstract readonly path: string
  abstract readonly params: Params
  abstract readonly query: QueryValues
  abstract readonly remoteAddress: string | undefined
  /** Aborts when the peer leaves or the connection ends. */
  abstract readonly signal: AbortSignal
  abstract readonly headers: Readonly<IncomingHttpHeaders>

  constructor(readonly route: Route) {}

  /** A header field, by its name in any case; several of one name are joined as RFC 9110 §5.2 says. */
  header(name: string): string | undefined {
    const key = name.toLowerCase()
    const value = Object.hasOwn(this.headers, key) ? this.headers[key] : undefined
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** The value that `set` left under a key. */
  get<T>(key: ContextKey<T>): T | undefined {
    return this.state?.get(key) as T | undefined
  }

  set<T>(key: ContextKey<T>, value: T): void {
    this.openState().set(key, value)
  }

  /** @internal */
  abstract readonly state: State | undefined
  /** @internal */
  abstract openState(): State
  /** The event stream or the socket of the exchange, where there is one. @internal */
  abstract readonly connection: unknown
}

/** What a request asked for, taken apart once. @internal */
export interface RequestTarget {
  readonly path: string
  readonly queryString: string
}

/** Takes a request's target apart; the absolute form (RFC 9112 §3.2.2) loses its scheme and host. @internal */
export function readTarget(url: string): RequestTarget {
  const local = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
  const mark = local.indexOf('?')
  if (mark === -1) return { path: local === '' ? '/' : local, queryString: '' }
  return { path: mark === 0 ? '/' : local.slice(0, mark), queryString: local.slice(mark + 1) }
}

/** What a connection carries for its exchanges. @internal */
export interface Carrier {
  readonly signal: AbortSignal
  state: State | undefined
}

/** The context of an HTTP exchange: a request, or the opening of a stream or a socket. */
export class RequestContext extends Context {
  #query: QueryValues | undefined
  #controller: AbortController | undefined
  #state: State | undefined
  #connection: Carrier | undefined
  /** What the body was read as, so that it is read once. @internal */
  body: Promise<unknown> | undefined
  /** On an upgrade request, what came right behind its head. @internal */
  upgradeHead: Buffer | undefined

  constructor(
    route: Route,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly params: Params,
    private readonly target: RequestTarget,
    /** @internal */
    readonly bodyLimit: number,
  ) {
    super(route)
  }

  get method(): string {
    return this.request.method ?? 'GET'
  }

  /** The whole path that was asked for: prefixes included, and the path that this application is mounted at. */
  get originalPath(): string {
    const { originalUrl } = this.request as IncomingMessage & { readonly originalUrl?: string }
    return originalUrl === undefined ? this.target.path : readTarget(originalUrl).path
  }

  get path(): string {
    const { prefix } = this.route
    return prefix === '' ? this.target.path : behindPrefix(this.target.path, prefix)
  }

  get query(): QueryValues {
    this.#query ??= parseQuery(this.target.queryString)
    return this.#query
  }

  get headers(): Readonly<IncomingHttpHeaders> {
    return this.request.headers
  }

  get remoteAddress(): string | undefined {
    return this.request.socket.remoteAddress
  }

  /** Aborts when the response is closed (sent whole, or the peer has left), or when the exchange's connection ends. */
  get signal(): AbortSignal {
    if (this.#connection !== undefined) return this.#connection.signal
    if (this.#controller === undefined) {
      const controller = new AbortController()
      const { response } = this
      if (response.destroyed) controller.abort()
      else response.once('close', () => controller.abort())
      this.#controller = controller
    }
    return this.#controller.signal
  }

  get connection(): Carrier | undefined {
    return this.#connection
  }

  get state(): State | undefined {
    return this.#connection === undefined ? this.#state : this.#connection.state
  }

  openState(): State {
    if (this.#connection !== undefined) {
      this.#connection.state ??= new Map()
      return this.#connection.state
    }
    this.#state ??= new Map()
    return this.#state
  }

  /** From here on the exchange is its connection's: what was left in it so far goes with that, and ends with it. @internal */
  connect(connection: Carrier): void {
    connection.state = this.#state
    this.#connection = connection
    const controller = this.#controller
    if (controller === undefined) return
    const { signal } = connection
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true })
  }

  /** What a connection keeps of this exchange. @internal */
  handshake(keep: readonly string[]): Handshake {
    const headers: IncomingHttpHeaders = Object.create(null)
    for (const name of keep) {
      const value = this.request.headers[name]
      if (value !== undefined) headers[name] = value
    }
    const { method, path, params, query, remoteAddress } = this
    return Object.freeze({ method, path, params, query, headers: Object.freeze(headers), remoteAddress })
  }
}

/** What a message's context needs of its connection. @internal */
export interface MessageSource extends Carrier {
  readonly handshake: Handshake
}

/** The context of one `@On` message. `get` sees what the opening's guards left; what is `set` stays with the connection. */
export class MessageContext extends Context {
  constructor(
    route: Route,
    readonly connection: MessageSource,
    readonly event: string,
    /** As the peer sent it, for guards; then as the schema of `@On` read it. */
    public data: unknown,
  ) {
    super(route)
  }

  get method(): string {
    return this.connection.handshake.method
  }

  get path(): string {
    return this.connection.handshake.path
  }

  get params(): Params {
    return this.connection.handshake.params
  }

  get query(): QueryValues {
    return this.connection.handshake.query
  }

  get headers(): Readonly<IncomingHttpHeaders> {
    return this.connection.handshake.headers
  }

  get remoteAddress(): string | undefined {
    return this.connection.handshake.remoteAddress
  }

  get signal(): AbortSignal {
    return this.connection.signal
  }

  get state(): State | undefined {
    return this.connection.state
  }

  openState(): State {
    this.connection.state ??= new Map()
    return this.connection.state
  }
}
