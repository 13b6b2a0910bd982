import type { OpenEventLog } from './connections/event-log.js'
import type { Provider } from './declare/module.js'
import { type Checks, check, compressionProblems, wrongOptions, wrongUploads } from './declare/options.js'
import type { CompressionOptions } from './declare/routes.js'
import type { UploadOptions } from './declare/uploads.js'
import type { Logger } from './logger.js'
import type { ArrivalOptions, Arrivals } from './pipeline/arrival.js'
import { trustProblems } from './pipeline/proxy.js'
import { requestIdProblems } from './pipeline/request-id.js'
import type { ErrorMapping, GuardLike, InterceptorLike } from './pipeline/surroundings.js'
import { versioningProblems } from './routing/versioning.js'
import type { DispatchOptions } from './server/dispatch.js'
import { type HealthOptions, healthProblems } from './server/health.js'
import type { ListenerLimits } from './server/listener.js'
import type { Middleware } from './server/middleware.js'
import { type ListenerProtocols, protocolProblems } from './server/protocols.js'

/** What `bootstrap` is told. What it does not know is refused. */
export interface ApplicationOptions extends ListenerLimits, ListenerProtocols, ArrivalOptions {
  /** The TCP port; 0 takes a spare one. A string of digits, as from the environment, is fine. @default 3000 */
  readonly port?: number | string
  /** The address to listen on. @default all addresses */
  readonly host?: string
  /** The path of a Unix socket, in place of a port. @default none */
  readonly path?: string
  /** Whether `bootstrap` listens; without, use `app.listen`, `app.attach` or `app.handler`. @default true */
  readonly listen?: boolean
  /** A path in front of all routes. @default none */
  readonly prefix?: string
  /** Whether `/a/` is `/a`, is another path, or is sent to whichever of the two has a route. @default 'ignore' */
  readonly closingSlash?: 'ignore' | 'strict' | 'redirect'
  /** Connect-style middleware, run before the match. @default none */
  readonly use?: readonly Middleware[]
  /** Middleware for upgrade requests. @default that of `use` */
  readonly useOnUpgrade?: readonly Middleware[]
  /** Guards of every route, run before their own. @default none */
  readonly guards?: readonly GuardLike[]
  /** Interceptors of every route, around their own. @default none */
  readonly interceptors?: readonly InterceptorLike[]
  /** Error mappers of every route, asked after their own. @default none */
  readonly errorMappers?: readonly ErrorMapping[]
  /** Providers that take the place of the modules', for tests. @default none */
  readonly overrides?: readonly Provider[]
  /**
   * How many processes serve, on the same address: `'auto'` is one for each processor. This one then is their primary,
   * which replaces those that die. A limit, such as `maxConnections`, is that of each. @default this process alone
   */
  readonly workers?: number | 'auto'
  /** Makes the event log of each registry. @default a `MemoryEventLog` each; with `workers`, one that they share */
  readonly eventLog?: OpenEventLog
  /** Origins that may open WebSockets besides the host's own; `'*'` for any. @default none */
  readonly origins?: readonly string[] | '*'
  /** Bytes of a request body at the most; more is 413. @default 1_048_576 (1 MiB) */
  readonly bodyLimit?: number
  /** Limits of multipart bodies, and where their temporary files go; a route's own are nearer. @default those of `UploadOptions` */
  readonly uploads?: UploadOptions
  /**
   * What cookies are signed with (HMAC-SHA256), each at least 32 characters that nobody can guess: the first signs, all of
   * them are known. A new key is put in front; an old one leaves when its cookies have expired. @default none
   */
  readonly cookieKeys?: readonly string[]
  /**
   * Whether replies are compressed for peers that accept it. Off unless asked for: where a secret stands beside what the
   * peer has sent, the length of what is compressed gives it away (BREACH). @default false
   */
  readonly compression?: boolean | CompressionOptions
  /** @default warnings and errors to standard error */
  readonly logger?: Logger
  /** Whether SIGTERM and SIGINT close the application, and then end the process. @default true where `bootstrap` listens */
  readonly signals?: boolean
  /** Milliseconds after which `close` cuts what has not ended. @default 10_000 */
  readonly deadline?: number
  /**
   * Milliseconds at the beginning of `close` in which all goes on, but `/ready` says 503 and replies say
   * `Connection: close`, so that balancers turn away before the listeners close. @default 0
   */
  readonly drainDelay?: number
  /** Whether `/ready` and `/live` are answered, in front of middleware and guards; or where, and what else is checked. @default false */
  readonly health?: boolean | HealthOptions
}

