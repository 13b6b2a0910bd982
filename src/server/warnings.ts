import type { SseOptions } from '../declare/routes.js'
import { callbacks, type Route } from '../routing/table.js'

/** Milliseconds of silence after which most proxies cut a stream. */
const PROXY_PATIENCE = 60_000

/** What handlers of connections are called elsewhere, and here. */
const MEANT: Readonly<Record<string, string>> = {
  ...{ onOpen: 'open', onConnect: 'open', handleConnection: 'open', opened: 'open' },
  ...{ onMessage: 'message', handleMessage: 'message' },
  ...{ onClose: 'close', onDisconnect: 'close', handleDisconnect: 'close', closed: 'close' },
}

/** What works, but not for long, and what is never called. */
export function warningsOf(routes: readonly Route[]): string[] {
  return routes.filter(({ kind }) => kind !== 'http').flatMap(route => [...silences(route), ...misnamed(route)])
}

function silences({ kind, name, options }: Route): string[] {
  const { keepAlive = 1 } = options as SseOptions
  if (kind !== 'sse' || (keepAlive > 0 && keepAlive < PROXY_PATIENCE)) return []
  if (keepAlive > 0)
    return [`${name}: keepAlive is ${keepAlive}, and most proxies cut a stream after ${PROXY_PATIENCE} ms of silence`]
  return [`${name}: keepAlive is off, so proxies will cut the stream when it is silent, and a lost peer is not noticed`]
}

/** Methods of an event source or a socket class that look like handlers, where the handler that is meant is not there. */
function misnamed({ kind, name, owner, member, messages }: Route): string[] {
  if (kind === 'http' || member !== undefined) return []
  const { prototype } = owner
  const called: readonly string[] = callbacks[kind]
  const wrong = Object.entries(MEANT).filter(
    ([method, meant]) =>
      isMethod(prototype, method) &&
      called.includes(meant) &&
      !(meant in prototype) &&
      !messages.some(message => message.member === method),
  )
  const named = wrong.map(([method, meant]) => `${name}.${method} is never called: the handler is named ${meant}`)
  if (kind === 'websocket' || !isMethod(prototype, 'message')) return named
  return [
    ...named,
    `${name}.message is never called: peers of an event stream say nothing, and what is inside says comes to info`,
  ]
}

/** A getter is no method, and is not asked. */
function isMethod(prototype: object | null, name: string): boolean {
  if (prototype === null) return false
  const own = Object.getOwnPropertyDescriptor(prototype, name)
  return own === undefined ? isMethod(Object.getPrototypeOf(prototype), name) : typeof own.value === 'function'
}
