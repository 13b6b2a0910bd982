import type { Server } from 'node:http'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type Blueprint, connectionTokens, drawUp } from './blueprint.js'
import type { Connection } from './connections/connection.js'
import type { OpenEventLog } from './connections/event-log.js'
import { LiveConnections } from './connections/live.js'
import { MemoryEventLog } from './connections/memory-event-log.js'
import { ConnectionRegistry } from './connections/registry.js'
import type { AbstractClass, Token } from './declare/metadata.js'
import { listOf, withDefaults } from './declare/options.js'
import { serveWith } from './exchanges.js'
import { defaultLogger, type Logger, unfailing } from './logger.js'
import { type ApplicationOptions, dispatchOptions, optionProblems } from './options.js'
import { compileArrivals } from './pipeline/arrival.js'
import { openRegistryLog } from './registry-log.js'
import type { Route } from './routing/table.js'
import { type Compiled, compileRoutes } from './server/compile.js'
import { Dispatcher } from './server/dispatch.js'
import {
  checkServer,
  type ForeignHandler,
  type ForeignUpgrade,
  handleForeign,
  upgradeForeign,
} from './server/foreign.js'
import { attachHandlers, type Handlers } from './server/handlers.js'
import { Health } from './server/health.js'
import { type LeaveOptions, leave } from './server/leave.js'
import type { ListenAddress } from './server/listener.js'
import { Listeners } from './server/listeners.js'
import { onSignals } from './server/signals.js'
import type { TlsOptions } from './server/tls.js'
import { warningsOf } from './server/warnings.js'
import { Container } from './wiring/container.js'
import { settleWithin } from './wiring/settle-within.js'
import type { Workers } from './workers/workers.js'

