import type { IncomingMessage, ServerResponse } from 'node:http'

/** Connect's shape of middleware: what `helmet()`, `cors()`, `session()` and their kind are. */
export type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown

/** Runs middleware one after another; `done` when all have passed the exchange on, or one has failed. */
export function runMiddleware(
  use: readonly Middleware[],
  request: IncomingMessage,
  response: ServerResponse,
  done: (error?: unknown) => void,
): void {
  const step = (index: number, error?: unknown): void => {
    const middleware = use[index]
    if (error !== undefined && error !== null) return done(error)
    if (middleware === undefined) return done()
    let passed = false
    const next = (failure?: unknown) => {
      if (passed) return
      passed = true
      step(index + 1, failure)
    }
    try {
      const result = middleware(request, response, next)
      if (result instanceof Promise) result.catch(next)
    } catch (failure) {
      next(failure ?? new Error('middleware threw nothing'))
    }
  }
  step(0)
}

/**
 * Another application under a path of this one: an Express application, or any `(request, response)` handler. It sees
 * the path without the mount's, as Express does, and what it passes on goes to this application's routes.
 */
export function mount(path: string, handler: Middleware): Middleware {
  const root = path.endsWith('/') ? path.slice(0, -1) : path
  return (request, response, next) => {
    const url = request.url ?? '/'
    if (!url.startsWith(root) || !['', '/', '?'].includes(url.charAt(root.length))) return next()
    const rest = url.slice(root.length)
    request.url = rest.startsWith('/') ? rest : `/${rest}`
    return handler(request, response, error => {
      request.url = url
      next(error)
    })
  }
}
