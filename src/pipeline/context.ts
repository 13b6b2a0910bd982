import type { IncomingHttpHeaders } from 'node:http'
import type { ParsedUrlQuery } from 'node:querystring'
import type { Route } from '../routing/table.js'

/** The typed name of a value that a guard or an interceptor leaves for those after it. */
export class ContextKey<T> {
  /** For the compiler alone: the type of what is kept under it. */
  declare readonly type: T

  constructor(
    /** What it is called where it is missed. */
    readonly name: string,
  ) {}
}

/** The values of a path's parameters. */
export type Params<Names extends string = string> = Readonly<Record<Names, string>>
/** The values of a query: a name that is repeated has an array. */
export type QueryValues = Readonly<ParsedUrlQuery>

/** What was asked for: one for all connections of which that is the same. */
export type AskedFor = Omit<Handshake, 'remoteAddress'>

/** What stays of a request for as long as its connection lives: small and frozen. */
export interface Handshake {
  /** The request method. */
  readonly method: string
  /** The path that was asked for, without the application's and the modules' prefixes. */
  readonly path: string
  /** The values of the path, percent escapes undone. */
  readonly params: Params
  /** The query; a repeated name gives an array. */
  readonly query: QueryValues
  /** The header fields that the route keeps, by their names in lower case. */
  readonly headers: Readonly<IncomingHttpHeaders>
  /** The peer's address, past trusted proxies; undefined on a Unix socket. */
  readonly remoteAddress: string | undefined
  /** What the peer spoke: TLS or not. */
  readonly protocol: 'http' | 'https'
  /** The host that it asked for, with its port where it said one. */
  readonly host: string | undefined
  /** Names the opening in logs; absent without `requestId`. */
  readonly id?: string
}

/** The values that an exchange carries; a connection goes on with those of its opening. */
export type State = Map<ContextKey<unknown>, unknown>

/** One exchange: a request, the opening of a stream or a socket, or a message. What guards and interceptors see. */
export abstract class Context {
  /** The request method; of a connection, that of its opening. */
  abstract readonly method: string
  /** The path that was asked for, percent escapes and all, without the prefixes of the application and the modules. */
  abstract readonly path: string
  /** The values of the path, percent escapes undone. */
  abstract readonly params: Params
  /** The query; a repeated name gives an array. */
  abstract readonly query: QueryValues
  /** The peer's address: past the proxies that `trustProxy` trusts. Undefined where one of them hides it, and on a Unix socket. */
  abstract readonly remoteAddress: string | undefined
  /** What the peer speaks, TLS or not: as a trusted proxy tells, or as the connection is. */
  abstract readonly protocol: 'http' | 'https'
  /** The host that the peer asked for, with its port where it says one: as a trusted proxy tells, or `Host`. */
  abstract readonly host: string | undefined
  /** Names the exchange in logs; undefined without `requestId`. */
  abstract readonly id: string | undefined
  /** Aborts when the peer leaves or the connection ends. */
  abstract readonly signal: AbortSignal
  /** Header fields by their names in lower case; of a connection, those that its route keeps. */
  abstract readonly headers: Readonly<IncomingHttpHeaders>

  constructor(
    /** The row of the route table that it was matched to. */
    readonly route: Route,
  ) {}

  /** Whether the peer speaks TLS. */
  get secure(): boolean {
    return this.protocol === 'https'
  }

  /** A header field, by its name in any case; several of one name are joined as RFC 9110 §5.2 says. */
  header(name: string): string | undefined {
    const key = name.toLowerCase()
    const value = Object.hasOwn(this.headers, key) ? this.headers[key] : undefined
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** The values of one name in the query. @internal */
  queryValue(name: string): QueryValues[string] {
    return this.query[name]
  }

  /** The value that `set` left under a key. */
  get<T>(key: ContextKey<T>): T | undefined {
    return this.state?.get(key) as T | undefined
  }

  /** Leaves a value for those who come after; on a connection it stays for as long as that lives. */
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

/** What a connection carries for its exchanges. */
export interface Carrier {
  readonly signal: AbortSignal
  state: State | undefined
}
