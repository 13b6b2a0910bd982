/** Many peers that only listen: counts the events that come, and notes when. */
import { now } from '../clock.js'
import { manyAtOnce, percentiles } from './connection.js'
import { EventStreamPeer } from './event-stream-peer.js'
import { Http2Peer } from './http2-peer.js'
import { SocketPeer } from './socket-peer.js'

/** Connections that are replaced at a time: fewer than there are spare files. */
const AT_ONCE = 50

export class Crowd {
  #expected = 0
  #came = 0
  #arrivals = []
  #current
  #count = 0
  #resolve = () => {}
  failure
  leaving = new Set()

  constructor(port, asks) {
    this.port = port
    this.asks = asks
  }

  async connect(count) {
    this.peers = await this.#more(count)
    const paused = Math.floor(count * (this.asks.paused ?? 0))
    for (const peer of this.peers.slice(0, paused)) peer.pause()
    this.listening = this.peers.slice(paused)
  }

  #more(count) {
    const Peer = this.asks.kind === 'ws' ? SocketPeer : this.asks.http2 ? Http2Peer : EventStreamPeer
    return manyAtOnce(count, () => new Peer(this, this.asks).connect(this.port))
  }

  /** Those who are there for the longest leave, and as many others come: few at a time, since the server may be full. */
  async churn(count) {
    this.listening = undefined
    this.leaving.clear()
    for (let left = count; left > 0; left -= AT_ONCE) {
      const gone = this.peers.splice(0, Math.min(left, AT_ONCE))
      for (const peer of gone) {
        this.leaving.add(peer)
        peer.end()
      }
      this.peers.push(...(await this.#more(gone.length)))
    }
    this.listening = this.peers
  }

  /** Resolves when all who listen have got so many events more. */
  expect(times) {
    this.#came = 0
    this.#expected = this.listening.length * times
    this.#current = new Float64Array(this.#expected)
    this.#count = 0
    return new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  /** Called by a peer for each read. */
  came(events) {
    this.#current[this.#count++] = now()
    this.#came += events
    if (this.#came < this.#expected) return
    this.#arrivals.push(this.#current.subarray(0, this.#count))
    this.#resolve()
  }

  /** The latencies of what came since the last time, given when each was sent; checks that all got the same. */
  finish(sentAt) {
    const [{ events }] = this.listening
    const odd = this.listening.find(peer => peer.events !== events)
    if (odd !== undefined) throw new Error(`a peer got ${odd.events} events, another ${events}`)
    if (this.failure !== undefined) throw this.failure
    const latencies = this.#arrivals.flatMap((times, index) => Array.from(times, time => time - sentAt[index]))
    this.#arrivals = []
    return percentiles(latencies)
  }

  /** One that does not read may be disconnected. */
  closed(peer) {
    if (!this.over && !this.leaving.has(peer) && this.listening?.includes(peer) !== false)
      this.failure ??= new Error('a peer was disconnected')
  }

  end() {
    this.over = true
    for (const peer of this.peers) peer.end()
    for (const session of this.sessions ?? []) session.destroy()
  }
}
