import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Blueprint, connectionTokens, drawUp } from './blueprint.js'
import type { Connection } from './connections/connection.js'
import { drainConnections } from './connections/drain.js'
import type { OpenEventLog } from './connections/event-log.js'
import { LiveConnections } from './connections/live.js'
import { MemoryEventLog } from './connections/memory-event-log.js'
import { ConnectionRegistry } from './connections/registry.js'
import type { ConnectionServing } from './connections/serving.js'
import type { AbstractClass, Class, Token } from './declare/metadata.js'
import { listOf } from './declare/options.js'
import { bodyReader } from './http/body.js'
import { refuse, sendReply } from './http/reply.js'
import { defaultLogger, type Logger } from './logger.js'
import { type ApplicationOptions, dispatchOptions, optionProblems } from './options.js'
import { compileArrivals } from './pipeline/arrival.js'
import { Upgrade } from './pipeline/reply.js'
import { openRegistryLog } from './registry-log.js'
import type { Route } from './routing/table.js'
import { type Compiled, compileRoutes } from './server/compile.js'
import { Dispatcher } from './server/dispatch.js'
import { attachHandlers, type Handlers } from './server/handlers.js'
import type { ListenAddress } from './server/listener.js'
import { Listeners } from './server/listeners.js'
import { onSignals } from './server/signals.js'
import type { TlsOptions } from './server/tls.js'
import { warningsOf } from './server/warnings.js'
import { upgradeRequired } from './websocket/upgrade.js'
import { type Construct, Container } from './wiring/container.js'
import { within } from './wiring/patience.js'

const DEADLINE = 10_000
const PORT = 3000
/** Milliseconds that each end has at the least, when the connections are gone. */
const STOP_PATIENCE = 5000

/**
 * Reads the modules, makes what they declare, and serves it.
 * @throws ConfigurationError with everything that is wrong, before anything listens
 * @throws AddressInUseError when the port is taken
 */
export async function bootstrap(module: AbstractClass, options: ApplicationOptions = {}): Promise<Application> {
  const app = new Application(module, options)
  try {
    await app.start()
    if (options.listen !== false) await app.listen(addressOf(options))
  } catch (error) {
    await app.close({ deadline: 0 }).catch(worse => app.logger.error('the application did not stop cleanly', worse))
    throw error
  }
  if (options.signals ?? options.listen !== false) app.closeOnSignals()
  return app
}

/** The route table of a module, without making anything. @throws ConfigurationError */
export function readRoutes(module: AbstractClass, options: ApplicationOptions = {}): readonly Route[] {
  return readBlueprint(module, options, undefined).routes
}

/** @param app what is given to those who ask for the `Application`, once something is made */
function readBlueprint(module: AbstractClass, given: ApplicationOptions, app: Application | undefined): Blueprint {
  const options = given ?? {}
  return drawUp(module, {
    given: [{ token: Application, useValue: app }],
    guards: listOf(options.guards),
    interceptors: listOf(options.interceptors),
    errorMappers: listOf(options.errorMappers),
    prefix: String(options.prefix ?? ''),
    closingSlash: options.closingSlash ?? 'ignore',
    versioning: options.versioning,
    overrides: listOf(options.overrides),
    signsCookies: app === undefined || options.cookieKeys !== undefined,
    problems: optionProblems(given),
  })
}

function addressOf({ port = PORT, host, path, tls, http2 = false }: ApplicationOptions): ListenAddress {
  const protocols = { http2, ...(tls === undefined ? {} : { tls }) }
  if (path !== undefined) return { path, ...protocols }
  return { port: Number(port), ...(host === undefined ? {} : { host }), ...protocols }
}

/** A running application. It is injected by its type; while singletons are made, it has not started. */
export class Application {
  private readonly blueprint: Blueprint
  readonly #container: Container
  readonly #live = new LiveConnections<Connection>()
  /** @internal */
  readonly logger: Logger
  readonly #listeners: Listeners
  readonly #registries: ConnectionRegistry[] = []
  #dispatcher: Dispatcher | undefined
  #forgetSignals: () => void = () => {}
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(
    module: AbstractClass,
    private readonly options: ApplicationOptions,
  ) {
    this.blueprint = readBlueprint(module, options, this)
    this.logger = options.logger ?? defaultLogger
    this.#container = new Container(this.blueprint.definitions, connectionTokens, this.logger)
    const failed = (error: Error) => this.logger.error('a connection could not be accepted', error)
    this.#listeners = new Listeners(options, this.#handlers(), failed)
  }

  /** The route table, frozen. */
  get routes(): readonly Route[] {
    return this.blueprint.routes
  }

  /** How many event streams and sockets are open. */
  get connections(): number {
    return this.#live.size
  }

  /** The port of the first listener. */
  get port(): number {
    const [address] = this.#listeners.addresses
    return typeof address === 'object' ? address.port : 0
  }

  /** The first listener's address as people open it, such as `http://localhost:3000`; undefined for a Unix socket. */
  get url(): string | undefined {
    const { host = 'localhost' } = this.options
    const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
    return this.port === 0 ? undefined : `${this.#listeners.isSecure ? 'https' : 'http'}://${name}:${this.port}`
  }

  /** Where each listener listens; a string is the path of a Unix socket. */
  get addresses(): readonly (AddressInfo | string)[] {
    return this.#listeners.addresses
  }

  /** The instance behind a token. */
  get<T>(token: Token<T>): T {
    return this.#container.get(token)
  }

  /** Serves requests of another server, such as Express (`express().use(app.handler)`): what has no route goes to `next`. */
  readonly handler = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void => {
    this.#dispatch().handle(request, response, next)
  }

