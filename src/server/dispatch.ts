import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionServing } from '../connections/serving.js'
import type { CompressionOptions } from '../declare/routes.js'
import { badRequest, methodNotAllowed, notFound } from '../errors.js'
import { offerCompression } from '../pipeline/coding.js'
import type { Params } from '../pipeline/context.js'
import { compileEndpoint, type Endpoint } from '../pipeline/endpoint.js'
import { addVary, asksFor } from '../pipeline/negotiate.js'
import { type ReplyOptions, reply } from '../pipeline/reply.js'
import { RequestContext, type RequestTarget, readTarget } from '../pipeline/request-context.js'
import type { ErrorMapping } from '../pipeline/surroundings.js'
import type { Leaf, Target } from '../routing/matcher.js'
import { noSurroundings, type Route, standInRoute } from '../routing/table.js'
import { isOccupied, watchSocket } from '../sse/outlet.js'
import { asksForWebSocket, declineUpgrade, upgradeRequired } from '../websocket/upgrade.js'
import type { Compiled, Served } from './compile.js'
import { type Middleware, runMiddleware } from './middleware.js'

export interface DispatchOptions {
  readonly use: readonly Middleware[]
  readonly useOnUpgrade: readonly Middleware[]
  readonly closingSlash: 'ignore' | 'strict' | 'redirect'
  readonly bodyLimit: number
  readonly cookieKeys: readonly string[]
  readonly compression: boolean | CompressionOptions
  /** Asked for what goes wrong outside of all routes. */
  readonly errorMappers: readonly ErrorMapping[]
}

/** Passes an exchange on to whoever mounted this application. */
type Next = (error?: unknown) => void
type Pick = (leaf: Leaf<Served>) => Target<Served> | undefined

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
  /** On an upgrade request, what came right behind its head. */
  readonly upgradeHead?: Buffer
}

/** Finds the route of each exchange, and runs it. */
export class Dispatcher {
  readonly #map: Endpoint['map']

  constructor(
    private readonly compiled: Compiled,
    private readonly serving: ConnectionServing,
    private readonly options: DispatchOptions,
  ) {
    const surroundings = { ...noSurroundings, errorMappers: options.errorMappers }
    this.#map = compileEndpoint(surroundings, () => [], serving.resolve).map
  }

  handle(request: IncomingMessage, response: ServerResponse, next?: Next): void {
    if (isOccupied(request.socket)) return void request.resume()
    if (this.serving.live.draining) response.setHeader('Connection', 'close')
    if (this.options.compression !== false) offerCompression(response, this.options.compression)
    response.on('error', this.#spoilt)
    const arrival = { request, response, next }
    if (hasManyHosts(request)) return this.#refuse(this.#context(unmatched, arrival), manyHosts())
    if (this.options.use.length === 0) return this.#route(arrival)
    this.#runMiddleware(this.options.use, arrival, () => this.#route(arrival))
  }

  /**
   * An upgrade request. Its answer, until the 101, is written by a `ServerResponse` on the raw socket, so that middleware,
   * guards and refusals are what they are for every request.
   */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, next?: Next): void {
    watchSocket(socket)
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
    const arrival = { request, response, next, upgradeHead: head }
    if (hasManyHosts(request)) return this.#refuse(this.#context(unmatched, arrival), manyHosts())
    this.#runMiddleware(this.options.useOnUpgrade, arrival, () => this.#upgrade(arrival, head))
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
    runMiddleware(use, arrival.request, arrival.response, done, late)
  }

  #route(arrival: Arrival): void {
    const { url = '/', method = 'GET', headers } = arrival.request
    const { path } = readTarget(url)
    try {
      const match =
        path === '*' ? undefined : this.compiled.matcher.find(path, pickFor(method, headers.accept, arrival.response))
      if (match === undefined) return this.#miss(this.#context(unmatched, arrival), arrival)
      const { endpoint, params } = match
      if (endpoint.kind !== 'websocket') endpoint.serve(this.#context(endpoint.route, arrival, params))
    } catch (error) {
      this.#refuse(this.#context(unmatched, arrival), error)
    }
  }

