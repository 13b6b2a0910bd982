import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type ConnectionServing, goingAway } from '../connections/serving.js'
import type { CompressionOptions } from '../declare/routes.js'
import { methodNotAllowed, notAcceptable, notFound, withoutStack } from '../errors.js'
import type { Arrivals } from '../pipeline/arrival.js'
import { offerCompression } from '../pipeline/coding.js'
import type { Params } from '../pipeline/context.js'
import { runIn, Scope } from '../pipeline/current.js'
import { compileEndpoint, type Endpoint } from '../pipeline/endpoint.js'
import type { Front } from '../pipeline/front.js'
import { isShared, laneOf } from '../pipeline/lane.js'
import { isOccupied, watchLane } from '../pipeline/lane-watch.js'
import { addVary } from '../pipeline/negotiate.js'
import { type ReplyOptions, reply } from '../pipeline/reply.js'
import { RequestContext, type RequestTarget, readTarget } from '../pipeline/request-context.js'
import type { ErrorMapping } from '../pipeline/surroundings.js'
import type { Paths } from '../routing/lookup.js'
import { noSurroundings, type Route, standInRoute } from '../routing/table.js'
import { asksForWebSocket, declineUpgrade, readConnect, upgradeRequired } from '../websocket/upgrade.js'
import type { Compiled, Served } from './compile.js'
import type { Health } from './health.js'
import { lend, type Middleware, runMiddleware } from './middleware.js'
import { isGetOffered } from './offers.js'
import { methodsOf, type Pick, pickAny, pickFor, pickUpgrade } from './pick.js'
import { RawResponse } from './raw-response.js'

export interface DispatchOptions extends Arrivals {
  readonly use: readonly Middleware[]
  readonly useOnUpgrade: readonly Middleware[]
  readonly closingSlash: 'ignore' | 'strict' | 'redirect'
  readonly bodyLimit: number
  readonly cookieKeys: readonly string[]
  readonly compression: boolean | CompressionOptions
  /** Asked for what goes wrong outside of all routes. */
  readonly errorMappers: readonly ErrorMapping[]
  /** Answers before all else. */
  readonly health: Health | undefined
}

/** Passes an exchange on to whoever mounted this application. */
type Next = (error?: unknown) => void

/** Stands for the route of an exchange that matched none. */
const unmatched = standInRoute('(no route)')

/** Stands for the route of an exchange whose middleware failed. */
const inMiddleware = standInRoute('(middleware)')

/** An exchange whose route is not known yet. */
interface Arrival {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Where the application is mounted in another one: who gets what has no route here. */
  readonly next: Next | undefined
  readonly front: Front
  /** On an upgrade request, what came right behind its head. */
  readonly upgradeHead?: Buffer
}

/** Finds the route of each exchange, and runs it. */
export class Dispatcher {
  readonly #map: Endpoint['map']
  /** The 404 of a path that leads nowhere: one for all, unless somebody may be told of it, and keep it or change it. */
  readonly #nowhere: () => Error

  constructor(
    private readonly compiled: Compiled,
    private readonly serving: ConnectionServing,
    private readonly options: DispatchOptions,
  ) {
    const surroundings = { ...noSurroundings, errorMappers: options.errorMappers }
    this.#map = compileEndpoint(surroundings, () => [], serving.resolve).map
    const nowhere = withoutStack(() => notFound())
    this.#nowhere = options.errorMappers.length === 0 ? () => nowhere : () => withoutStack(() => notFound())
  }

