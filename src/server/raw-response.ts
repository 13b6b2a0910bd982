import type { Socket } from 'node:net'
import { ServerResponse } from '../node-http.js'

/** Writes to the socket of an upgrade request, which Node's server has let go: nobody else tells it of `drain`. */
export class RawResponse extends ServerResponse {
  readonly #drained = () => void this.emit('drain')

  override assignSocket(socket: Socket): void {
    super.assignSocket(socket)
    socket.on('drain', this.#drained)
  }

  override detachSocket(socket: Socket): void {
    socket.off('drain', this.#drained)
    super.detachSocket(socket)
  }
}
