/** The only file that knows the `ws` package: it does the handshake, receives, and speaks control frames. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import type { Sink } from '../connections/sink.js'
import type { WebSocketOptions } from '../declare/routes.js'
import { badRequest } from '../errors.js'
import { isOver, isShared, type Lane, laneOf, reset, StreamError } from '../pipeline/lane.js'
import { unwatch } from '../pipeline/lane-watch.js'
import { closeBothWays, onSocket, onStream } from './answer.js'
import { deflatedCodec, deflateFrame, isToDeflate, windowOf } from './deflate.js'
import { type SocketCodec, socketCodec } from './frame.js'

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
  readonly codec: SocketCodec
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
    let window = 0
    answering.set(request, lines => {
      window = windowOf(lines)
      answer(lines)
      // Before `ws` listens: a list that had three listeners keeps room for nineteen.
      unwatch(lane)
      if (!isShared(lane)) response.detachSocket(lane)
    })
    let wire: Wire | undefined
    server.handleUpgrade(request, lane, head, ws => {
      if (isShared(lane)) closeBothWays(lane)
      ;(ws as HeardWebSocket).events = events
      wire = ws.extensions === '' ? new DirectWire(ws, lane, socketCodec) : new DeflatedWire(ws, lane, window)
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

/**
 * Frames go to the lane itself, past `ws`, so that one buffer serves all sockets of a room. That is sound since `ws` is
 * given nothing to compress: it then writes its control frames whole, and at once, and none of ours is open between two
 * writes (RFC 6455 §5.4). What is written while one chunk of input is handled leaves in one write: the first opens a
 * cork, the end of the tick closes it.
 */
class DirectWire implements Wire, Sink {
  #corked = false
  #written = 0

  constructor(
    private readonly ws: WebSocket,
    private readonly lane: Lane,
    readonly codec: SocketCodec,
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
    return this.#put(bytes)
  }

  writeLast(bytes: Buffer): boolean {
    return this.open && this.#put(bytes)
  }

  #put(bytes: Buffer): boolean {
    this.#written += bytes.length
    return this.lane.write(bytes)
  }

  once(event: 'drain', listener: () => void): void {
    this.lane.once(event, listener)
  }
}

/**
 * Frames that are compressed are written past `ws`, too, whose sender never compresses. What comes behind a large one waits
 * here while another thread is at it, and so the order of messages is kept.
 */
class DeflatedWire extends DirectWire {
  readonly #behind: (Buffer | (() => void))[] = []
  /** Bytes that wait, before they are compressed. */
  #waiting = 0
  #isBusy = false
  #listeners: (() => void)[] = []

  constructor(
    ws: WebSocket,
    lane: Lane,
    private readonly window: number,
  ) {
    super(ws, lane, deflatedCodec(window))
  }

  override get writableLength(): number {
    return super.writableLength + this.#waiting
  }

  override get writableNeedDrain(): boolean {
    return super.writableNeedDrain || this.#waiting >= this.writableHighWaterMark
  }

  override write(bytes: Buffer): boolean {
    return this.#mayPass(bytes) ? super.write(bytes) : !this.writableNeedDrain
  }

  override writeLast(bytes: Buffer): boolean {
    return this.#mayPass(bytes) ? super.writeLast(bytes) : !this.writableNeedDrain
  }

  override close(code: number, text: string): void {
    if (this.#isBusy) this.#behind.push(() => super.close(code, text))
    else super.close(code, text)
  }

  override once(event: 'drain', listener: () => void): void {
    if (this.#waiting > 0) this.#listeners.push(listener)
    else super.once(event, listener)
  }

  /** Whether bytes need not wait; else they do from here on. */
  #mayPass(bytes: Buffer): boolean {
    if (!this.#isBusy && !isToDeflate(bytes, this.window)) return true
    if (!this.open) return false
    this.#behind.push(bytes)
    this.#waiting += bytes.length
    if (!this.#isBusy) this.#goOn()
    return false
  }

  #goOn(): void {
    for (let next = this.#behind.shift(); next !== undefined; next = this.#behind.shift()) {
      if (typeof next === 'function') next()
      else if (isToDeflate(next, this.window)) return this.#deflate(next)
      else this.#pass(next.length, next)
    }
    this.#isBusy = false
    for (const listener of this.#listeners.splice(0)) {
      if (super.writableNeedDrain) super.once('drain', listener)
      else listener()
    }
  }

  #deflate(bytes: Buffer): void {
    this.#isBusy = true
    deflateFrame(bytes, this.window, frame => {
      this.#pass(bytes.length, frame)
      this.#goOn()
    })
  }

  #pass(waited: number, frame: Buffer): void {
    this.#waiting -= waited
    super.write(frame)
  }
}
