/** What a balancer and a supervisor ask an application, before anything of the application's own is asked. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ConnectionRegistry } from '../connections/registry.js'
import type { Token } from '../declare/metadata.js'
import { type Check, type Checks, check, show, withDefaults, wrongOptions } from '../declare/options.js'
import { unavailable } from '../errors.js'
import type { Logger } from '../logger.js'
import { readTarget } from '../pipeline/request-context.js'
import type { Route } from '../routing/table.js'
import { settleWithin } from '../wiring/settle-within.js'

/** Asks for one thing that requests need. It is not well where this throws, rejects, takes too long, or answers `false`. */
export type HealthCheck = (get: <T>(token: Token<T>) => T) => unknown

/** Where `/ready` and `/live` are, and what else is checked. */
export interface HealthOptions {
  /** The path that says whether to send requests here: 200, or 503 with the reasons. @default '/ready' */
  readonly ready?: string
  /** The path that says whether this process still answers at all: 200. @default '/live' */
  readonly live?: string
  /** What has to be well, by its name, besides the registries' logs; each is given `app.get`. @default none */
  readonly checks?: Readonly<Record<string, HealthCheck>>
  /** Milliseconds that a check may take. @default 2_000 */
  readonly patience?: number
}

const path: Check = value =>
  typeof value === 'string' && /^\/[^?#]*$/.test(value) ? undefined : 'a path that begins with a slash'

const known: Checks<HealthOptions> = { ready: path, live: path, checks: check.nested, patience: check.milliseconds }

const defaults: Required<HealthOptions> = { ready: '/ready', live: '/live', checks: {}, patience: 2000 }

/** The options with their defaults; undefined where nobody may ask. */
function settle(given: boolean | HealthOptions): Required<HealthOptions> | undefined {
  return given === false ? undefined : withDefaults(defaults, given === true ? {} : given)
}

/** What is wrong with the options. */
export function healthProblems(where: string, given: boolean | HealthOptions = false): string[] {
  if (typeof given === 'boolean') return []
  if (typeof given !== 'object' || given === null)
    return [`${where}: health should be true, false, or an object of options, not ${show(given)}`]
  const problems = wrongOptions(`${where}: health`, given, known)
  if (problems.length > 0) return problems
  const { ready, live, checks } = withDefaults(defaults, given)
  if (ready === live)
    problems.push(`${where}: health.ready and health.live are both ${ready}: give each a path of its own`)
  for (const [name, ask] of Object.entries(checks))
    if (typeof ask !== 'function') problems.push(`${where}: health.checks.${name} should be a function`)
  return problems
}

/** Routes that nobody would reach, since health answers there. */
export function hiddenByHealth(routes: readonly Route[], given: boolean | HealthOptions = false): string[] {
  const places = settle(given)
  if (places === undefined) return []
  const { ready, live } = places
  return routes
    .filter(
      ({ kind, method, pattern }) =>
        kind !== 'websocket' && /^(GET|HEAD)$/.test(method) && isOneOf(pattern, ready, live),
    )
    .map(({ name, pattern }) => {
      const option = pattern === ready ? 'ready' : 'live'
      return `${name}: ${pattern} is where health answers: give one of them another path, bootstrap(AppModule, { health: { ${option}: '/…' } })`
    })
}

function isOneOf(pattern: string | undefined, ...paths: readonly (string | undefined)[]): boolean {
  return pattern !== undefined && paths.includes(pattern)
}

/** What its answers depend on. */
export interface Vitals {
  /** Whether it asks to be sent nothing more. */
  readonly live: { readonly leaving: boolean; readonly replaced: boolean }
  readonly registries: readonly ConnectionRegistry[]
  readonly get: <T>(token: Token<T>) => T
  readonly logger: Logger
}

/** Answers at two paths, outside of middleware, guards and routes. */
export class Health {
  readonly #options: Required<HealthOptions>
  /** One round of checks for all who ask meanwhile. */
  #asking: Promise<readonly string[]> | undefined
  /** Checks that failed last time: said once in the log. */
  readonly #failing = new Set<string>()

  private constructor(
    options: Required<HealthOptions>,
    private readonly vitals: Vitals,
  ) {
    this.#options = options
  }

  /** Undefined where nobody may ask. */
  static of(given: boolean | HealthOptions = false, vitals: Vitals): Health | undefined {
    const options = settle(given)
    return options && new Health(options, vitals)
  }

  /** Whether this request is for it; then it is answered. */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = '/' } = request
    if (method !== 'GET' && method !== 'HEAD') return false
    const { path } = readTarget(url)
    if (path === this.#options.live) write(response, 200, { status: 'live' })
    else if (path === this.#options.ready) void this.#tellReady(response)
    else return false
    request.resume()
    return true
  }

  async #tellReady(response: ServerResponse): Promise<void> {
    const reasons = await this.#reasons()
    if (response.destroyed || response.writableEnded) return
    if (reasons.length === 0) return write(response, 200, { status: 'ready' })
    const { status, problem } = unavailable('not ready', { extensions: { reasons } })
    write(response, status, problem, 'application/problem+json')
  }

  /** Why it should be sent nothing. What went wrong inside is for the log. */
  async #reasons(): Promise<readonly string[]> {
    const { leaving, replaced } = this.vitals.live
    if (leaving && !replaced) return ['it is going away']
    const away = this.vitals.registries.filter(({ health }) => !health.ready)
    const logs = away.map(registry => `the event log of ${registry.constructor.name} is away`)
    this.#asking ??= this.#check().finally(() => {
      this.#asking = undefined
    })
    return [...logs, ...(await this.#asking)]
  }

  async #check(): Promise<readonly string[]> {
    const { checks, patience } = this.#options
    const asked = Object.entries(checks).map(async ([name, ask]) => {
      try {
        const answer = await settleWithin(patience, `the check ${name}`, () => ask(this.vitals.get))
        if (answer === false) throw new Error(`the check ${name} answered false`)
        if (this.#failing.delete(name)) this.vitals.logger.info(`the health check ${name} passes again`)
        return []
      } catch (error) {
        if (!this.#failing.has(name)) this.vitals.logger.warn(`the health check ${name} fails`, error)
        this.#failing.add(name)
        return [`the check ${name} fails`]
      }
    })
    return (await Promise.all(asked)).flat()
  }
}

function write(response: ServerResponse, status: number, content: object, type = 'application/json'): void {
  const body = Buffer.from(JSON.stringify(content))
  const fields = { 'Content-Type': type, 'Content-Length': body.length, 'Cache-Control': 'no-store' }
  response.writeHead(status, fields).end(response.req.method === 'HEAD' ? undefined : body)
}
