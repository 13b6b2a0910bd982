/** The options that each decorator knows: what else is written there is a slip, and found at boot. */

import type { Mark } from './metadata.js'
import type { InjectableOptions, ModuleOptions } from './module.js'
import type { RegistryOptions } from './registry.js'
import type { HttpOptions, OnOptions, SseOptions, WebSocketOptions } from './routes.js'

/** All keys of an options type: forgetting one does not compile. */
type Keys<T> = Readonly<Record<keyof Required<T>, true>>

const connection = { sendLimit: true, overflow: true, keepHeaders: true } as const
const http: Keys<HttpOptions> = { output: true, upgrade: true }
const on: Keys<OnOptions> = { output: true }
const sse: Keys<SseOptions> = {
  ...connection,
  method: true,
  keepAlive: true,
  retry: true,
  idleTimeout: true,
  output: true,
}
const websocket: Keys<WebSocketOptions> = {
  ...connection,
  protocols: true,
  origins: true,
  maxPayload: true,
  perMessageDeflate: true,
  heartbeat: true,
  idleTimeout: true,
}
const module: Keys<ModuleOptions> = { imports: true, controllers: true, providers: true, prefix: true }
const registry: Keys<RegistryOptions> = { history: true }
const injectable: Keys<InjectableOptions> = { scope: true }

const known: Readonly<Record<Mark['as'], object>> = {
  http,
  on,
  sse,
  websocket,
  module,
  registry,
  injectable,
  controller: {},
}

/** Options of a decorator that it does not know. */
export function unknownOptions(where: string, mark: Mark): string[] {
  return unknownKeys(`${where}: ${mark.written}`, mark.options, Object.keys(known[mark.as]))
}

export function unknownKeys(where: string, options: object, names: readonly string[]): string[] {
  return Object.keys(options)
    .filter(key => !names.includes(key))
    .map(key => {
      const meant = nearest(key, names)
      return `${where} has no option ${key}${meant === undefined ? `: it knows ${names.join(', ')}` : `: did you mean ${meant}?`}`
    })
}

/** The name that is at most a third of its letters away. */
function nearest(key: string, names: readonly string[]): string | undefined {
  const distances = names.map(name => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
  const [best] = distances.sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= Math.max(2, best.name.length / 3) ? best.name : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