  #upgrade(arrival: Arrival, head: Buffer): void {
    try {
      const match = this.compiled.matcher.find(readTarget(arrival.request.url ?? '/').path, pickUpgrade)
      if (match === undefined) {
        if (arrival.next !== undefined) return leave(arrival.response, arrival.next)
        throw notFound('no WebSocket here')
      }
      const { endpoint, params } = match
      const context = this.#context(endpoint.route, arrival, params)
      if (endpoint.kind === 'websocket') endpoint.serveUpgrade(context, head)
      else endpoint.serve(context)
    } catch (error) {
      this.#refuse(this.#context(unmatched, arrival), error)
    }
  }

  #context(route: Route, { request, response, upgradeHead }: Arrival, params: Params = {}): RequestContext {
    const target = readTarget(request.url ?? '/')
    const context = new RequestContext(route, request, response, params, target, this.options.bodyLimit)
    context.upgradeHead = upgradeHead
    context.cookieKeys = this.options.cookieKeys
    return context
  }

  /** No route takes the request: why not, and what would (RFC 9110 §9.3.7, §15.5.5, §15.5.6). */
  #miss(context: RequestContext, { request, next }: Arrival): void {
    const { method } = context
    const { path, queryString } = readTarget(request.url ?? '/')
    const tell = (status: number, headers: ReplyOptions['headers'] = {}) =>
      this.serving.reply(context, reply(undefined, { status, headers }))
    const elsewhere = this.#redirected({ path, queryString }, method)
    if (elsewhere !== undefined) return tell(308, { Location: elsewhere })
    if (next !== undefined) return next()
    if (path === '*' && method === 'OPTIONS') return tell(204)
    const leaves = path === '*' ? [] : this.compiled.matcher.leaves(path)
    const allowed = methodsOf(leaves)
    if (allowed.length === 0) return this.#refuse(context, notFound())
    if (method === 'OPTIONS') return tell(204, { Allow: allowed.join(', ') })
    const isWebSocket = method === 'GET' && leaves.some(leaf => leaf.websocket !== undefined)
    this.#refuse(context, isWebSocket ? upgradeRequired() : methodNotAllowed(allowed))
  }

  /** The same path with or without its closing slash, where that has a route and the policy is to send peers there. */
  #redirected({ path, queryString }: RequestTarget, method: string): string | undefined {
    if (this.options.closingSlash !== 'redirect') return undefined
    const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`
    if (
      other === '' ||
      other.startsWith('//') ||
      this.compiled.matcher.find(other, pickFor(method, undefined)) === undefined
    )
      return undefined
    return queryString === '' ? other : `${other}?${queryString}`
  }

  /** An error outside of all routes, which only the application's own error mappers see. */
  #refuse(context: RequestContext, error: unknown): void {
    this.serving.refuse(context, this.#map(error, context))
  }
}

/** Whether those on the way may have read another `Host` than we do (RFC 9112 §3.2). */
function hasManyHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1
}

function manyHosts(): Error {
  return badRequest('the request has more than one Host', { headers: { Connection: 'close' } })
}

/** The route of a leaf for a request: the method's own, HEAD by GET, a stream where the peer asks for one, or `@All`. */
function pickFor(method: string, accept: string | undefined, response?: ServerResponse): Pick {
  return leaf => {
    const asGet = method === 'HEAD' ? 'GET' : method
    const http = leaf.http.get(method) ?? leaf.http.get(asGet)
    const sse = leaf.sse.size === 0 ? undefined : leaf.sse.get(asGet)
    if (http === undefined || sse === undefined) return http ?? sse ?? leaf.http.get('*')
    if (response !== undefined) addVary(response, 'Accept')
    return asksFor(accept, 'text/event-stream') ? sse : http
  }
}

const pickUpgrade: Pick = leaf => {
  if (leaf.websocket !== undefined) return leaf.websocket
  const get = leaf.http.get('GET')
  return get?.endpoint.kind === 'http' && get.endpoint.mayUpgrade ? get : undefined
}

function methodsOf(leaves: readonly Leaf<Served>[]): string[] {
  const methods = new Set<string>()
  for (const leaf of leaves) {
    for (const method of [...leaf.http.keys(), ...leaf.sse.keys()]) methods.add(method)
    if (leaf.websocket !== undefined) methods.add('GET')
  }
  if (methods.size === 0) return []
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods.add('OPTIONS')].sort()
}

/** Writes to the socket of an upgrade request, which Node's server has let go: nobody else tells it of `drain`. */
class RawResponse extends ServerResponse {
  readonly #drained = () => void this.emit('drain')

  override assignSocket(socket: Socket): void {
    super.assignSocket(socket)
    socket.on('drain', this.#drained)
  }

  override detachSocket(socket: Socket): void {
    socket.off('drain', this.#drained)
    super.detachSocket(socket)
  }
}

/** Gives the socket back as it came, for the application that this one is mounted in. */
function leave(response: ServerResponse, next: Next): void {
  if (response.socket !== null) response.detachSocket(response.socket as Socket)
  next()
}
