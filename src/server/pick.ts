/** Of the routes that stand under one path, the one that a request is for. */
import { asksFor } from '../pipeline/negotiate.js'
import type { Leaf, Target } from '../routing/matcher.js'
import type { Served } from './compile.js'

export type Pick = (leaf: Leaf<Served>) => Target<Served> | undefined

/**
 * The route of a leaf for a request: the method's own, HEAD by GET, a stream where the peer asks for one, or `@All`.
 * `negotiated` hears that `Accept` decided, which caches have to know (RFC 9110 §12.5.5).
 */
export function pickFor(method: string, accept: string | undefined, negotiated: () => void = () => {}): Pick {
  return leaf => {
    const asGet = method === 'HEAD' ? 'GET' : method
    const http = leaf.http.get(method) ?? leaf.http.get(asGet)
    const sse = leaf.sse.size === 0 ? undefined : leaf.sse.get(asGet)
    if (http !== undefined && sse !== undefined) {
      negotiated()
      return asksFor(accept, 'text/event-stream') ? sse : http
    }
    return http ?? sse ?? leaf.http.get('*')
  }
}

export const pickUpgrade: Pick = leaf => {
  if (leaf.websocket !== undefined) return leaf.websocket
  const get = leaf.http.get('GET')
  return get?.endpoint.kind === 'http' && get.endpoint.mayUpgrade ? get : undefined
}

export const pickAny: Pick = ({ http, sse, websocket }) => [...http.values(), ...sse.values()][0] ?? websocket

/**
 * The methods that a path answers to (RFC 9110 §10.2.1).
 * @param getOffered whether middleware answers GET there
 */
export function methodsOf(leaves: readonly Leaf<Served>[], getOffered: boolean): string[] {
  if (leaves.length === 0 && !getOffered) return []
  const methods = new Set<string>(getOffered ? ['GET'] : [])
  for (const leaf of leaves) {
    for (const method of [...leaf.http.keys(), ...leaf.sse.keys()]) methods.add(method)
    if (leaf.websocket !== undefined) methods.add('GET')
  }
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods.add('OPTIONS')].sort()
}
