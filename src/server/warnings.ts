import type { SseOptions } from '../declare/routes.js'
import type { Route } from '../routing/table.js'

/** Milliseconds of silence after which most proxies cut a stream. */
const PROXY_PATIENCE = 60_000

/** What works, but not for long. */
export function warningsOf(routes: readonly Route[]): string[] {
  return routes.flatMap(({ kind, name, options }) => {
    const { keepAlive = 1 } = options as SseOptions
    if (kind !== 'sse' || (keepAlive > 0 && keepAlive < PROXY_PATIENCE)) return []
    if (keepAlive > 0)
      return `${name}: keepAlive is ${keepAlive}, and most proxies cut a stream after ${PROXY_PATIENCE} ms of silence`
    return `${name}: keepAlive is off, so proxies will cut the stream when it is silent, and a lost peer is not noticed`
  })
}
