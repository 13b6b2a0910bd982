/** The peers of the chaos tests, in a process of their own. */
import { Attendance, reportPresence } from './presence-peers.js'
import { type PeerOptions, type WirePeer, WireSocket, WireStream } from './wire-peers.js'

/** What it is told: who to be; that a share of the peers leaves, or comes back; to say who is present; when it is over; that it may go. */
export type Order =
  | { readonly port: number; readonly count: number; readonly slow: number; readonly users: boolean }
  | { readonly shuffle: number }
  | 'presence'
  | { readonly last: number; readonly patience: number }
  | 'leave'

export interface Report {
  readonly counts: PeerOptions['counts']
  /** Sequences that were seen, and by whom: one, where all is well. */
  readonly sequences: readonly { readonly seen: readonly number[]; readonly peers: readonly string[] }[]
  /** Those that have not seen the last. */
  readonly behind: readonly string[]
  readonly wrong: readonly string[]
}

const counts = { connects: 0, cuts: 0, silences: 0, goodbyes: 0, bytes: 0 }
let peers: WirePeer[] = []
let watching: NodeJS.Timeout | undefined

async function until(condition: () => boolean, patience: number): Promise<void> {
  const deadline = performance.now() + patience
  while (!condition() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 50))
}

async function begin({ port, count, slow, users }: Extract<Order, { port: number }>): Promise<void> {
  peers = Array.from({ length: count }, (_, n) => {
    const isSlow = n < slow
    const kind = n % 2 === 0 ? 'stream' : 'socket'
    const options = {
      name: `${isSlow ? 'slow ' : ''}${kind} ${n}`,
      port,
      room: isSlow ? 'bulk' : 'all',
      slow: isSlow,
      counts,
      attendance: users ? new Attendance(n, count) : undefined,
    }
    return kind === 'stream' ? new WireStream(options) : new WireSocket(options)
  })
  for (const peer of peers) peer.connect()
  await until(() => peers.every(peer => peer.lastId !== ''), 30_000)
  watching = setInterval(() => {
    for (const peer of peers) peer.watch()
  }, 250)
  process.send?.('ready')
}

async function finish(last: number, patience: number): Promise<void> {
  for (const peer of peers) {
    peer.comeBack()
    peer.hurry()
  }
  const isBehind = (peer: WirePeer) => peer.seen.at(-1) !== last
  await until(() => !peers.some(isBehind), patience)
  clearInterval(watching)
  const bySequence = new Map<string, WirePeer[]>()
  for (const peer of peers) {
    const key = peer.seen.join()
    bySequence.set(key, [...(bySequence.get(key) ?? []), peer])
  }
  const sequences = [...bySequence.values()].map(same => ({
    seen: same[0]?.seen ?? [],
    peers: same.map(({ options }) => options.name),
  }))
  const behind = peers.filter(isBehind).map(({ options, seen }) => `${options.name} at ${seen.at(-1)}`)
  const report: Report = {
    counts,
    sequences,
    behind,
    wrong: peers.flatMap(({ wrong }) => wrong).slice(0, 20),
  }
  process.send?.(report)
}

process.on('message', (order: Order) => {
  if (order === 'leave') {
    for (const peer of peers) peer.end()
    process.disconnect()
  } else if (order === 'presence') process.send?.(reportPresence(peers))
  else if ('shuffle' in order) {
    for (const peer of peers) if (Math.random() < order.shuffle) peer.resting ? peer.comeBack() : peer.stayAway()
    process.send?.('shuffled')
  } else if ('last' in order) void finish(order.last, order.patience)
  else void begin(order)
})
process.on('disconnect', () => process.exit(0))
