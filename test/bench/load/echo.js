/** Messages that come back: so many in flight on each socket. */
import { now } from '../clock.js'
import { manyAtOnce, percentiles } from './connection.js'
import { SocketPeer, textFrame } from './socket-peer.js'

const TEXT = 'x'.repeat(64)
const messages = {
  nest: JSON.stringify({ event: 'echo', data: TEXT }),
  'socket.io': `42${JSON.stringify(['echo', TEXT])}`,
}

export class Echo {
  constructor(port, { dialect, inFlight }) {
    this.port = port
    this.dialect = dialect
    const frame = textFrame(messages[dialect] ?? TEXT)
    this.inFlight = inFlight
    this.batches = Array.from({ length: inFlight + 1 }, (_, count) => Buffer.concat(Array(count).fill(frame)))
  }

  async connect(count) {
    this.peers = await manyAtOnce(count, () => new SocketPeer(this, { dialect: this.dialect }).connect(this.port))
  }

  async run(milliseconds) {
    this.took = []
    const began = now()
    this.until = began + milliseconds
    this.flying = 0
    const done = new Promise(resolve => {
      this.resolve = resolve
    })
    for (const peer of this.peers) {
      peer.sentAt = []
      this.#send(peer, this.inFlight, peer.sentAt)
    }
    await done
    return { operations: this.took.length, milliseconds: now() - began, ...percentiles(this.took) }
  }

  #send(peer, count, sentAt) {
    const at = now()
    for (let index = 0; index < count; index++) sentAt.push(at)
    this.flying += count
    peer.socket.write(this.batches[count])
  }

  came(events, peer) {
    const at = now()
    for (const sentAt of peer.sentAt.splice(0, events)) this.took.push(at - sentAt)
    this.flying -= events
    if (at < this.until) this.#send(peer, events, peer.sentAt)
    else if (this.flying === 0) this.resolve()
  }

  end() {
    for (const peer of this.peers) peer.end()
  }
}
