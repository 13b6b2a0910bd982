import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../connections/connection.js'
import { drainConnections } from '../connections/drain.js'
import type { LiveConnections } from '../connections/live.js'
import type { Listeners } from './listeners.js'

/** How an application stops. */
export interface LeaveOptions {
  /** Milliseconds until what is left is cut, from when the listeners close. @default 10_000 */
  readonly deadline: number
  /** Milliseconds in which balancers hear that they should turn away, and all goes on, before the listeners close. @default 0 */
  readonly drainDelay: number
  /** Whether another process has taken over at the same address, so that balancers need not turn away. @default false */
  readonly replaced?: boolean
}

/** Ends what an application has with its peers: balancers turn away, the listeners close, the connections are drained. */
export async function leave(
  live: LiveConnections<Connection>,
  listeners: Listeners,
  { deadline, drainDelay, replaced = false }: LeaveOptions,
): Promise<void> {
  live.replaced = replaced
  live.leaving = true
  listeners.leave()
  if (drainDelay > 0) await sleep(drainDelay)
  live.draining = true
  const stopped = listeners.close()
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), deadline)
  const forced = new Promise<void>(resolve => late.signal.addEventListener('abort', () => resolve(), { once: true }))
  await drainConnections(live, deadline, late.signal)
  await Promise.race([Promise.all([stopped, live.emptied()]), forced])
  clearTimeout(timer)
  await listeners.destroy()
  await stopped
}
