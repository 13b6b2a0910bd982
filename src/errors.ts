import { STATUS_CODES } from './node-http.js'

/** The body of an error reply: a problem detail (RFC 9457 §3.1). */
export interface Problem {
  /** A URI that identifies the kind of problem (RFC 9457 §3.1.1). */
  readonly type: string
  /** The kind of problem, in short (RFC 9457 §3.1.3). */
  readonly title: string
  /** The status of the reply (RFC 9457 §3.1.2). */
  readonly status: number
  /** What this one is about (RFC 9457 §3.1.4). */
  readonly detail?: string
  readonly [extension: string]: unknown
}

/** What an `HttpError` says besides its status and its detail. */
export interface HttpErrorOptions {
  /** Header fields of the reply, such as `WWW-Authenticate`. @default none */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Members added to the problem detail (RFC 9457 §3.2). @default none */
  readonly extensions?: Readonly<Record<string, unknown>>
  /** A URI that identifies the kind of problem (RFC 9457 §3.1.1). @default 'about:blank' */
  readonly type?: string
  /** What went wrong inside: logged, never sent. @default none */
  readonly cause?: unknown
}

/** One for all errors that have no fields, or no extensions, of their own. */
const NONE = Object.freeze({})

/**
 * An error that the peer may hear of: its status, its message and its extensions are sent as
 * `application/problem+json`. It may be thrown, and it may be returned.
 */
export class HttpError extends Error {
  override readonly name: string = 'HttpError'
  /** Header fields of the reply. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Members that the problem detail has besides (RFC 9457 §3.2). */
  readonly extensions: Readonly<Record<string, unknown>>
  /** A URI that identifies the kind of problem (RFC 9457 §3.1.1). */
  readonly type: string

  constructor(
    /** The status of the reply, from 400 to 599. */
    readonly status: number,
    detail = '',
    options: HttpErrorOptions = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`HttpError takes a status from 400 to 599, not ${status}`)
    }
    this.headers = options.headers ?? NONE
    this.extensions = options.extensions ?? NONE
    this.type = options.type ?? 'about:blank'
  }

  /** What the peer is sent (RFC 9457 §3.1). */
  get problem(): Problem {
    const title = STATUS_CODES[this.status] ?? 'Error'
    const detail = this.message === '' ? {} : { detail: this.message }
    const members = { type: this.type, title, status: this.status, ...detail }
    return this.extensions === NONE ? members : { ...members, ...this.extensions, ...members }
  }
}

/**
 * Makes an error that tells of the peer's request and of nothing in here: its stack would say nothing, and would cost as
 * much as the rest of the exchange.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** One thing that a schema refused, and where. */
export interface Issue {
  /** `param`, `query`, `header`, `body`, `file` or `data`. */
  readonly in: string
  /** Where in it, from the outside in. */
  readonly path: readonly (string | number)[]
  /** What the schema says. */
  readonly message: string
}

const CONTENT: ReadonlySet<string> = new Set(['body', 'file', 'data'])

/** An input that its schema refused: 422 for content, 400 for the request line and the header fields. */
export class ValidationError extends HttpError {
  override readonly name = 'ValidationError'

  constructor(
    /** What was refused, all of it. */
    readonly issues: readonly Issue[],
  ) {
    const content = issues.every(issue => CONTENT.has(issue.in))
    super(content ? 422 : 400, issues.map(describeIssue).join('; '), { extensions: { issues } })
  }
}

function describeIssue(issue: Issue): string {
  return `${[issue.in, ...issue.path].join('.')}: ${issue.message}`
}

type Shorthand = (detail?: string, options?: HttpErrorOptions) => HttpError

const shorthand =
  (status: number): Shorthand =>
  (detail, options) =>
    new HttpError(status, detail, options)

