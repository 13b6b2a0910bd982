import { isShared, type Lane, wasLeft } from './lane.js'
import { hearClose, unhearClose } from './lane-close.js'
import { lighten } from './lighten.js'

/** Who is told that a lane's peer has left. */
export interface Watcher {
  left(): void
}

const NOBODY: readonly Watcher[] = []
/** Stands for how much came behind a stream, where the lane is no stream's. */
const FREE = -1

const watchers = Symbol('watchers')
const ignored = Symbol('ignored')

/**
 * What is known of a lane that is watched, on the lane itself, and its listeners are the same functions for all lanes:
 * an idle stream costs no object and no closure for it (`idle`).
 */
type WatchedLane = Lane & {
  /** Nearly always one. */
  [watchers]?: Watcher | readonly Watcher[] | undefined
  /** Requests that came behind the stream that occupies it; bytes, where these are not read as requests any more. */
  [ignored]?: number
}

/** Who fails is destroyed by Node.js, and closes; with nobody to hear of it the process would end. */
function onError(): void {}

function onLeft(this: WatchedLane): void {
  for (const watcher of [this[watchers] ?? NOBODY].flat()) watcher.left()
}

/** Watches a lane; it begins with the first call. */
export function watchLane(lane: WatchedLane): void {
  if (lane[watchers] !== undefined) return
  lane[watchers] = NOBODY
  lane.on('error', onError)
  listenForEnd(lane)
}

/** The lane is somebody else's from now on, who listens to it. */
export function unwatch(lane: WatchedLane): void {
  unhearClose(lane, onLeft)
  lane.off('error', onError).off('end', onLeft)
  lane[watchers] = undefined
}

function listenForEnd(lane: Lane): void {
  hearClose(lane, onLeft)
  // A request on HTTP/2 has its own end, while a FIN is that of everything on its socket.
  if (!isShared(lane)) lane.on('end', onLeft)
}

/** Tells when the peer has left: after its FIN, or the close. */
export function addWatcher(lane: WatchedLane, watcher: Watcher): void {
  watchLane(lane)
  const known = lane[watchers] ?? NOBODY
  lane[watchers] = known === NOBODY ? watcher : [known, watcher].flat()
}

export function deleteWatcher(lane: WatchedLane, watcher: Watcher): void {
  const known = lane[watchers] ?? NOBODY
  lane[watchers] = known === watcher ? NOBODY : [known].flat().filter(each => each !== watcher)
}

/** Whether the peer was lost (a reset, a failed write), in place of having closed. */
export function hasVanished(lane: Lane): boolean {
  return lane.errored !== null || !wasLeft(lane)
}

/** The lane belongs to a stream from now on: no timer for idle sockets cuts it, and nothing behind it is answered. */
export function occupy(lane: WatchedLane): void {
  lane[ignored] = 0
  lane.setTimeout(0)
}

/** The stream is over, and its connection is kept. `false` where something came behind the stream that is not answered. */
export function release(lane: WatchedLane): boolean {
  const isClean = lane[ignored] === 0
  lane[ignored] = FREE
  return isClean
}

/** Requests behind a stream that are read over. Node keeps each until the socket closes, so there is an end to it. */
const IGNORED = 16

/** Whether the socket belongs to a stream, so that what was asked for behind it is not answered (RFC 9112 §9.6). */
export function isOccupied(lane: WatchedLane): boolean {
  const count = lane[ignored] ?? FREE
  if (count === FREE) return false
  lane[ignored] = count + 1
  if (count === IGNORED) lane.destroy()
  return true
}

/** Bytes behind a stream that are read over where no parser reads them any more. */
const READ_OVER = 4096

/** Reads over what comes behind a stream, as long as that may be a request, and not too long. */
export function readOver(lane: WatchedLane): void {
  // A list that Node's own listeners were in keeps their room: twice 150 bytes.
  unhearClose(lane, onLeft)
  lane.off('end', onLeft)
  lighten(lane)
  listenForEnd(lane)
  lane[ignored] = 0
  lane.on('data', onData).resume()
}

function onData(this: WatchedLane, chunk: Buffer): void {
  const count = (this[ignored] ?? 0) + chunk.length
  this[ignored] = count
  if (count > READ_OVER || !MAY_BE_ASKED.test(chunk.toString('latin1', 0, 1))) this.destroy()
}

/** What a request, or a part of one, has in it (RFC 9112 §2.2, RFC 9110 §5.5). */
const MAY_BE_ASKED = /[\t\r\n\x20-\x7e\x80-\xff]/
