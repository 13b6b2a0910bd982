/** A WebSocket peer: reads the heads of frames, and skips what they carry. */
import { nextAddress, open } from './connection.js'

const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])
const TEXT = 1
const PING = 9
/** What is shorter is no event: an answer of Socket.IO, a last event id. */
const EVENT_BYTES = 48

/** A text frame from the peer, masked with zeros (RFC 6455 §5.2). */
export function textFrame(text) {
  const payload = Buffer.from(text)
  const { length } = payload
  const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0xfe, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}

export class SocketPeer {
  events = 0
  /** The payloads of all frames, or of all that are compressed, where somebody wants to see them. */
  seen
  #left = 0
  #isEvent = false
  #carry
  #opened
  /** What comes before Socket.IO has let the peer in is no event. */
  #ready = false
  #greetings = 0

  /** `owner.came(events, peer)` is called for each read that brought any. */
  constructor(owner, { dialect, deflate = false, keep = false }) {
    this.owner = owner
    this.dialect = dialect
    this.deflate = deflate
    if (keep) this.seen = []
  }

  async connect(port) {
    const opened = new Promise((resolve, reject) => {
      this.#opened = { resolve, reject }
    })
    const received = (buffer, length) => this.#received(buffer.subarray(0, length))
    this.socket = await open(port, received, () => this.owner.closed?.(this), { localAddress: nextAddress() })
    const path = this.dialect === 'socket.io' ? '/socket.io/?EIO=4&transport=websocket' : '/ws'
    const extension = this.deflate ? 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n' : ''
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${extension}` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
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
    let read = this.#carry === undefined ? bytes : Buffer.concat([this.#carry, bytes])
    this.#carry = undefined
    if (this.#opened !== undefined) {
      const end = read.indexOf('\r\n\r\n')
      if (end < 0) return this.#keep(read)
      this.#handshake(read.toString('latin1', 0, end))
      read = read.subarray(end + 4)
    }
    const events = this.#readFrames(read)
    if (events === 0) return
    this.events += events
    this.owner.came(events, this)
  }

  #handshake(head) {
    const { resolve, reject } = this.#opened
    this.#opened = undefined
    if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(`no socket: ${head}`))
    if (this.deflate && !/permessage-deflate/.test(head)) return reject(new Error('nothing is compressed'))
    this.connected = () => {
      this.#ready = true
      resolve()
    }
    if (this.dialect === 'socket.io') this.socket.write(textFrame('40'))
    else this.connected()
  }

  #readFrames(read) {
    const { length } = read
    let at = 0
    let events = 0
    while (at < length) {
      if (this.#left > 0) {
        const some = Math.min(this.#left, length - at)
        at += some
        this.#left -= some
      } else {
        const size = this.#readHead(read, at)
        if (size === 0) {
          this.#keep(read.subarray(at))
          break
        }
        at += size
      }
      if (this.#left === 0 && this.#isEvent) {
        events++
        this.#isEvent = false
      }
    }
    return events
  }

  /** Answers the bytes of the head; 0 where more is needed. A short frame, and one to be kept, is read whole. */
  #readHead(read, at) {
    const { length } = read
    if (length - at < 2) return 0
    const opcode = read[at] & 15
    const short = read[at + 1] & 127
    const size = short < 126 ? 2 : short === 126 ? 4 : 10
    if (length - at < size) return 0
    const payload =
      short < 126 ? short : short === 126 ? read.readUInt16BE(at + 2) : Number(read.readBigUInt64BE(at + 2))
    const isWhole = length - at >= size + payload
    if ((payload < EVENT_BYTES || this.seen !== undefined) && !isWhole) return 0
    if (payload < EVENT_BYTES || !this.#ready) {
      const isCompressed = (read[at] & 0x40) !== 0
      if (isWhole) this.#control(opcode, read.subarray(at + size, at + size + payload), isCompressed)
    }
    if (!this.deflate || (read[at] & 0x40) !== 0)
      this.seen?.push(Buffer.from(read.subarray(at + size, at + size + payload)))
    this.#isEvent = this.#ready && payload >= EVENT_BYTES && opcode <= 2
    this.#left = payload
    return size
  }

  #control(opcode, payload, isCompressed) {
    if (opcode === PING) this.socket.write(PONG)
    if (opcode !== TEXT || this.dialect !== 'socket.io') return
    // What is compressed is not read: an open packet, an answer to the connect packet, and then pings are what is short.
    if (isCompressed && !this.#ready) this.#greetings++
    const greeting = this.#greetings === 2 ? '40' : '0'
    const type = isCompressed ? (this.#ready ? '2' : greeting) : payload.toString('latin1', 0, 2)
    if (type === '2') this.socket.write(textFrame('3'))
    if (type === '40') this.connected()
  }

  #keep(bytes) {
    this.#carry = Buffer.from(bytes)
  }
}
