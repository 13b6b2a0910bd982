/** The close of a lane, heard by one listener: a list of two costs each idle connection 64 bytes (`idle`). */
import type { Socket } from 'node:net'
import type { Lane } from './lane.js'

/** Who keeps account of lanes; it hears of a close before whoever uses them. */
export interface LaneKeeper {
  /** Where the peers are whose lanes it keeps; nothing where it does not know. */
  readonly address: string | undefined
  gone(lane: Lane): void
}

const keeper = Symbol('keeper')
const hearing = Symbol('hearing')
type Heard = Lane & { [keeper]?: LaneKeeper; [hearing]?: ((this: Lane) => void) | undefined }

function onClose(this: Heard): void {
  this[keeper]?.gone(this)
  this[hearing]?.call(this)
}

/** The lane is somebody's from its beginning to its close. */
export function keepLane(lane: Heard, by: LaneKeeper): void {
  lane[keeper] = by
  lane.on('close', onClose)
}

/** Where a lane's peer is: one string for all who are there. */
export function addressOf(lane: Socket & Heard): string | undefined {
  return lane[keeper]?.address || lane.remoteAddress
}

/** Calls the listener with the lane as `this` when it closes. There is one: who heard it before has let go (`unhearClose`). */
export function hearClose(lane: Heard, listener: (this: Lane) => void): void {
  if (lane[keeper] === undefined) lane.on('close', listener)
  else lane[hearing] = listener
}

export function unhearClose(lane: Heard, listener: (this: Lane) => void): void {
  if (lane[hearing] === listener) lane[hearing] = undefined
  else lane.off('close', listener)
}

/** Whether nobody else listens for it: nobody asks the lane where it came from when it is gone. */
export function isCloseOurs(lane: Heard): boolean {
  return lane[keeper] !== undefined && lane.listenerCount('close') === 1
}
