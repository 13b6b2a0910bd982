/** The only file that knows the `ws` package: it does the handshake, receives, and speaks control frames. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { WebSocket, WebSocketServer } from 'ws'
import type { Sink } from '../connections/send-queue.js'
import type { WebSocketOptions } from '../declare/routes.js'
import { badRequest } from '../errors.js'
import { isShared, type Lane, laneOf, reset, StreamError } from '../pipeline/lane.js'
import { readFrames } from './frame.js'

/** What a wire tells its socket. */
export interface WireEvents {
  received(data: Buffer, binary: boolean): void
  pinged(data: Buffer): void
  ponged(data: Buffer): void
  /** The peer broke the protocol; the close frame with this code is on its way. */
  broken(code: number): void
  /** Both sides have closed, or one went away: 1006. 1005 stands for no code (RFC 6455 §7.4.1). */
  wireClosed(code: number, text: string): void
}

/** An open WebSocket. */
export interface Wire {
  readonly protocol: string
  /** Whether messages may still be sent: neither side has sent its close frame (RFC 6455 §5.5.1). */
  readonly open: boolean
  readonly sink: Sink
  /** Bytes that have left for the network so far. */
  readonly taken: number
  ping(data: Buffer): void
  close(code: number, text: string): void
  terminate(): void
  pause(): void
  resume(): void
}

/**
 * Answers the opening handshake with 101, or 200 on HTTP/2, and takes the lane over from the response; `head` is what
 * the peer sent right behind its request. Undefined where the peer has gone meanwhile.
 * @throws HttpError 400 for header fields that cannot be accepted, before anything was answered
 */
export type Accept = (response: ServerResponse, head: Buffer, events: WireEvents) => Wire | undefined

const MAX_PAYLOAD = 1_048_576
const CLOSE_TIMEOUT = 5000

export function makeAccept(options: WebSocketOptions): Accept {
  const { protocols = [], maxPayload = MAX_PAYLOAD, perMessageDeflate = false } = options
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload,
    maxFragments: 1024,
    maxBufferedChunks: 16_384,
    closeTimeout: CLOSE_TIMEOUT,
    perMessageDeflate: perMessageDeflate && {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      threshold: 1024,
    },
    handleProtocols: offered => protocols.find(protocol => offered.has(protocol)) ?? false,
  } as ConstructorParameters<typeof WebSocketServer>[0])
  const answering = new WeakMap<IncomingMessage, (lines: string[]) => void>()
  server.on('headers', (lines, request) => answering.get(request)?.(lines))
  server.on('wsClientError', error => {
    throw badRequest(error.message)
  })
  return (response, head, events) => {
    if (response.destroyed) return undefined
    const lane = laneOf(response)
    const { request, answer } = isShared(lane) ? onStream(response, lane) : onSocket(response)
    answering.set(request, answer)
    let wire: Wire | undefined
    server.handleUpgrade(request, lane, head, ws => {
      if (isShared(lane)) closeBothWays(lane)
      else response.detachSocket(lane)
      listen(ws, events)
      wire = makeWire(ws, lane)
    })
    return wire
  }
}

/** What `ws` reads of a handshake, and what becomes of the header lines that it is about to answer with. */
interface Answering {
  readonly request: IncomingMessage
  readonly answer: (lines: string[]) => void
}

function onSocket(response: ServerResponse): Answering {
  const answer = (lines: string[]) => {
    for (const [name, value] of fieldsOf(response)) for (const each of [value].flat()) lines.push(`${name}: ${each}`)
  }
  return { request: response.req, answer }
}

/**
 * `ws` answers a handshake of HTTP/1.1 only. Given one that stands for the extended CONNECT it agrees on subprotocol and
 * extensions as ever, and what it has to say of them goes out with `:status` 200 (RFC 8441 §5), in place of its first
 * write: the 101.
 */
function onStream(response: ServerResponse, stream: ServerHttp2Stream): Answering {
  const { headers } = response.req
  const asUpgrade = { method: 'GET', headers: { ...headers, upgrade: 'websocket', 'sec-websocket-key': ANY_KEY } }
  const answer = (lines: string[]) => {
    const agreed = lines.slice(1).map(line => line.split(/: /, 2) as [string, string])
    const fields: Record<string, string | string[]> = Object.fromEntries(agreed.filter(([name]) => AGREED.test(name)))
    for (const [name, value] of fieldsOf(response)) fields[name] = value
    stream.respond({ ':status': 200, ...fields })
    stream.write = () => {
      delete (stream as { write?: unknown }).write
      return true
    }
  }
  return { request: asUpgrade as unknown as IncomingMessage, answer }
}

/**
 * Once `ws` has said all, nothing more is heard. A peer ends its half of the stream, as it would close its side of TCP;
 * one that does not is told that it may (RFC 9113 §8.1). At once would be before it can answer a close frame.
 */
function closeBothWays(stream: ServerHttp2Stream): void {
  stream.once('finish', () => {
    const timer = setTimeout(() => reset(stream, StreamError.none), HALF_CLOSE_PATIENCE).unref()
    stream.once('close', () => clearTimeout(timer))
  })
}

/** Milliseconds that a peer has to end its half of a stream when ours is ended. */
const HALF_CLOSE_PATIENCE = 1000