/** 400. (RFC 9110 §15.5.1) */
export const badRequest: Shorthand = shorthand(400)
/** 401; say how to sign in, by `{ headers: { 'WWW-Authenticate': … } }`. (RFC 9110 §15.5.2) */
export const unauthorized: Shorthand = shorthand(401)
/** 403. (RFC 9110 §15.5.4) */
export const forbidden: Shorthand = shorthand(403)
/** 404. (RFC 9110 §15.5.5) */
export const notFound: Shorthand = shorthand(404)
/** 406. (RFC 9110 §15.5.7) */
export const notAcceptable: Shorthand = shorthand(406)
/** 409. (RFC 9110 §15.5.10) */
export const conflict: Shorthand = shorthand(409)
/** 410. (RFC 9110 §15.5.11) */
export const gone: Shorthand = shorthand(410)
/** 413. (RFC 9110 §15.5.14) */
export const contentTooLarge: Shorthand = shorthand(413)
/** 415. (RFC 9110 §15.5.16) */
export const unsupportedMediaType: Shorthand = shorthand(415)
/** 422. (RFC 9110 §15.5.21) */
export const unprocessable: Shorthand = shorthand(422)
/** 429; say when to come back, by `{ headers: { 'Retry-After': … } }`. (RFC 6585 §4) */
export const tooManyRequests: Shorthand = shorthand(429)
/** 503. (RFC 9110 §15.6.4) */
export const unavailable: Shorthand = shorthand(503)

/** 405 with the `Allow` field that RFC 9110 §15.5.6 asks for. */
export function methodNotAllowed(allowed: readonly string[]): HttpError {
  const allow = allowed.join(', ')
  return new HttpError(405, `allowed: ${allow}`, { headers: { Allow: allow } })
}

/** A handler answered nothing, and its status does not say that there is nothing to answer. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError'

  constructor(handler: string) {
    super(`${handler} returned nothing: return a value or noContent(), or mark it @Status(204)`)
  }
}

/** What a handler returned was refused by the route's `output` schema: a fault of ours, so the peer hears 500. */
export class OutputError extends Error {
  override readonly name = 'OutputError'

  constructor(
    handler: string,
    /** What the schema refused. */
    readonly issues: readonly Issue[],
  ) {
    super(`what ${handler} returned does not fit its output schema: ${issues.map(describeIssue).join('; ')}`)
  }
}

/** Everything that is wrong with the declarations, found before anything listens. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly #problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      problems.length === 1 ? problems[0] : `${problems.length} problems:\n${problems.map(p => `- ${p}`).join('\n')}`,
    )
    this.#problems = problems
  }

  /** One by one. No property of its own, since the message says them already where Node.js prints both. */
  get problems(): readonly string[] {
    return this.#problems
  }
}

/** What the application is made of failed while it started: the `cause` is what was thrown. */
export class StartError extends Error {
  override readonly name = 'StartError'

  constructor(
    /** The module that lists it. */
    readonly module: string,
    /** What failed: `the constructor of Store`, `Store.onStart`, `the factory of 'url'`. */
    readonly what: string,
    options: { readonly cause: unknown },
  ) {
    const { cause } = options
    // What Node.js says of several addresses that all refuse is an error with a code, and without a message.
    const { code, name } = Object(cause) as { readonly code?: unknown; readonly name?: unknown }
    const why = cause instanceof Error ? cause.message || String(code ?? name) : String(cause)
    super(
      `${module}: ${what} failed: ${why}: mend what the cause tells of, or list another provider in overrides`,
      options,
    )
  }
}

/** What was asked needs an open connection, and this one has ended. */
export class ConnectionClosedError extends Error {
  override readonly name = 'ConnectionClosedError'

  constructor(action: string) {
    super(`${action}: the connection has ended`)
  }
}

/** The port, or the socket's path, belongs to another process. */
export class AddressInUseError extends Error {
  override readonly name = 'AddressInUseError'

  constructor(
    /** `port 3000`, or the path of the socket. */
    readonly address: string,
    options: { readonly cause: unknown },
  ) {
    super(`${address} is in use: stop what listens there, or choose another (port 0 takes a spare one)`, options)
  }
}

/**
 * The log behind a registry is away, and did not come back in time. What should be sent was not taken, or that is not
 * known (`outcome`): then some may have got it. The peer of a handler that lets this through hears 503.
 */
export class EventLogUnavailableError extends HttpError {
  override readonly name = 'EventLogUnavailableError'

  constructor(
    /** The name of the registry. */
    readonly registry: string,
    /** Whether it was not taken, or that nobody knows. */
    readonly outcome: 'refused' | 'unknown',
    options: { readonly cause?: unknown } = {},
  ) {
    const told = outcome === 'refused' ? 'nothing was done' : 'it is not known whether it did what was asked'
    super(503, `the event log of the registry ${registry} is away: ${told}`, options)
  }
}
