/** What is read of every exchange before its route is looked for: by whom, from where, for which host and version. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { badRequest } from '../errors.js'
import { readsVersion, type Versioning } from '../routing/versioning.js'
import { keepContexts } from './current.js'
import { Front } from './front.js'
import { addVary } from './negotiate.js'
import { type ProxyFields, seesPast, type TrustProxy } from './proxy.js'
import { type RequestIdOptions, requestIds } from './request-id.js'

export interface ArrivalOptions {
  /**
   * The proxies that are believed: `true` for all that connect, a number of hops, or addresses (IP addresses, CIDR ranges,
   * `loopback`, `linklocal`, `uniquelocal`), or a function that decides of each. What they forward is the peer's address,
   * protocol and host; a forwarded field that cannot be read is 400. A Unix socket counts as `loopback`.
   * @default false
   */
  readonly trustProxy?: TrustProxy
  /**
   * The fields that the trusted proxies write, and strip of what peers wrote there: `X-Forwarded-For`, `-Proto` and
   * `-Host`, or `Forwarded` (RFC 7239). The other family is never read. @default 'x-forwarded'
   */
  readonly proxyFields?: ProxyFields
  /** How requests say which version of a route they mean. @default { by: 'path', prefix: 'v' } */
  readonly versioning?: Versioning
  /** Whether each exchange has an id: `context.id`, in the reply's `X-Request-Id`, and in the log. @default false */
  readonly requestId?: boolean | RequestIdOptions
  /** Whether `currentContext()` finds the context of what runs. It costs, more so before Node.js 24. @default false */
  readonly asyncContext?: boolean
}

export interface Arrivals {
  /** Reads an exchange; a `problem` is why it goes no further. Never throws. */
  readonly receive: (request: IncomingMessage, response: ServerResponse) => Front
  readonly asyncContext: boolean
}

export function compileArrivals(options: ArrivalOptions): Arrivals {
  const { asyncContext = false, requestId, trustProxy, proxyFields, versioning } = options
  if (asyncContext) keepContexts()
  const versions = readsVersion(versioning)
  const seePast = seesPast(trustProxy, proxyFields)
  const ids = requestIds(requestId)
  return {
    asyncContext,
    receive(request, response) {
      const front = new Front(request, versions)
      try {
        if (versions !== undefined) addVary(response, versions.field)
        front.told = seePast?.(request)
      } catch (error) {
        front.problem = error as Error
      }
      try {
        if (ids !== undefined) {
          front.id = ids.read(request, seePast !== undefined && front.told !== undefined)
          response.setHeader(ids.header, front.id)
        }
      } catch (error) {
        front.problem ??= error as Error
      }
      if (hasManyHosts(request)) front.problem = manyHosts()
      return front
    },
  }
}

/** Whether those on the way may have read another `Host` than we do (RFC 9112 §3.2, RFC 9113 §8.3.1). */
function hasManyHosts({ rawHeaders }: IncomingMessage): boolean {
  let authority: string | undefined
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name === ':authority') authority = rawHeaders[at + 1]
    else if (name?.length === 4 && name.toLowerCase() === 'host') {
      if (++hosts > 1 || (authority ?? rawHeaders[at + 1]) !== rawHeaders[at + 1]) return true
    }
  }
  return false
}

function manyHosts(): Error {
  return badRequest('the request has more than one Host', { headers: { Connection: 'close' } })
}