  handle(request: IncomingMessage, response: ServerResponse, next?: Next): void {
    if (isOccupied(laneOf(response))) return void request.resume()
    if (this.serving.live.leaving) response.setHeader('Connection', 'close')
    response.on('error', this.#spoilt)
    if (this.options.health?.answers(request, response)) return
    if (this.options.compression !== false) offerCompression(response, this.options.compression)
    const arrival = { request, response, next, front: this.options.receive(request, response) }
    if (this.#isTurnedAway(arrival)) return
    if (this.options.use.length === 0) return this.#route(arrival)
    this.#runMiddleware(this.options.use, arrival, () => this.#route(arrival))
  }

  /**
   * An upgrade request. Its answer, until the 101, is written by a `ServerResponse` on the raw socket, so that middleware,
   * guards and refusals are what they are for every request.
   */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, next?: Next): void {
    watchLane(socket)
    if (isOccupied(socket)) return void socket.resume()
    const response = new RawResponse(request)
    response.shouldKeepAlive = false
    try {
      response.assignSocket(socket)
    } catch {
      // An upgrade behind a request that is not answered yet: Node has given up the connection already.
      return void socket.destroy()
    }
    if (!asksForWebSocket(request)) return leave(response, next ?? (() => declineUpgrade(request, socket, head)))
    response.on('error', this.#spoilt).once('finish', () => {
      socket.resume()
      socket.destroySoon()
    })
    this.#open({ request, response, next, front: this.options.receive(request, response), upgradeHead: head })
  }

  /** A CONNECT of HTTP/2, which may open a WebSocket (RFC 8441): its answer is an ordinary one. */
  connect(request: IncomingMessage, response: ServerResponse, passOn?: Next): void {
    const front = this.options.receive(request, response)
    const asItCame = () => {
      request.method = 'CONNECT'
      passOn?.()
    }
    const next = passOn === undefined ? undefined : asItCame
    const arrival = { request, response, next, front, upgradeHead: NOTHING }
    try {
      readConnect(request)
    } catch (error) {
      if (next !== undefined) return next()
      return this.#refuse(this.#context(unmatched, arrival), error)
    }
    this.#open(arrival)
  }

  #open(arrival: Arrival): void {
    if (this.#isTurnedAway(arrival)) return
    if (this.options.useOnUpgrade.length === 0) return this.#upgrade(arrival)
    this.#runMiddleware(this.options.useOnUpgrade, arrival, () => this.#upgrade(arrival))
  }

