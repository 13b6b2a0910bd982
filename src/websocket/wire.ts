/** The only file that knows the `ws` package: it does the handshake, receives, and speaks control frames. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import type { Sink } from '../connections/sink.js'
import type { WebSocketOptions } from '../declare/routes.js'
import { badRequest } from '../errors.js'
import { isOver, isShared, type Lane, laneOf, reset, StreamError } from '../pipeline/lane.js'
import { unwatch } from '../pipeline/lane-watch.js'
import { closeBothWays, onSocket, onStream } from './answer.js'
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
    WebSocket: HeardWebSocket,
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
    if (isOver(response)) return undefined
    const lane = laneOf(response)
    const { request, answer } = isShared(lane) ? onStream(response, lane) : onSocket(response)
    answering.set(request, answer)
    let wire: Wire | undefined
    server.handleUpgrade(request, lane, head, ws => {
      if (isShared(lane)) closeBothWays(lane)
      else response.detachSocket(lane)
      unwatch(lane)
      ;(ws as HeardWebSocket).events = events
      wire = ws.extensions === '' ? new DirectWire(ws, lane) : new DeflatingWire(ws, lane)
    })
    return wire
  }
}

/** Tells its socket, and nobody else: an idle one has no table of listeners, and each message is one call. */
class HeardWebSocket extends WebSocket {
  events: WireEvents | undefined

  override emit(name: string | symbol, ...given: readonly unknown[]): boolean {
    const { events } = this
    if (events === undefined) return false
    if (name === 'message') events.received(given[0] as Buffer, given[1] as boolean)
    else if (name === 'ping') events.pinged(given[0] as Buffer)
    else if (name === 'pong') events.ponged(given[0] as Buffer)
    else if (name === 'error') tellBroken(events, given[0] as NodeJS.ErrnoException)
    else if (name === 'close') events.wireClosed(given[0] as number, String(given[1]))
    return true
  }
}

function tellBroken(events: WireEvents, { code }: NodeJS.ErrnoException): void {
  const closeCode = closeCodeOf(code)
  if (closeCode !== undefined) events.broken(closeCode)
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

/** What both kinds of wire leave to `ws`. */
abstract class WebSocketWire implements Wire, Sink {
  constructor(
    protected readonly ws: WebSocket,
    protected readonly lane: Lane,
  ) {}

  get protocol(): string {
    return this.ws.protocol
  }

  get open(): boolean {
    return this.ws.readyState === WebSocket.OPEN
  }

  get sink(): Sink {
    return this
  }

  get writableHighWaterMark(): number {
    return this.lane.writableHighWaterMark
  }

  ping(data: Buffer): void {
    this.ws.ping(data)
  }

  close(code: number, text: string): void {
    this.ws.close(code, text)
  }

  terminate(): void {
    // A reset of TCP is one with CANCEL here (RFC 8441 §5).
    if (isShared(this.lane)) reset(this.lane, StreamError.cancel)
    this.ws.terminate()
  }

  pause(): void {
    this.ws.pause()
  }

  resume(): void {
    this.ws.resume()
  }

  abstract readonly taken: number
  abstract readonly writableLength: number
  abstract readonly writableNeedDrain: boolean
  abstract write(bytes: Buffer): boolean
  abstract once(event: 'drain', listener: () => void): void
}

/**
 * Frames go to the lane itself, past `ws`, so that one buffer serves all sockets of a room. That is sound where no
 * extension is agreed on: `ws` then writes its control frames whole, and at once, and none of ours is open between two
 * writes (RFC 6455 §5.4). What is written while one chunk of input is handled leaves in one write:
 * the first opens a cork, the end of the tick closes it.
 */
class DirectWire extends WebSocketWire {
  #corked = false
  #written = 0

  get taken(): number {
    return this.#written - this.lane.writableLength
  }

  get writableLength(): number {
    return this.lane.writableLength
  }

  get writableNeedDrain(): boolean {
    return this.lane.writableNeedDrain || !this.open
  }

  write(bytes: Buffer): boolean {
    if (!this.open) return false
    if (!this.#corked) {
      this.#corked = true
      this.lane.cork()
      process.nextTick(() => {
        this.#corked = false
        this.lane.uncork()
      })
    }
    return this.writeLast(bytes)
  }

  writeLast(bytes: Buffer): boolean {
    if (!this.open) return false
    this.#written += bytes.length
    return this.lane.write(bytes)
  }

  once(event: 'drain', listener: () => void): void {
    this.lane.once(event, listener)
  }
}

/** Where messages are compressed, `ws` does it, and keeps the order of frames. */
class DeflatingWire extends WebSocketWire {
  readonly #listeners: (() => void)[] = []
  #unsent = 0
  /** Bytes of payload that have left for the network. */
  taken = 0

  get writableLength(): number {
    return this.#unsent
  }

  get writableNeedDrain(): boolean {
    return this.#unsent >= this.writableHighWaterMark || !this.open
  }

  write(bytes: Buffer): boolean {
    if (!this.open) return false
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
