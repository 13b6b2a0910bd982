import { isShared, type Lane, wasLeft } from './lane.js'

/** Who is told that a lane's peer has left. */
export interface Watcher {
  left(): void
}

const NOBODY: readonly Watcher[] = []
const watches = new WeakMap<Lane, LaneWatch>()

/**
 * What happens to a lane, told to the streams it carries. Its listeners are the same functions for all lanes, however
 * many those are: an idle stream costs no closure.
 */
class LaneWatch {
  /** Whether a stream's head is out, so that all else on this socket is over. */
  occupied = false
  failed = false
  /** Requests that came behind the stream; bytes, where these are not read as requests any more. */
  ignored = 0
  /** Nearly always one. */
  watchers: Watcher | readonly Watcher[] = NOBODY

  /** Tells when the peer has left: after its FIN, or the close. */
  add(watcher: Watcher): void {
    this.watchers = this.watchers === NOBODY ? watcher : [this.watchers, watcher].flat()
  }

  delete(watcher: Watcher): void {
    this.watchers = this.watchers === watcher ? NOBODY : [this.watchers].flat().filter(each => each !== watcher)
  }

  tell(): void {
    for (const watcher of [this.watchers].flat()) watcher.left()
  }
}

function onError(this: Lane): void {
  watchLane(this).failed = true
}

function onLeft(this: Lane): void {
  watchLane(this).tell()
}

/** The watch of a lane; it begins with the first call. */
export function watchLane(lane: Lane): LaneWatch {
  const known = watches.get(lane)
  if (known !== undefined) return known
  const watch = new LaneWatch()
  watches.set(lane, watch)
  lane.on('error', onError)
  listenForEnd(lane)
  return watch
}

/** The lane is somebody else's from now on, who listens to it. */
export function unwatch(lane: Lane): void {
  lane.off('error', onError).off('close', onLeft).off('end', onLeft)
  watches.delete(lane)
}

function listenForEnd(lane: Lane): void {
  lane.on('close', onLeft)
  // A request on HTTP/2 has its own end, while a FIN is that of everything on its socket.
  if (!isShared(lane)) lane.on('end', onLeft)
}

/** Whether the peer was lost (a reset, a failed write), in place of having closed. */
export function hasVanished(lane: Lane): boolean {
  return watchLane(lane).failed || !wasLeft(lane)
}

/** The lane belongs to a stream from now on: no timer for idle sockets cuts it, and nothing behind it is answered. */
export function occupy(lane: Lane): void {
  watchLane(lane).occupied = true
  lane.setTimeout(0)
}

/** The stream is over, and its connection is kept. `false` where something came behind the stream that is not answered. */
export function release(lane: Lane): boolean {
  const watch = watchLane(lane)
  watch.occupied = false
  return watch.ignored === 0
}

/** Requests behind a stream that are read over. Node keeps each until the socket closes, so there is an end to it. */
const IGNORED = 16

/** Whether the socket belongs to a stream, so that what was asked for behind it is not answered (RFC 9112 §9.6). */
export function isOccupied(lane: Lane): boolean {
  const watch = watches.get(lane)
  if (watch?.occupied !== true) return false
  if (++watch.ignored > IGNORED) lane.destroy()
  return true
}

/** Bytes behind a stream that are read over where no parser reads them any more. */
const READ_OVER = 4096

/** Reads over what comes behind a stream, as long as that may be a request, and not too long. */
export function readOver(lane: Lane): void {
  // A list that Node's own listeners were in keeps their room: twice 150 bytes.
  lane.off('close', onLeft).off('end', onLeft)
  listenForEnd(lane)
  watchLane(lane).ignored = 0
  lane.on('data', onData).resume()
}

function onData(this: Lane, chunk: Buffer): void {
  const watch = watchLane(this)
  watch.ignored += chunk.length
  if (watch.ignored > READ_OVER || !MAY_BE_ASKED.test(chunk.toString('latin1', 0, 1))) this.destroy()
}

/** What a request, or a part of one, has in it (RFC 9112 §2.2, RFC 9110 §5.5). */
const MAY_BE_ASKED = /[\t\r\n\x20-\x7e\x80-\xff]/
