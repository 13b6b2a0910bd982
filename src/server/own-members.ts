import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable, Stream } from 'node:stream'

/**
 * Express puts prototypes of its own, of HTTP/1.1, in the place of those of a request and its response. What makes them
 * speak HTTP/2 is made their own before, so that it stays where it is.
 */
export function keepMembers(request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMajor !== 2 || kept.has(request)) return
  kept.add(request)
  keep(request, Readable.prototype)
  keep(response, Stream.prototype)
  // Neither is there in HTTP/2: one destroys as any stream does, the other is read-only, and Express writes it.
  Object.defineProperty(request, '_destroy', { value: Readable.prototype._destroy })
  Object.defineProperty(response, 'req', { value: request, writable: true })
}

const kept = new WeakSet<IncomingMessage>()

/** All that its prototypes have, up to one that stays below it. */
function keep(instance: object, until: object): void {
  let at: object | null = Object.getPrototypeOf(instance)
  for (; at !== null && at !== until; at = Object.getPrototypeOf(at)) {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(at) as PropertyDescriptorMap
    for (const name of Reflect.ownKeys(members))
      if (!Object.hasOwn(instance, name))
        Object.defineProperty(instance, name, { ...members[name as string], configurable: true })
  }
}

/** Whether something is an Express application, or of its kind: it has prototypes for what it handles. */
export function replacesPrototypes(handler: unknown): boolean {
  if (typeof handler !== 'function') return false
  const { request, response } = handler as { request?: unknown; response?: unknown }
  return typeof request === 'object' && typeof response === 'object' && 'handle' in handler
}
