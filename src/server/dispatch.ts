import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionServing } from '../connections/serving.js'
import { methodNotAllowed, notFound } from '../errors.js'
import { RequestContext, type RequestTarget, readTarget } from '../pipeline/context.js'
import { reply } from '../pipeline/reply.js'
import type { Leaf, Match, Target } from '../routing/matcher.js'
import { noSurroundings, type Route } from '../routing/table.js'
import { isOccupied, watchSocket } from '../sse/outlet.js'
import { asksForWebSocket, upgradeRequired } from '../websocket/upgrade.js'
import type { Compiled, Served } from './compile.js'
import { type Middleware, runMiddleware } from './middleware.js'

export interface DispatchOptions {
  readonly use: readonly Middleware[]
  readonly useOnUpgrade: readonly Middleware[]
  readonly closingSlash: 'ignore' | 'strict' | 'redirect'
  readonly bodyLimit: number
}

/** Passes an exchange on to whoever mounted this application. */
type Next = (error?: unknown) => void
type Pick = (leaf: Leaf<Served>) => Target<Served> | undefined

/** Stands for the route of an exchange that matched none. */
const unmatched: Route = Object.freeze({
  ...noSurroundings,
  kind: 'http',
  method: '*',
  pattern: undefined,
  prefix: '',
  name: 'no route',
  owner: Object,
  member: undefined,
  status: undefined,
  params: new Map(),
  messages: [],
  registries: [],
  options: {},
})

/** Finds the route of each exchange, and runs it. */
export class Dispatcher {
  constructor(
    private readonly compiled: Compiled,
    private readonly serving: ConnectionServing,
    private readonly options: DispatchOptions,
  ) {}

  handle(request: IncomingMessage, response: ServerResponse, next?: Next): void {
    if (isOccupied(request.socket)) return void request.resume()
    if (this.serving.live.draining) response.setHeader('Connection', 'close')
    const { use } = this.options
    if (use.length === 0) return this.#route(request, response, next)
    runMiddleware(use, request, response, error => {
      if (error === undefined) this.#route(request, response, next)
      else this.#refuse(request, response, error)
    })
  }

  /**
   * An upgrade request. Its answer, until the 101, is written by a `ServerResponse` on the raw socket, so that middleware,
   * guards and refusals are what they are for every request.
   */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, next?: Next): void {
    watchSocket(socket)
    if (isOccupied(socket)) return void socket.resume()
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    try {
      response.assignSocket(socket)
    } catch {
      // An upgrade behind a request that is not answered yet: Node has given up the connection already.
      return void socket.destroy()
    }
    response.once('finish', () => {
      socket.resume()
      socket.destroySoon()
    })
    const run = () => {
      if (asksForWebSocket(request)) this.#upgrade(request, response, head, next)
      else this.#route(request, response, next)
    }
    runMiddleware(this.options.useOnUpgrade, request, response, error => {
      if (error === undefined) run()
      else this.#refuse(request, response, error)
    })
  }

  #route(request: IncomingMessage, response: ServerResponse, next: Next | undefined): void {
    if (response.writableEnded) return
    const target = readTarget(request.url ?? '/')
    const method = request.method ?? 'GET'
    try {
      const match = this.compiled.matcher.find(target.path, pickFor(method, request.headers.accept))
      if (match === undefined) this.#miss(request, response, target, method, next)
      else this.#serve(match, this.#context(match, request, response, target))
    } catch (error) {
      this.#refuse(request, response, error)
    }
  }

  #serve({ endpoint }: Match<Served>, context: RequestContext): void {
    if (endpoint.kind !== 'websocket') endpoint.serve(context)
  }

  #upgrade(request: IncomingMessage, response: ServerResponse, head: Buffer, next: Next | undefined): void {
    const target = readTarget(request.url ?? '/')
    try {
      const match = this.compiled.matcher.find(target.path, pickUpgrade)
      if (match === undefined) {
        if (next !== undefined) return leave(response, next)
        throw notFound('no WebSocket here')
      }
      const context = this.#context(match, request, response, target)
      context.upgradeHead = head
      const { endpoint } = match
      if (endpoint.kind === 'websocket') endpoint.serveUpgrade(context, head)
      else endpoint.serve(context)
    } catch (error) {
      this.#refuse(request, response, error)
    }
  }

  #context(
    match: Match<Served>,
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
  ): RequestContext {
    return new RequestContext(match.endpoint.route, request, response, match.params, target, this.options.bodyLimit)
  }

  /** No route takes the request: why not, and what would (RFC 9110 §9.3.7, §15.5.5, §15.5.6). */
  #miss(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
    method: string,
    next: Next | undefined,
  ): void {
    const context = new RequestContext(unmatched, request, response, {}, target, this.options.bodyLimit)
    if (method === 'OPTIONS' && target.path === '*')
      return this.serving.reply(context, reply(undefined, { status: 204 }))
    const leaves = this.compiled.matcher.leaves(target.path)
    const allowed = methodsOf(leaves)
    if (allowed.length === 0) {
      const elsewhere = this.#redirected(target, method)
      if (elsewhere !== undefined)
        return this.serving.reply(context, reply(undefined, { status: 308, headers: { Location: elsewhere } }))
      return next === undefined ? this.serving.refuse(context, notFound()) : next()
    }
    const isWebSocket = leaves.some(leaf => leaf.websocket !== undefined)
    if (method === 'OPTIONS')
      return this.serving.reply(context, reply(undefined, { status: 204, headers: { Allow: allowed.join(', ') } }))
    this.serving.refuse(context, isWebSocket && method === 'GET' ? upgradeRequired() : methodNotAllowed(allowed))
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

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const target = readTarget(request.url ?? '/')
    this.serving.refuse(new RequestContext(unmatched, request, response, {}, target, this.options.bodyLimit), error)
  }
}

/** The route of a leaf for a request: the method's own, HEAD by GET, a stream where the peer asks for one, or `@All`. */
function pickFor(method: string, accept: string | undefined): Pick {
  return leaf => {
    const asGet = method === 'HEAD' ? 'GET' : method
    const http = leaf.http.get(method) ?? leaf.http.get(asGet)
    const sse = leaf.sse.size === 0 ? undefined : leaf.sse.get(asGet)
    if (http !== undefined && sse !== undefined) return accept?.toLowerCase().includes('text/event-stream') ? sse : http
    return http ?? sse ?? leaf.http.get('*')
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

/** Gives the socket back as it came, for the application that this one is mounted in. */
function leave(response: ServerResponse, next: Next): void {
  if (response.socket !== null) response.detachSocket(response.socket as Socket)
  next()
}