const { milliseconds, bytes, count, flag, text, list, method, methods, nested } = check

/** What has a check of its own. */
const elsewhere = () => undefined

const known: Checks<ApplicationOptions> = {
  port: elsewhere,
  host: text,
  path: text,
  tls: elsewhere,
  http2: elsewhere,
  listen: flag,
  prefix: text,
  closingSlash: check.oneOf('ignore', 'strict', 'redirect'),
  use: methods,
  useOnUpgrade: methods,
  guards: list,
  interceptors: list,
  errorMappers: list,
  overrides: list,
  workers: value => (value === 'auto' ? undefined : check.count(value) && "'auto', or a whole number, above 0"),
  eventLog: method,
  origins: check.origins,
  bodyLimit: bytes,
  uploads: nested,
  trustProxy: elsewhere,
  proxyFields: check.oneOf('x-forwarded', 'forwarded'),
  versioning: elsewhere,
  requestId: elsewhere,
  asyncContext: flag,
  cookieKeys: elsewhere,
  compression: check.compression,
  logger: check.logger,
  signals: flag,
  deadline: milliseconds,
  drainDelay: milliseconds,
  health: elsewhere,
  headersTimeout: milliseconds,
  requestTimeout: milliseconds,
  keepAliveTimeout: milliseconds,
  maxHeaders: count,
  maxHeaderSize: bytes,
  maxConnections: count,
  maxConnectionsPerAddress: count,
  backlog: count,
}

export function optionProblems(options: ApplicationOptions): string[] {
  const problems = [...wrongOptions('bootstrap', options, known), ...wrongUploads('bootstrap', options?.uploads)]
  if (typeof options !== 'object' || options === null) return problems
  const { trustProxy, versioning, requestId } = options
  problems.push(...trustProblems(trustProxy), ...versioningProblems(versioning), ...requestIdProblems(requestId))
  problems.push(...protocolProblems('bootstrap', options), ...healthProblems('bootstrap', options.health))
  const { port } = options
  if (port !== undefined && !isPort(port))
    problems.push(`bootstrap: port ${JSON.stringify(port)} is no port: give a number from 0 to 65535`)
  const { cookieKeys } = options
  if (cookieKeys !== undefined && !areKeys(cookieKeys))
    problems.push(
      'bootstrap: cookieKeys should be an array of strings, each of at least 32 characters, the newest first',
    )
  return [...problems, ...compressionProblems('bootstrap', options)]
}

const BODY_LIMIT = 1_048_576

/** What the options say of each exchange. */
export function dispatchOptions(options: ApplicationOptions): Omit<DispatchOptions, keyof Arrivals | 'health'> {
  const { use = [], useOnUpgrade = use, closingSlash = 'ignore', errorMappers = [] } = options
  const { bodyLimit = BODY_LIMIT, cookieKeys = [], compression = false } = options
  return { use, useOnUpgrade, closingSlash, errorMappers, bodyLimit, cookieKeys, compression }
}

/** Keys are not shown, not even wrong ones. */
function areKeys(keys: unknown): boolean {
  return Array.isArray(keys) && keys.length > 0 && keys.every(key => typeof key === 'string' && key.length >= 32)
}

function isPort(port: number | string): boolean {
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 65_535
}
