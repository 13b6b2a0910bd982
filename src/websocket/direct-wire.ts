import type { Sink } from '../connections/sink.js'
import { cutAfter, isShared, type Lane, reset, StreamError } from '../pipeline/lane.js'
import { hearClose, unhearClose } from '../pipeline/lane-close.js'
import { lighten } from '../pipeline/lighten.js'
import { frame, type SocketCodec, socketCodec } from './frame.js'
import type { Wire, WireEvents } from './open-wire.js'
import { PARTIAL, readFrame, UNUSUAL } from './read-frame.js'

/** What a wire asks of `ws`, once that has taken over. */
export interface Ws extends Pick<Wire, 'ping' | 'close' | 'terminate' | 'pause' | 'resume'> {
  readonly readyState: number
}

const OPEN = 1
/** Milliseconds that a peer has to take what was sent when it has ended its side. */
const END_PATIENCE = 5000
/** The first byte of a ping and of a pong. */
const PING = 0x89
const PONG = 0x8a
/** Bytes of a frame of which a part has come that are kept here: who sends larger ones is left to `ws`. */
const KEPT = 16_384
/** So many times may a byte be copied until its frame is whole, of those behind the first 1024: `ws` keeps drops as they are. */
const COPIES = 16

const wires = Symbol('wire')
type WiredLane = Lane & { [wires]?: DirectWire | undefined }

/**
 * Frames go to the lane itself, past `ws`, so that one buffer serves all sockets of a room. That is sound since `ws` is
 * given nothing to compress: it then writes its control frames whole, and at once, and none of ours is open between two
 * writes (RFC 6455 §5.4). What is written while one chunk of input is handled leaves in one write: the first opens a
 * cork, the end of the tick closes it.
 *
 * Whole messages are read here, too, without the two streams and the tables of listeners that `ws` has for each socket:
 * a fifth of the time of an echo, and 1.3 KB of an idle socket (`npm run bench -- -w echo,idle-ws`). With the first
 * frame that is anything else, and to close, `ws` takes over, for good: it alone knows the rest of the protocol.
 */
export class DirectWire implements Wire, Sink {
  #ws: Ws | undefined
  #lane!: WiredLane
  #events!: WireEvents
  /** A side has gone without a close frame. */
  #isOver = false
  #corked = false
  #written = 0
  /** The beginning of a frame whose end has not come. */
  #rest: Buffer | undefined
  /** `ws` sets it, as on a socket of its own. */
  _protocol = ''

  get protocol(): string {
    return this._protocol
  }

  get codec(): SocketCodec {
    return socketCodec
  }

  get lane(): Lane {
    return this.#lane
  }

  get open(): boolean {
    return this.#ws === undefined ? !this.#isOver : this.#ws.readyState === OPEN
  }

  get sink(): Sink {
    return this
  }

  get writableHighWaterMark(): number {
    return this.#lane.writableHighWaterMark
  }

  get events(): WireEvents | undefined {
    return this.#events
  }

  /** Bytes of a message at the most. */
  protected get maxPayload(): number {
    return 0
  }

  /** Has `ws` speak on a lane, from the start of a frame. */
  protected takeOver(_lane: Lane): Ws {
    throw new Error('ws speaks already')
  }

  /** From here on it tells of what is heard. */
  tell(events: WireEvents): void {
    this.#events = events
  }

  /** `ws` speaks on the lane. */
  adopt(ws: Ws, lane: Lane): void {
    this.#ws = ws
    this.#lane = lane
    lane.on('end', endInTime)
  }

  /** Speaks on a lane; `ws` calls it when it has answered the handshake. `head` is what the peer has said meanwhile. */
  setSocket(lane: Lane, head: Buffer): void {
    this.#lane = lane
    this.#lane[wires] = this
    if ('setTimeout' in lane) lane.setTimeout(0)
    if ('setNoDelay' in lane) lane.setNoDelay()
    if (head.length > 0) lane.unshift(head)
    lighten(lane)
    hearClose(lane, onClose)
    lane.on('end', onEnd).on('error', onError).on('data', onData)
  }

