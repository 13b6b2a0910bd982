import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'

/** How a connection was seen to close: the other end's FIN, its RST (or another failure), or our own doing. */
export type Closed = 'end' | 'reset' | 'destroyed'

const TIMEOUT = 20_000

/** Sends `text` on a connection of its own and answers everything received until the server closed it. */
export async function rawRequest(port: number, text: string): Promise<string> {
  const peer = await RawPeer.connect(port)
  await peer.write(text)
  await peer.closed
  return peer.received
}

/**
 * A TCP connection to a server under test that says exactly the bytes it is given.
 * What it hears is kept as latin1: one character per byte.
 */
export class RawPeer {
  /** Everything heard and not yet taken by `readUntil`. */
  received = ''
  localPort: number | undefined
  readonly closed: Promise<Closed>
  readonly #socket: Duplex
  readonly #vanish: () => void
  #over: Closed | undefined
  #wake = () => {}

  private constructor(socket: Duplex, vanish: () => void) {
    this.#socket = socket.setEncoding('latin1')
    this.#vanish = vanish
    let over: Closed = 'destroyed'
    socket.on('end', () => {
      over = 'end'
    })
    socket.on('error', () => {
      over = 'reset'
    })
    socket.on('data', (text: string) => {
      this.received += text
      this.#wake()
    })
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        this.#over = over
        this.#wake()
        resolve(over)
      })
    })
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawPeer> {
    const socket = connect({ port, host, noDelay: true })
    await once(socket, 'connect')
    const peer = new RawPeer(socket, () => socket.resetAndDestroy())
    peer.localPort = socket.localPort
    return peer
  }

  /** A peer on what is open already: a connection under TLS, or a stream of HTTP/2. */
  static over(socket: Duplex, vanish: () => void): RawPeer {
    return new RawPeer(socket, vanish)
  }

  /** Resolves when the kernel took the bytes, and rejects when the connection is gone. A string is latin1. */
  write(bytes: string | Uint8Array): Promise<void> {
    const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    return new Promise((resolve, reject) => {
      this.#socket.write(data, error => (error ? reject(error) : resolve()))
    })
  }

  /** Waits for `mark`, takes everything up to its end, and leaves the rest in `received`. One caller at a time. */
  async readUntil(mark: string | RegExp, timeout = TIMEOUT): Promise<string> {
    const what = mark instanceof RegExp ? String(mark) : JSON.stringify(mark)
    return this.#read(what, () => endOf(mark, this.received), timeout)
  }

  /** Waits for so many bytes, and takes them. */
  readBytes(count: number, timeout = TIMEOUT): Promise<string> {
    return this.#read(`${count} bytes`, () => (this.received.length < count ? undefined : count), timeout)
  }

  async #read(what: string, end: () => number | undefined, timeout: number): Promise<string> {
    const deadline = Date.now() + timeout
    for (;;) {
      const found = end()
      if (found !== undefined) return this.#take(found)
      if (this.#over !== undefined) throw this.#missing(what, `the connection closed (${this.#over})`)
      if (Date.now() >= deadline) throw this.#missing(what, `it did not come within ${timeout} ms`)
      await this.#change(deadline - Date.now())
    }
  }

  /** Stops reading: a slow peer. The kernel's buffers still fill first. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Sends FIN and goes on reading. */
  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Vanishes with a RST. */
  reset(): void {
    this.#vanish()
  }

  #take(length: number) {
    const taken = this.received.slice(0, length)
    this.received = this.received.slice(length)
    return taken
  }

  #change(timeout: number) {
    return new Promise<void>(resolve => {
      const timer = setTimeout(resolve, timeout)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #missing(what: string, why: string) {
    return new Error(`Waited for ${what}, but ${why}.
Heard: ${JSON.stringify(this.received.slice(0, 1000))}`)
  }
}

function endOf(mark: string | RegExp, text: string): number | undefined {
  if (typeof mark === 'string') {
    const index = text.indexOf(mark)
    return index === -1 ? undefined : index + mark.length
  }
  const match = new RegExp(mark.source, mark.flags.replace(/[gy]/g, '')).exec(text)
  return match === null ? undefined : match.index + match[0].length
}
