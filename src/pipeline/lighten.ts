/**
 * What Node.js keeps on a socket that was of use at its opening alone: where the peer is, 90 bytes, and a listener that does
 * nothing, whose list is 64 (`idle`). No public call lets go of them. Where Node.js has something else in their place, it
 * keeps that.
 */
import { Socket as NodeSocket } from 'node:net'
import { isShared, type Lane } from './lane.js'
import { isCloseOurs } from './lane-close.js'

interface Addressed {
  _peername?: object | null | undefined
}

/** Whether Node.js asks the system again for an address that it has let go of; found out with the first socket. */
let asksAgain: boolean | undefined

/** Lets go of both, where nobody else may ask. */
export function lighten(lane: Lane): void {
  if (isShared(lane) || !(lane instanceof NodeSocket)) return
  if (lane.allowHalfOpen)
    for (const each of lane.listeners('end')) if (isIdle(each)) lane.off('end', each as () => void)
  if (isCloseOurs(lane) && asksAgain !== false) forgetAddress(lane)
}

/** In a socket that may be half open it has nothing to do. */
function isIdle({ name }: { readonly name: string }): boolean {
  return name === 'onReadableStreamEnd'
}

function forgetAddress(socket: NodeSocket & Addressed): void {
  const { _peername: known } = socket
  if (known === undefined || known === null) return
  const address = asksAgain === undefined ? socket.remoteAddress : undefined
  socket._peername = undefined
  if (asksAgain === true) return
  const again = socket.remoteAddress
  // The system knows nothing of a peer that has gone this moment: the next one tells.
  if (again !== undefined) asksAgain = again === address
  socket._peername = asksAgain === true ? undefined : known
}