/** A key as RFC 6455 §4.1 wants it, where HTTP/2 has none. */
const ANY_KEY = Buffer.alloc(16).toString('base64')

/** Of the fields of a 101, those that HTTP/2 has, too. */
const AGREED = /^sec-websocket-(protocol|extensions)$/i

/** Fields that the answer has of its own, or cannot have. */
const OWN_FIELDS = /^(connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i

/** What middleware and guards set on the response goes out with the answer (cookies, security headers). */
function fieldsOf(response: ServerResponse): [name: string, value: string | string[]][] {
  const names = response.getHeaderNames().filter(name => !OWN_FIELDS.test(name))
  return names.map(name => {
    const value = response.getHeader(name)
    return [name, Array.isArray(value) ? value : String(value)]
  })
}

function listen(ws: WebSocket, events: WireEvents): void {
  ws.on('message', (data: Buffer, binary: boolean) => events.received(data, binary))
  ws.on('ping', (data: Buffer) => events.pinged(data))
  ws.on('pong', (data: Buffer) => events.ponged(data))
  ws.on('error', ({ code }: NodeJS.ErrnoException) => {
    const closeCode = closeCodeOf(code)
    if (closeCode !== undefined) events.broken(closeCode)
  })
  ws.on('close', (code: number, reason: Buffer) => events.wireClosed(code, reason.toString()))
}

/** The close codes of what `ws` finds wrong with a message, where it is not 1002 (RFC 6455 §7.4.1). */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
}

/** Undefined for what is no fault of the peer's; zlib's codes tell of a message that cannot be inflated. */
function closeCodeOf(code = ''): number | undefined {
  return CLOSE_CODES[code] ?? (code.startsWith('WS_ERR_') ? 1002 : code.startsWith('Z_') ? 1007 : undefined)
}

function makeWire(ws: WebSocket, lane: Lane): Wire {
  const sink = ws.extensions === '' ? new DirectSink(ws, lane) : new DeflatingSink(ws, lane)
  return {
    protocol: ws.protocol,
    get open() {
      return isOpen(ws)
    },
    get taken() {
      return sink.taken
    },
    sink,
    ping: data => ws.ping(data),
    close: (code, text) => ws.close(code, text),
    terminate() {
      // A reset of TCP is one with CANCEL here (RFC 8441 §5).
      if (isShared(lane)) reset(lane, StreamError.cancel)
      ws.terminate()
    },
    pause: () => ws.pause(),
    resume: () => ws.resume(),
  }
}

function isOpen(ws: WebSocket): boolean {
  return ws.readyState === WebSocket.OPEN
}

/**
 * Frames go to the lane itself, past `ws`, so that one buffer serves all sockets of a room. That is sound where no
 * extension is agreed on: `ws` then writes its control frames whole, and at once, and none of ours is open between two
 * writes (RFC 6455 §5.4). What is written while one chunk of input is handled leaves in one write:
 * the first opens a cork, the end of the tick closes it.
 */
class DirectSink implements Sink {
  #corked = false
  #written = 0

  constructor(
    private readonly ws: WebSocket,
    private readonly lane: Lane,
  ) {}

  get taken(): number {
    return this.#written - this.lane.writableLength
  }

  get writableLength(): number {
    return this.lane.writableLength
  }

  get writableNeedDrain(): boolean {
    return this.lane.writableNeedDrain || !isOpen(this.ws)
  }

  get writableHighWaterMark(): number {
    return this.lane.writableHighWaterMark
  }

  write(bytes: Buffer): boolean {
    if (!isOpen(this.ws)) return false
    if (!this.#corked) {
      this.#corked = true
      this.lane.cork()
      process.nextTick(() => {
        this.#corked = false
        this.lane.uncork()
      })
    }
    this.#written += bytes.length
    return this.lane.write(bytes)
  }

  once(event: 'drain', listener: () => void): void {
    this.lane.once(event, listener)
  }
}

/** Where messages are compressed, `ws` does it, and keeps the order of frames. */
class DeflatingSink implements Sink {
  readonly #listeners: (() => void)[] = []
  #unsent = 0
  /** Bytes of payload that have left for the network. */
  taken = 0

  constructor(
    private readonly ws: WebSocket,
    private readonly lane: Lane,
  ) {}

  get writableLength(): number {
    return this.#unsent
  }

  get writableNeedDrain(): boolean {
    return this.#unsent >= this.writableHighWaterMark || !isOpen(this.ws)
  }

  get writableHighWaterMark(): number {
    return this.lane.writableHighWaterMark
  }

  write(bytes: Buffer): boolean {
    if (!isOpen(this.ws)) return false
    for (const { binary, payload } of readFrames(bytes)) {
      this.#unsent += payload.length
      this.ws.send(payload, { binary, compress: true }, () => this.#sent(payload.length))
    }
    return !this.writableNeedDrain
  }

  once(_event: 'drain', listener: () => void): void {
    this.#listeners.push(listener)
  }

  #sent(bytes: number): void {
    this.#unsent -= bytes
    this.taken += bytes
    if (this.#unsent === 0) for (const listener of this.#listeners.splice(0)) listener()
  }
}
