import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { HttpError } from '../errors.js'
import type { Sight } from '../pipeline/front.js'
import { readTarget } from '../pipeline/request-context.js'
import { keepMembers, replacesPrototypes } from './own-members.js'

/** Connect's shape of middleware: what `helmet()`, `cors()`, `session()` and their kind are. */
export type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown

/** An exchange on its way through middleware. */
interface Passing {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly upgradeHead?: Buffer
}

/** On upgrade requests `mount` is told what came right behind the head, too. */
type StepMiddleware = (...args: [...Parameters<Middleware>, head?: Buffer]) => unknown

/** Runs middleware one after another; `done` when all have passed the exchange on, or one has failed; `late` hears of one that fails when it has passed it on already. */
export function runMiddleware(
  use: readonly StepMiddleware[],
  { request, response, upgradeHead }: Passing,
  done: (error?: unknown) => void,
  late: (error: unknown) => void,
): void {
  const step = (index: number): void => {
    const middleware = use[index]
    if (middleware === undefined) return done()
    let passed = false
    const fail = (error: unknown) => {
      if (passed) return late(error)
      passed = true
      done(readFailure(error))
    }
    const next = (error?: unknown) => {
      if (error !== undefined && error !== null) return fail(error)
      if (passed) return
      passed = true
      step(index + 1)
    }
    try {
      if (replacesPrototypes(middleware)) keepMembers(request, response)
      const result = middleware(request, response, next, upgradeHead)
      if (result instanceof Promise) result.catch(fail)
    } catch (error) {
      fail(error)
    }
  }
  step(0)
}

/** What middleware that was written for Express reads of a request. */
interface Lent {
  ip?: string | undefined
  protocol?: string
  secure?: boolean
}

/** Lends a request what Express would give it, unless it comes from there: whose it is, past the trusted proxies. */
export function lend(request: IncomingMessage & Lent, { remoteAddress, protocol }: Sight): void {
  if ('ip' in request) return
  request.ip = remoteAddress
  request.protocol = protocol
  request.secure = protocol === 'https'
}

/** Takes it back, for an application that has its own; answers how to lend it again. */
function takeBack(request: IncomingMessage & Lent): () => void {
  if (!Object.hasOwn(request, 'ip')) return () => {}
  const { ip, protocol, secure } = request
  delete request.ip
  delete request.protocol
  delete request.secure
  return () => void Object.assign(request, { ip, protocol, secure })
}

/** An error with a 4xx `status` that it means to `expose` speaks to the peer: the convention of `http-errors`. */
function readFailure(error: unknown): unknown {
  if (error === undefined || error === null) return new Error(`middleware failed with ${error}`)
  const { status, expose, message } = error as { status?: unknown; expose?: unknown; message?: unknown }
  const isMeant = expose === true && typeof status === 'number' && status >= 400 && status < 500
  return isMeant && !(error instanceof HttpError) ? new HttpError(status, String(message)) : error
}

/** What `mount` is told. */
export interface MountOptions {
  /**
   * Takes the upgrade requests under the path, as a listener of `upgrade` does: for the WebSockets of the other application.
   * Over HTTP/2 there is no such request: those are 505.
   * @default they are requests to it, like any other
   */
  readonly upgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => void
}

/**
 * Another application under a path of this one: an Express application, or any `(request, response)` handler. It sees
 * the path without the mount's, as Express does, and what it passes on goes to this application's routes, as it came.
 */
export function mount(path: string, handler: Middleware, { upgrade }: MountOptions = {}): Middleware {
  const root = path.endsWith('/') ? path.slice(0, -1) : path
  const mounted: StepMiddleware = (request: IncomingMessage & { originalUrl?: string }, response, next, head) => {
    const url = request.url ?? '/'
    const { path: asked, queryString } = readTarget(url)
    if (!asked.startsWith(root) || !['', '/'].includes(asked.charAt(root.length))) return next()
    if (head !== undefined && upgrade !== undefined && request.httpVersionMajor === 2) return next(notSpoken(path))
    const rest = `${asked.slice(root.length)}${queryString === '' ? '' : `?${queryString}`}`
    const prototypes = [Object.getPrototypeOf(request), Object.getPrototypeOf(response)]
    request.originalUrl ??= url
    request.url = rest.startsWith('/') ? rest : `/${rest}`
    const lendAgain = takeBack(request)
    if (head !== undefined && upgrade !== undefined) {
      response.detachSocket(request.socket)
      return upgrade(request, request.socket, head)
    }
    if (replacesPrototypes(handler)) keepMembers(request, response)
    return handler(request, response, error => {
      request.url = url
      Object.setPrototypeOf(request, prototypes[0])
      Object.setPrototypeOf(response, prototypes[1])
      lendAgain()
      next(error)
    })
  }
  return mounted
}

/** RFC 9110 §15.6.6. */
function notSpoken(path: string): HttpError {
  const cause = new Error(
    `mount('${path}'): its upgrade takes WebSockets of HTTP/1.1 alone: serve it on a listener without http2, or make them socket classes`,
  )
  return new HttpError(505, 'the WebSockets here are spoken over HTTP/1.1', { cause })
}
