import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { parse as parseQuery } from 'node:querystring'
import type { ParamDeclaration } from '../declare/metadata.js'
import { behindPrefix } from '../routing/pattern.js'
import type { Route } from '../routing/table.js'
import { type Carrier, Context, type Params, type QueryValues, type State } from './context.js'
import { type CookieOptions, type Cookies, readCookies, verifyCookie, writeCookie } from './cookies.js'
import { runIn, type Scope } from './current.js'
import { ExchangeEnd } from './exchange-end.js'
import type { Front } from './front.js'
import { isClosed } from './lane.js'
import { readQueryValue } from './query-value.js'

/** What a request asked for, taken apart once. */
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

/** A body that was read: what each parameter that asks for a part of it is given. */
export interface OpenBody {
  give(asked: ParamDeclaration): unknown
}

/** One for all who have none. */
const NO_QUERY: QueryValues = Object.freeze(parseQuery(''))

/** How much of a body has come. */
export interface Progress {
  /** Bytes that have come so far. */
  readonly received: number
  /** What the peer said in `Content-Length`; undefined where it did not. */
  readonly total: number | undefined
}

/** The context of an HTTP exchange: a request, or the opening of a stream or a socket. */
export class RequestContext extends Context {
  #query: QueryValues | undefined
  #cookies: Cookies | undefined
  #controller: AbortController | undefined
  #state: State | undefined
  #connection: Carrier | undefined
  #progress: ((progress: Progress) => void)[] | undefined
  #end: ExchangeEnd | undefined
  #isSettled = false
  /** Where `currentContext` finds this context. @internal */
  scope: Scope | undefined
  /** On an upgrade request, what came right behind its head. @internal */
  upgradeHead: Buffer | undefined
  /** What cookies are signed with, the newest first. @internal */
  cookieKeys: readonly string[] = []
  /** Whether a 101 is out, which the response knows nothing of. @internal */
  switched = false

  /** @internal */
  constructor(
    route: Route,
    /** Node's own request. Its body is read by the parameters; do not read it, too. */
    readonly request: IncomingMessage,
    /** Node's own response. What a handler returns is written by the framework. */
    readonly response: ServerResponse,
    readonly params: Params,
    private readonly target: RequestTarget,
    /** @internal */
    readonly bodyLimit: number,
    /** @internal */
    readonly front: Front,
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
    this.#query ??= this.target.queryString === '' ? NO_QUERY : parseQuery(this.target.queryString)
    return this.#query
  }

  /** @internal */
  override queryValue(name: string): QueryValues[string] {
    return this.#query === undefined ? readQueryValue(this.target.queryString, name) : this.#query[name]
  }

  get headers(): Readonly<IncomingHttpHeaders> {
    return this.request.headers
  }

  get remoteAddress(): string | undefined {
    return this.front.remoteAddress
  }

  get protocol(): 'http' | 'https' {
    return this.front.protocol
  }

  get host(): string | undefined {
    return this.front.host
  }

  get id(): string | undefined {
    return this.front.id
  }

  /** The request's cookies as they came, by their names, without a prototype; of several with one name the first. */
  get cookies(): Cookies {
    this.#cookies ??= readCookies(this.request.headers.cookie)
    return this.#cookies
  }

  /** The value of a cookie that was set with `signed`, under any of the `cookieKeys`; undefined where it was not. */
  signedCookie(name: string): string | undefined {
    return verifyCookie(name, this.cookies[name], this.cookieKeys)
  }

  /**
   * Sets a cookie, with whatever answer the request gets: a reply, a refusal, the head of an event stream, a 101.
   * @throws TypeError for a cookie that no browser would keep
   * @throws Error once the head is out
   */
  setCookie(name: string, value: string, options: CookieOptions = {}): void {
    if (this.response.headersSent || this.switched)
      throw new Error(`the cookie ${name} comes too late: the head of the answer is out`)
    this.response.appendHeader('Set-Cookie', writeCookie({ ...options, name, value }, this.secure, this.cookieKeys))
  }

  /** Removes a cookie from the browser; its `path` and its `domain` are those it was set with. */
  clearCookie(name: string, options: Pick<CookieOptions, 'path' | 'domain' | 'partitioned' | 'secure'> = {}): void {
    this.setCookie(name, '', { ...options, maxAge: 0 })
  }

  /** Aborts when the response is closed (sent whole, or the peer has left), or when the exchange's connection ends. */
  get signal(): AbortSignal {
    if (this.#connection !== undefined) return this.#connection.signal
    if (this.#controller === undefined) {
      const controller = new AbortController()
      const { response } = this
      if (isClosed(response)) controller.abort()
      else response.once('close', () => runIn(this.scope, () => controller.abort()))
      this.#controller = controller
    }
    return this.#controller.signal
  }

  /** @internal */
  get connection(): Carrier | undefined {
    return this.#connection
  }

  /** @internal */
  get state(): State | undefined {
    return this.#connection === undefined ? this.#state : this.#connection.state
  }

  /** @internal */
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

  /**
   * Has the body's progress told while it is read, which begins when the guards have admitted the request: once for each
   * piece that comes. A listener that throws ends the reading, and fails the exchange.
   */
  onProgress(listener: (progress: Progress) => void): void {
    this.#progress ??= []
    this.#progress.push(listener)
  }

  /** @internal */
  hearProgress(received: number): void {
    if (this.#progress === undefined) return
    const length = this.request.headers['content-length']
    const progress = { received, total: length === undefined ? undefined : Number(length) }
    for (const listener of this.#progress) listener(progress)
  }

  /** Runs something when the exchange is over: its response is closed, and its handler has settled. @internal */
  atEnd(run: () => void): void {
    this.#end ??= new ExchangeEnd(this.response, this.#isSettled)
    this.#end.add(run)
  }

  /** The handler has settled, or will not be called. @internal */
  settle(): void {
    this.#isSettled = true
    this.#end?.settle()
  }
}
