/** Peers that stand for users, some of which watch who else is there. */
import assert from 'node:assert/strict'
import type { Presence } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { inOrder, WatchingPeer } from '../support/watching-peer.js'
import type { Cluster } from './cluster.js'
import type { Crowd } from './crowd.js'
import type { WirePeer } from './wire-peers.js'

/** Milliseconds between two heartbeats of a node, and for which a user whose connection was lost stays. */
export const HEARTBEAT = 1000
export const LINGER = 1000
/** Milliseconds that a busy machine may need besides. */
const ALLOWANCE = 10_000

/** What one peer says of itself when it comes, and what it makes of what it is told of the others. */
export class Attendance {
  readonly user: string
  readonly #watches: boolean
  #turn = 0
  /** Made anew with each connection; undefined where the peer does not watch. */
  view: WatchingPeer | undefined

  /** Half of the peers share a user with two others, which are most likely on other nodes. */
  constructor(
    private readonly n: number,
    count: number,
  ) {
    const shared = Math.floor(count / 2)
    this.user = n < shared ? `shared${n % Math.max(1, Math.floor(shared / 3))}` : `single${n}`
    this.#watches = n % 10 === 0
  }

  /** For the query of a connection that is made now. */
  next(): string {
    this.#turn++
    this.view = this.#watches ? new WatchingPeer() : undefined
    return [this.user, this.meta, this.#watches ? 'watches' : ''].join()
  }

  /** Another one for each connection: what is left of an older one shows. */
  get meta(): string {
    return `${this.n}.${this.#turn}`
  }
}

/** What the peers know of presence. */
export interface PresenceReport {
  /** All who want to be connected are. */
  readonly settled: boolean
  /** Who is there in truth. */
  readonly truth: readonly string[]
  /** Watchers that see something else. */
  readonly mistaken: readonly string[]
}

export function reportPresence(peers: readonly WirePeer[]): PresenceReport {
  const users = new Map<string, string[]>()
  const here = peers.filter(peer => peer.here)
  for (const { attendance } of here)
    if (attendance !== undefined) users.set(attendance.user, [...(users.get(attendance.user) ?? []), attendance.meta])
  const truth = inOrder([...users].map(([user, metas]) => ({ user, metas })))
  const whole = truth.join('\n')
  const mistaken = here
    .filter(({ attendance }) => attendance?.view !== undefined && attendance.view.known.join('\n') !== whole)
    .map(({ options, attendance }) => `${options.name}: ${difference(attendance?.view?.known ?? [], truth)}`)
  return { settled: peers.every(peer => peer.here || peer.resting), truth, mistaken }
}

function difference(seen: readonly string[], truth: readonly string[]): string {
  const extra = seen.filter(line => !truth.includes(line)).slice(0, 3)
  const missing = truth.filter(line => !seen.includes(line)).slice(0, 3)
  return `${seen.length} in place of ${truth.length}: sees ${extra.join(' | ')}; not ${missing.join(' | ')}`
}

/** Waits until the peers are connected, and then until all nodes and all who watch know who is there: in how many milliseconds. */
export async function presenceIsRight(cluster: Cluster, crowd: Crowd): Promise<number> {
  const ask = () => crowd.ask('presence') as Promise<PresenceReport>
  await eventually('all peers are connected', async () => (await ask()).settled, { timeout: 60_000 })
  const began = performance.now()
  const isRight = async () => {
    const [{ truth, mistaken }, nodes] = [await ask(), await cluster.presence()]
    for (const seen of nodes.map((present: readonly Presence[]) => inOrder(present)))
      assert.ok(seen.join('\n') === truth.join('\n'), `a node is mistaken: ${difference(seen, truth)}`)
    assert.deepEqual(mistaken, [])
    return true
  }
  await eventually('presence is right', isRight, { timeout: 2 * HEARTBEAT + LINGER + ALLOWANCE })
  return Math.round(performance.now() - began)
}