  #isTurnedAway(arrival: Arrival): boolean {
    const { problem } = arrival.front
    if (problem !== undefined) this.#refuse(this.#context(unmatched, arrival), problem)
    return problem !== undefined
  }

  /** Somebody writes to a response that is over: too late to be heard, and no reason to go down. */
  readonly #spoilt = (error: Error & { code?: string }): void => {
    if (error.code === 'ERR_STREAM_DESTROYED') this.serving.logger.debug('a reply was written when its peer had left')
    else this.serving.logger.error('a reply was written to when it was over', error)
  }

  #runMiddleware(use: readonly Middleware[], arrival: Arrival, run: () => void): void {
    const done = (error?: unknown) => {
      if (error !== undefined) this.#refuse(this.#context(inMiddleware, arrival), error)
      else if (!arrival.response.writableEnded) run()
    }
    const late = (error: unknown) => this.serving.logger.error('middleware failed when it had called next()', error)
    if (use.length > 0) lend(arrival.request, arrival.front)
    runMiddleware(use, arrival, done, late)
  }

  #route(arrival: Arrival): void {
    const { url = '/', method = 'GET', headers } = arrival.request
    const target = readTarget(url)
    const { path } = target
    const negotiated = () => addVary(arrival.response, 'Accept')
    try {
      const pick = pickFor(method, headers.accept, negotiated)
      const paths = this.compiled.lookup.at(arrival.front)
      const match = path === '*' ? undefined : paths.find(path, pick)
      if (match === undefined) return this.#miss(this.#context(unmatched, arrival, target), target, arrival)
      const { endpoint, params } = match
      if (endpoint.kind === 'websocket') return
      if (this.serving.live.gone) throw goingAway()
      const context = this.#context(endpoint.route, arrival, target, params)
      runIn(context.scope, () => endpoint.serve(context))
    } catch (error) {
      this.#refuse(this.#context(unmatched, arrival), error)
    }
  }

  #upgrade(arrival: Arrival): void {
    try {
      const target = targetOf(arrival)
      const { path } = target
      const match = this.compiled.lookup.at(arrival.front).find(path, pickUpgrade)
      if (match === undefined) {
        if (arrival.next !== undefined) return leave(arrival.response, arrival.next)
        throw this.#notHere(arrival.front, path, pickUpgrade, 'no WebSocket here')
      }
      if (this.serving.live.gone) throw goingAway()
      const { endpoint, params } = match
      const context = this.#context(endpoint.route, arrival, target, params)
      runIn(context.scope, () => {
        if (endpoint.kind === 'websocket') endpoint.serveUpgrade(context)
        else endpoint.serve(context)
      })
    } catch (error) {
      this.#refuse(this.#context(unmatched, arrival), error)
    }
  }

  #context(
    route: Route,
    arrival: Arrival,
    target: RequestTarget = targetOf(arrival),
    params: Params = NO_PARAMS,
  ): RequestContext {
    const { request, response, upgradeHead, front } = arrival
    const context = new RequestContext(route, request, response, params, target, this.options.bodyLimit, front)
    context.upgradeHead = upgradeHead
    if (this.options.asyncContext) context.scope = new Scope(context)
    context.cookieKeys = this.options.cookieKeys
    return context
  }

  /** No route takes the request: why not, and what would (RFC 9110 §9.3.7, §15.5.5, §15.5.6). */
  #miss(context: RequestContext, target: RequestTarget, { request, next, front }: Arrival): void {
    const { method } = context
    const { path } = target
    const tell = (status: number, headers: ReplyOptions['headers'] = {}) =>
      this.serving.reply(context, reply(undefined, { status, headers }))
    const paths = this.compiled.lookup.at(front)
    const elsewhere = this.#redirected(target, method, paths)
    if (elsewhere !== undefined) return tell(308, { Location: elsewhere })
    if (next !== undefined) return next()
    if (path === '*' && method === 'OPTIONS') return tell(204)
    const leaves = path === '*' ? [] : paths.leaves(path)
    const tellWhy = (getOffered: boolean) => {
      const allowed = methodsOf(leaves, getOffered)
      if (allowed.length === 0) return this.#refuse(context, this.#notHere(front, path, pickAny))
      if (method === 'OPTIONS') return tell(204, { Allow: allowed.join(', ') })
      const isWebSocket = /^(GET|HEAD)$/.test(method) && leaves.some(leaf => leaf.websocket !== undefined)
      this.#refuse(
        context,
        withoutStack(() => (isWebSocket ? upgradeRequired(request) : methodNotAllowed(allowed))),
      )
    }
    const offered = isGetOffered(request)
    if (offered === undefined) tellWhy(false)
    else offered.then(tellWhy).catch(error => this.#refuse(context, error))
  }

  /** 404, or 406 where the path has routes in versions that the request's header fields do not ask for (RFC 9110 §15.5.7). */
  #notHere(front: Front, path: string, pick: Pick, detail = ''): Error {
    const versions = path === '*' ? [] : this.compiled.lookup.versions(front, path, pick)
    if (versions.length === 0) return detail === '' ? this.#nowhere() : withoutStack(() => notFound(detail))
    const asked = front.version === undefined ? 'no version is asked for' : 'there is no such version'
    return notAcceptable(`${asked}; here are ${versions.join(', ')}`, { extensions: { versions } })
  }

  /**
   * The same path with or without its closing slash, where that has a route and the policy is to send peers there. What
   * begins with two slashes (or what browsers take for two) would be another host.
   */
  #redirected({ path, queryString }: RequestTarget, method: string, paths: Paths<Served>): string | undefined {
    if (this.options.closingSlash !== 'redirect') return undefined
    const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`
    if (other === '' || /^\/[/\\]/.test(other) || paths.find(other, pickFor(method, undefined)) === undefined)
      return undefined
    return queryString === '' ? other : `${other}?${queryString}`
  }

  /** An error outside of all routes, which only the application's own error mappers see. */
  #refuse(context: RequestContext, error: unknown): void {
    this.serving.refuse(context, this.#map(error, context))
  }
}

const NOTHING = Buffer.alloc(0)
const NO_PARAMS: Params = Object.freeze({})

function targetOf({ request }: Arrival): RequestTarget {
  return readTarget(request.url ?? '/')
}

/** Gives the socket back as it came, for the application that this one is mounted in. */
function leave(response: ServerResponse, next: Next): void {
  if (!isShared(laneOf(response)) && response.socket !== null) response.detachSocket(response.socket)
  next()
}