  private handOver(): Ws {
    const lane = this.#lane
    unhearClose(lane, onClose)
    lane.off('end', onEnd).off('error', onError).off('data', onData)
    lane[wires] = undefined
    this.#ws = this.takeOver(lane)
    lane.on('end', endInTime)
    if (lane.isPaused()) this.#ws.pause()
    if (this.#rest !== undefined) lane.emit('data', this.#rest)
    this.#rest = undefined
    return this.#ws
  }

  /** @internal */
  read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    const most = this.#rest === undefined ? KEPT : Math.max(1024, Math.min(KEPT, COPIES * chunk.length))
    this.#rest = undefined
    for (let at = 0; at < bytes.length && !this.#isOver; ) {
      const size = this.isLeft(bytes[at]) ? UNUSUAL : readFrame(bytes, at, this.maxPayload, this)
      if (size === PARTIAL && bytes.length - at <= most) {
        this.#rest = Buffer.allocUnsafeSlow(bytes.length - at)
        bytes.copy(this.#rest, 0, at)
        return
      }
      if (size <= 0) {
        if (this.#ws === undefined) this.handOver()
        return void this.#lane.emit('data', bytes.subarray(at))
      }
      at += size
    }
  }

  /** Whether frames are left to `ws`; so are the pings of a peer that takes nothing, since it counts the pongs that wait. */
  private isLeft(head: number | undefined): boolean {
    return this.#ws !== undefined || (head === PING && this.#lane.writableNeedDrain)
  }

  /** @internal */
  received(data: Buffer, binary: boolean): void {
    this.#events.received(data, binary)
  }

  /** @internal */
  pinged(data: Buffer): void {
    this.#lane.write(frame(PONG, data))
    this.#events.pinged(data)
  }

  /** @internal */
  ponged(data: Buffer): void {
    this.#events.ponged(data)
  }

  /** The peer has ended without a close frame: so do we (RFC 6455 §7.1.5). @internal */
  ended(): void {
    this.#isOver = true
    this.#lane.end()
    endInTime.call(this.#lane)
  }

  /** What the peer said last may be unread, where it was paused: `ws` reads that, and tells of the close. @internal */
  gone(): void {
    const lane = this.#lane
    const isRead = lane.readableEnded || lane.readableLength === 0
    this.#isOver ||= isRead
    if (isRead) return this.#events.wireClosed(1006, '')
    this.handOver()
    lane.listeners('close').at(-1)?.call(lane)
  }

  /** @internal */
  failed(): void {
    this.#isOver = true
    this.#lane.destroy()
  }

  ping(data: Buffer): void {
    if (this.#ws !== undefined) this.#ws.ping(data)
    else if (this.open) this.#lane.write(frame(PING, data))
  }

  close(code: number, text: string): void {
    if (this.#isOver) return
    const ws = this.#ws ?? this.handOver()
    ws.close(code, text)
  }

  terminate(): void {
    // A reset of TCP is one with CANCEL here (RFC 8441 §5).
    if (isShared(this.#lane)) reset(this.#lane, StreamError.cancel)
    if (this.#ws !== undefined) return this.#ws.terminate()
    this.failed()
  }

  pause(): void {
    if (this.#ws !== undefined) this.#ws.pause()
    else this.#lane.pause()
  }

  resume(): void {
    if (this.#ws !== undefined) this.#ws.resume()
    else this.#lane.resume()
  }

  get taken(): number {
    return this.#written - this.#lane.writableLength
  }

  get writableLength(): number {
    return this.#lane.writableLength
  }

  get writableNeedDrain(): boolean {
    return this.#lane.writableNeedDrain || !this.open
  }

  write(bytes: Buffer): boolean {
    if (!this.open) return false
    if (!this.#corked && this.#lane.writableCorked === 0) {
      this.#corked = true
      this.#lane.cork()
      process.nextTick(endTick, this)
    }
    return this.put(bytes)
  }

  writeLast(bytes: Buffer): boolean {
    return this.open && this.put(bytes)
  }

  /** @internal */
  endTick(): void {
    this.#corked = false
    this.#lane.uncork()
  }

  private put(bytes: Buffer): boolean {
    this.#written += bytes.length
    return this.#lane.write(bytes)
  }

  once(event: 'drain', listener: () => void): void {
    this.#lane.once(event, listener)
  }
}

function endTick(wire: DirectWire): void {
  wire.endTick()
}

/** The listeners of all lanes: an idle socket costs no closure. */
function onData(this: WiredLane, chunk: Buffer): void {
  this[wires]?.read(chunk)
}

function onEnd(this: WiredLane): void {
  this[wires]?.ended()
}

/** Who has ended without a close frame, and takes nothing of what waits, is not waited for without end. */
function endInTime(this: Lane): void {
  cutAfter(END_PATIENCE, this)
}

function onClose(this: WiredLane): void {
  this[wires]?.gone()
}

function onError(this: WiredLane): void {
  this[wires]?.failed()
}
