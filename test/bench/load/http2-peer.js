/** A peer of an event stream over HTTP/2; ten of them share a connection. */
import { connect } from 'node:http2'
import { HOST, MARKER } from '../fixtures.js'

const marker = Buffer.from(MARKER)
const SHARED_BY = 10

export class Http2Peer {
  events = 0

  constructor(crowd) {
    this.crowd = crowd
  }

  async connect(port) {
    const { crowd } = this
    crowd.sessions ??= []
    crowd.opened = (crowd.opened ?? 0) + 1
    if (crowd.opened % SHARED_BY === 1) crowd.sessions.push(connect(`http://${HOST}:${port}`))
    this.stream = crowd.sessions.at(-1).request({ ':path': '/sse', accept: 'text/event-stream' })
    this.stream.on('data', bytes => this.#received(bytes))
    this.stream.on('error', () => {})
    this.stream.on('close', () => crowd.closed(this))
    await new Promise((resolve, reject) => {
      this.stream.once('response', ({ ':status': status }) => {
        if (status === 200) resolve()
        else reject(new Error(`no event stream: ${status}`))
      })
    })
    return this
  }

  pause() {
    this.stream.pause()
  }

  end() {
    this.stream.destroy()
  }

  /** A frame holds an event, or several; it is short, and none is cut. */
  #received(bytes) {
    let count = 0
    for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + marker.length)) count++
    if (count === 0) return
    this.events += count
    this.crowd.came(count)
  }
}