const DEADLINE = 10_000
/** Milliseconds that each end has at the least, when the connections are gone. */
const STOP_PATIENCE = 5000

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
    health: options.health,
    overrides: listOf(options.overrides),
    signsCookies: app === undefined || options.cookieKeys !== undefined,
    problems: optionProblems(given),
  })
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
  #workers: Workers | undefined
  #over = () => {}
  #forgetSignals: () => void = () => {}
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(
    module: AbstractClass,
    private readonly options: ApplicationOptions,
  ) {
    this.blueprint = readBlueprint(module, options, this)
    this.logger = unfailing(options.logger ?? defaultLogger)
    this.#container = new Container(this.blueprint.definitions, connectionTokens, this.logger)
    const failed = (error: Error) => this.logger.error('a connection could not be accepted', error)
    this.#listeners = new Listeners(options, this.#handlers(), failed)
  }

  /** The route table, frozen. */
  get routes(): readonly Route[] {
    return this.blueprint.routes
  }

  /** The processes that serve, where this is the primary that started them: it makes no instances and serves nothing. */
  get workers(): Workers | undefined {
    return this.#workers
  }

  /** How many event streams and sockets are open in this process. */
  get connections(): number {
    return this.#live.size
  }

  /** The port of the first listener. */
  get port(): number {
    const [address] = this.addresses
    return typeof address === 'object' ? address.port : 0
  }

  /** The first listener's address as people open it, such as `http://localhost:3000`; undefined for a Unix socket. */
  get url(): string | undefined {
    const { host = 'localhost' } = this.options
    const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
    const isSecure = this.#workers === undefined ? this.#listeners.isSecure : this.options.tls !== undefined
    return this.port === 0 ? undefined : `${isSecure ? 'https' : 'http'}://${name}:${this.port}`
  }

  /** Where each listener listens; a string is the path of a Unix socket. */
  get addresses(): readonly (AddressInfo | string)[] {
    return this.#workers?.addresses ?? this.#listeners.addresses
  }

  /** The instance behind a token. */
  get<T>(token: Token<T>): T {
    this.#refuseInPrimary('get')
    return this.#container.get(token)
  }

  /** Serves requests of another server, such as Express (`express().use(app.handler)`): what has no route goes to `next`. */
  readonly handler: ForeignHandler = (...exchange) => handleForeign(this.#dispatch(), ...exchange)

  /**
   * Serves the upgrade requests of another server: `server.on('upgrade', app.upgrade)`; those of HTTP/2 (RFC 8441) by
   * `server.on('connect', app.upgrade)`. What has no route goes to `next`, or is answered with 404.
   */
  readonly upgrade: ForeignUpgrade = (...handed) => upgradeForeign(this.#dispatch(), ...handed)

  /**
   * Listens on one more address, with the protocols it is given there.
   * @throws Error before the application has started, AddressInUseError, or ConfigurationError for a certificate that cannot be used
   */
  async listen(address: ListenAddress): Promise<AddressInfo | string> {
    this.#started('listen')
    return this.#listeners.open(address)
  }

  /**
   * Gives the listeners that speak TLS another certificate, without a restart: new connections see it, open ones go on.
   * What is not given stays as it was.
   * @throws ConfigurationError for a certificate that cannot be used; then the old one stays
   */
  renewTls(tls: TlsOptions): void {
    this.#refuseInPrimary('renewTls')
    this.#listeners.renew(tls)
  }

  /**
   * Serves all requests of a server that somebody else starts and stops: of `node:http`, `node:https` or `node:http2`. The
   * latter opens WebSockets over HTTP/2 where its `settings` say `enableConnectProtocol`.
   * @throws TypeError for what is no server, Error before the application has started
   */
  attach(server: Server | Http2Server | Http2SecureServer): void {
    this.#started('attach')
    checkServer(server)
    const { handler: handle, upgrade } = this
    attachHandlers(server as Server, { handle, upgrade, connect: upgrade })
  }

  #handlers(): Handlers {
    return {
      handle: (request, response) => this.#dispatch().handle(request, response),
      upgrade: (request, socket, head) => this.#dispatch().upgrade(request, socket, head),
      connect: (request, response) => this.#dispatch().connect(request, response),
    }
  }

  #dispatch(): Dispatcher {
    return this.#started('a request')
  }

  /** What serves. @throws Error where there is nothing yet, or never will be */
  #started(what: string): Dispatcher {
    this.#refuseInPrimary(what)
    if (this.#dispatcher !== undefined) return this.#dispatcher
    throw new Error(`${what}: the application has not started: do it when bootstrap has resolved`)
  }

  #refuseInPrimary(what: string): void {
    if (this.#workers === undefined) return
    throw new Error(`${what}: this is the primary, whose workers serve: do it where app.workers is undefined`)
  }

  /** Serves by other processes, and not itself. @param over called when they have ended @internal */
  leaveTo(workers: Workers, over: () => void): void {
    this.#workers = workers
    this.#over = over
  }

  /** Starts, step by step. @internal */
  async start(): Promise<void> {
    // 1. The singletons are made, each behind what it needs.
    await this.#container.make(this.blueprint.order)
    // 2. The registries follow their logs.
    for (const registry of this.#container.all<ConnectionRegistry>(ConnectionRegistry))
      await this.#startRegistry(registry)
    // 3. `onStart` runs, in the order in which they were made.
    await this.#container.start()
    // 4. The routes are compiled, and from here on found.
    this.#dispatcher = await this.#compile()
    // 5. What is allowed, and yet likely to be a mistake, is told.
    for (const warning of warningsOf(this.routes)) this.logger.warn(warning)
  }

  async #startRegistry(registry: ConnectionRegistry): Promise<void> {
    const open: OpenEventLog = this.options.eventLog ?? ((_name, retention) => new MemoryEventLog(retention))
    const opened = await openRegistryLog(registry.constructor as AbstractClass, open, this.logger)
    this.#registries.push(registry)
    await registry.start({ ...opened, logger: this.logger })
  }

  async #compile(): Promise<Dispatcher> {
    const { closingSlash = 'ignore', origins = [], uploads } = this.options
    let compiled: Compiled | undefined
    const { blueprint, logger } = this
    const parts = { blueprint, container: this.#container, live: this.#live, logger, uploads }
    const serving = serveWith({ ...parts, compiled: () => compiled })
    compiled = await compileRoutes(this.routes, serving, { closingSlash, origins })
    const health = Health.of(this.options.health, this.#vitals())
    const dispatching = { ...dispatchOptions(this.options), ...compileArrivals(this.options), health }
    return new Dispatcher(compiled, serving, dispatching)
  }

  #vitals() {
    const get = <T>(token: Token<T>) => this.#container.get(token)
    return { live: this.#live, registries: this.#registries, get, logger: this.logger }
  }

  /**
   * Stops: balancers are told for the `drainDelay`; no new connections; event streams and sockets are drained; running
   * handlers finish; at the deadline what is left is cut. Then `onStop` and disposal, in reverse; each is given up after
   * the deadline, or 5 seconds where that is longer. A second call waits for the first. In a primary: all workers do
   * this, and end.
   * @param options.deadline milliseconds until what is left is cut. @default the application's `deadline`, 10_000
   * @param options.drainDelay milliseconds before that. @default the application's `drainDelay`, 0
   * @throws the first failure of a registry's log, an `onStop` or a disposal; all had their turn
   */
  close(options: Partial<LeaveOptions> = {}): Promise<void> {
    this.#closing ??= this.#end(options).finally(() => this.#forgetSignals())
    return this.#closing
  }

  async #end(options: Partial<LeaveOptions>): Promise<void> {
    if (this.#workers === undefined) return this.#close(withDefaults(this.leaving, options))
    await this.#workers.close(options).finally(this.#over)
  }

  /** How it stops where nothing else is said. @internal */
  get leaving(): LeaveOptions {
    const { deadline = DEADLINE, drainDelay = 0 } = this.options
    return { deadline, drainDelay }
  }

  async #close(options: LeaveOptions): Promise<void> {
    // 1. Balancers turn away, listeners close, connections drain; at the deadline what is left is cut.
    await leave(this.#live, this.#listeners, options)
    this.#live.gone = true
    const patience = Math.max(options.deadline, STOP_PATIENCE)
    const failures: unknown[] = []
    const attempt = (stop: () => Promise<unknown>) => stop().catch(error => failures.push(error))
    // 2. The registries' logs stop, and what was sent is in them.
    for (const registry of this.#registries)
      await attempt(() => settleWithin(patience, `the log of ${registry.constructor.name}`, () => registry.stop()))
    // 3. `onStop` and disposal, in reverse.
    await attempt(() => this.#container.stop(patience))
    // 4. The first failure is the caller's; all had their turn.
    if (failures.length > 0) throw failures[0]
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
