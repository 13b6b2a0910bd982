import { once } from 'node:events'
import { WebSocket } from 'ws'
import { type Closed, RawPeer } from './raw-peer.js'

/** What one event stream brought, from its head to its end. */
export interface Heard {
  readonly status: number
  /** The data of its events, in their order; that of `error` events left out. */
  readonly data: readonly string[]
  /** The names of its events that have one. */
  readonly events: readonly string[]
  /** The body's text, without its chunk framing. */
  readonly text: string
  /** Whether the response has its end: the final chunk (RFC 9112 §7.1), or all of its content. */
  readonly whole: boolean
  readonly closed: Closed
}

/** The peer of an event stream that sees every byte. */
export class StreamPeer {
  private constructor(readonly raw: RawPeer) {}

  /** Asks for a stream. Its head may take as long as it likes. */
  static async ask(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<StreamPeer> {
    return StreamPeer.askOn(await RawPeer.connect(port), path, headers)
  }

  /** Of a connection that has asked. */
  static of(raw: RawPeer): StreamPeer {
    return new StreamPeer(raw)
  }

  /** As `ask`, on a connection that is there already. */
  static async askOn(raw: RawPeer, path: string, headers: Readonly<Record<string, string>> = {}): Promise<StreamPeer> {
    const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    await raw.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
    return new StreamPeer(raw)
  }

  /** Asks for a stream, and waits for its head. */
  static async open(port: number, path: string, headers?: Readonly<Record<string, string>>): Promise<StreamPeer> {
    const peer = await StreamPeer.ask(port, path, headers)
    await peer.hears('\r\n\r\n')
    return peer
  }

  /** Waits for a mark, and takes nothing away. */
  async hears(mark: string): Promise<void> {
    const taken = await this.raw.readUntil(mark)
    this.raw.received = taken + this.raw.received
  }

  /** Waits for the end, or for what has a length of its own, and reads what came. */
  async end(): Promise<Heard> {
    const closed = await this.raw.closed
    return { ...this.read(), closed }
  }

  /** Reads what came so far. */
  read(): Omit<Heard, 'closed'> {
    const { received } = this.raw
    const split = received.indexOf('\r\n\r\n')
    const head = received.slice(0, split)
    const rest = received.slice(split + 4)
    const isChunked = /transfer-encoding: chunked/i.test(head)
    const { text, whole } = isChunked ? dechunk(rest) : { text: rest, whole: rest.length === lengthOf(head) }
    const blocks = text.split('\n\n').filter(block => block !== '')
    const fields = (block: string, name: string) =>
      block.split('\n').flatMap(line => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []))
    return {
      status: Number(head.slice(9, 12)),
      text,
      whole,
      data: blocks
        .filter(block => !fields(block, 'event').includes('error'))
        .flatMap(block => (fields(block, 'data').length > 0 ? [fields(block, 'data').join('\n')] : [])),
      events: blocks.flatMap(block => fields(block, 'event')),
    }
  }
}

function lengthOf(head: string): number {
  return Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
}

function dechunk(body: string): { text: string; whole: boolean } {
  let text = ''
  for (let at = 0; ; ) {
    const line = body.indexOf('\r\n', at)
    if (line === -1) return { text, whole: false }
    const size = Number.parseInt(body.slice(at, line), 16)
    if (size === 0) return { text, whole: body.startsWith('\r\n', line + 2) }
    text += body.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}

/** The peer of a WebSocket that keeps what it hears. */
export class SocketPeer {
  readonly messages: string[] = []
  /** The code and the text it was closed with, its own included; 1006 where there was no close frame. */
  readonly closed: Promise<{ readonly code: number; readonly text: string }>

  private constructor(readonly ws: WebSocket) {
    ws.on('message', (data: Buffer) => this.messages.push(data.toString()))
    ws.on('error', () => {})
    this.closed = new Promise(resolve => {
      ws.once('close', (code: number, reason: Buffer) => resolve({ code, text: reason.toString() }))
    })
  }

  static async open(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<SocketPeer> {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers, perMessageDeflate: false })
    const peer = new SocketPeer(ws)
    await once(ws, 'open')
    return peer
  }

  /** Vanishes with a RST. */
  reset(): void {
    ;(this.ws as unknown as { _socket: { resetAndDestroy(): void } })._socket.resetAndDestroy()
  }
}
