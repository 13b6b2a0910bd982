/** A peer of an event stream: looks for markers, and for nothing else. */
import { MARKER } from '../fixtures.js'
import { nextAddress, open } from './connection.js'
import { formatRequest } from './requests.js'

const marker = Buffer.from(MARKER)
const LF = 10
const request = formatRequest({ path: '/sse', fields: 'Accept: text/event-stream\r\n' })

export class EventStreamPeer {
  events = 0
  #tail
  #opened

  constructor(crowd) {
    this.crowd = crowd
  }

  /** Resolves when the head has come. */
  async connect(port) {
    const opened = new Promise((resolve, reject) => {
      this.#opened = { resolve, reject }
    })
    const received = (buffer, length) => this.#received(buffer.subarray(0, length))
    this.socket = await open(port, received, () => this.crowd.closed(this), { localAddress: nextAddress() })
    this.socket.write(request)
    await opened
    return this
  }

  pause() {
    this.socket.pause()
  }

  end() {
    this.socket.destroy()
  }

  #received(bytes) {
    if (this.#opened !== undefined) return this.#begins(bytes)
    const read = this.#tail === undefined ? bytes : Buffer.concat([this.#tail, bytes])
    let count = 0
    let end = 0
    for (let at = read.indexOf(marker); at >= 0; at = read.indexOf(marker, end)) {
      count++
      end = at + marker.length
    }
    const isCut = read[read.length - 1] !== LF
    this.#tail = isCut ? Buffer.from(read.subarray(Math.max(end, read.length - marker.length + 1))) : undefined
    if (count === 0) return
    this.events += count
    this.crowd.came(count)
  }

  #begins(bytes) {
    const head = bytes.toString('latin1')
    if (/^HTTP\/1\.1 200 .*text\/event-stream/is.test(head)) this.#opened.resolve()
    else this.#opened.reject(new Error(`no event stream: ${head}`))
    this.#opened = undefined
  }
}