  /** Serves upgrade requests of another server: `server.on('upgrade', app.upgrade)`. What has no route goes to `next`, or is answered with 404. */
  readonly upgrade = (
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    next?: (error?: unknown) => void,
  ): void => {
    this.#dispatch().upgrade(request, socket, head, next)
  }

  /**
   * Listens on one more address, with the protocols it is given there.
   * @throws AddressInUseError, or ConfigurationError for a certificate that cannot be used
   */
  listen(address: ListenAddress): Promise<AddressInfo | string> {
    return this.#listeners.open(address)
  }

  /**
   * Gives the listeners that speak TLS another certificate, without a restart: new connections see it, open ones go on.
   * What is not given stays as it was.
   * @throws ConfigurationError for a certificate that cannot be used; then the old one stays
   */
  renewTls(tls: TlsOptions): void {
    this.#listeners.renew(tls)
  }

  /** Serves all requests of an HTTP/1.1 server that somebody else starts and stops. */
  attach(server: Server): void {
    attachHandlers(server, this.#handlers())
  }

  #handlers(): Handlers {
    return {
      handle: (request, response) => this.handler(request, response),
      upgrade: (request, socket, head) => this.upgrade(request, socket, head),
      connect: (request, response) => this.#dispatch().connect(request, response),
    }
  }

  #dispatch(): Dispatcher {
    if (this.#dispatcher === undefined) throw new Error('the application has not started')
    return this.#dispatcher
  }

  /** Makes the singletons, starts the registries' logs, runs `onStart`, compiles the routes. @internal */
  async start(): Promise<void> {
    await this.#container.make(this.blueprint.order)
    for (const registry of this.#container.all<ConnectionRegistry>(ConnectionRegistry))
      await this.#startRegistry(registry)
    await this.#container.start()
    const { closingSlash = 'ignore', origins = [] } = this.options
    const serving = this.#serving(() => compiled)
    const compiled: Compiled = await compileRoutes(this.routes, serving, { closingSlash, origins })
    const dispatching = { ...dispatchOptions(this.options), ...compileArrivals(this.options) }
    this.#dispatcher = new Dispatcher(compiled, serving, dispatching)
    for (const warning of warningsOf(this.routes)) this.logger.warn(warning)
  }

  async #startRegistry(registry: ConnectionRegistry): Promise<void> {
    const open: OpenEventLog = this.options.eventLog ?? ((_name, retention) => new MemoryEventLog(retention))
    const opened = await openRegistryLog(registry.constructor as AbstractClass, open, this.logger)
    this.#registries.push(registry)
    await registry.start({ ...opened, logger: this.logger })
  }

  #serving(compiled: () => Compiled): ConnectionServing {
    const logger = this.logger
    return {
      logger,
      live: this.#live,
      problems: [],
      readBody: bodyReader(this.options.uploads),
      resolve: <T>(token: Class<T>) => this.#container.get<T>(token as Token<T>),
      construct: owner =>
        this.#container.construct(owner as Class, this.blueprint.needs.get(owner) ?? []) as ReturnType<
          ConnectionServing['construct']
        > &
          Construct,
      refuse: (context, error) => refuse(context, error, logger),
      reply(context, value, fail = error => refuse(context, error, logger)) {
        if (!(value instanceof Upgrade)) return sendReply(context, value, logger, fail)
        const serve = compiled().upgrades.get(value.to)
        if (context.upgradeHead === undefined) return fail(upgradeRequired(context.request))
        if (serve === undefined)
          return fail(new Error(`${context.route.name} upgrades to ${value.to.name}, which it does not list`))
        serve(context, context.upgradeHead)
      },
    }
  }

  /**
   * Stops: no new connections; event streams and sockets are drained; running handlers finish; at the deadline what is
   * left is cut. Then `onStop` and disposal, in reverse; each is given up after the deadline, or 5 seconds where that is
   * longer. A second call waits for the first.
   * @param options.deadline milliseconds until what is left is cut. @default the application's `deadline`, 10_000
   * @throws the first failure of a registry's log, an `onStop` or a disposal; all had their turn
   */
  close(options: { readonly deadline?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.deadline ?? this.options.deadline ?? DEADLINE)
    return this.#closing
  }

  async #close(deadline: number): Promise<void> {
    await this.#drain(deadline)
    this.#live.gone = true
    const patience = Math.max(deadline, STOP_PATIENCE)
    const logs = this.#registries.map(
      registry => () => within(patience, `the log of ${registry.constructor.name}`, () => registry.stop()),
    )
    const failures: unknown[] = []
    for (const stop of [...logs, () => this.#container.stop(patience)])
      await stop().catch(error => failures.push(error))
    this.#forgetSignals()
    if (failures.length > 0) throw failures[0]
  }

  async #drain(deadline: number): Promise<void> {
    this.#live.draining = true
    const stopped = this.#listeners.close()
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), deadline)
    const forced = new Promise<void>(resolve => late.signal.addEventListener('abort', () => resolve(), { once: true }))
    await drainConnections(this.#live, deadline, late.signal)
    await Promise.race([Promise.all([stopped, this.#live.emptied()]), forced])
    clearTimeout(timer)
    this.#listeners.destroy()
    await stopped
  }

  /** Closes on SIGTERM and SIGINT, and ends the process; a second signal ends it at once. @internal */
  closeOnSignals(): void {
    this.#forgetSignals = onSignals(() =>
      this.close().then(undefined, (error: unknown) => {
        this.logger.error('the application did not stop cleanly', error)
        throw error
      }),
    )
  }
}
