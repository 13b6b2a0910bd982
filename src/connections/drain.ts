import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './connection.js'
import type { LiveConnections } from './live.js'
import { inSlices } from './slice.js'

/** Milliseconds over which many connections are ended, so that their peers do not all come back in one moment. */
const SPREAD = 2000
/** Connections that are ended at once. */
const BATCH = 100

/** Ends every live connection, in batches at uneven intervals. Stops waiting when `signal` aborts. */
export async function drainConnections(
  live: LiveConnections<Connection>,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  const connections = [...live]
  const size = Math.max(BATCH, Math.ceil(connections.length / 20))
  const pause = Math.min(SPREAD, deadline / 3) / Math.max(1, Math.ceil(connections.length / size) - 1)
  for (let at = 0; at < connections.length; at += size) {
    if (at > 0) await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
    await inSlices(connections.slice(at, at + size), connection => connection.end({ kind: 'drain' }))
  }
}
