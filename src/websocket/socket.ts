import { type CloseReason, closeCode, closeText, endsCleanly } from '../connections/close-reason.js'
import { Connection, type ConnectionHandlers, type ConnectionPlan } from '../connections/connection.js'
import type { AskedFor } from '../pipeline/context.js'
import { type SocketCodec, socketCodec } from './frame.js'
import type { Wire } from './open-wire.js'

/** What a socket class may do when its peer says something. */
export interface SocketHandlers extends ConnectionHandlers {
  message?(frame: string | Buffer, socket: Socket): unknown
  ping?(data: Buffer, socket: Socket): unknown
  pong?(data: Buffer, socket: Socket): unknown
}

/** Handles a data frame; what it returns is sent. @internal */
export type HandleFrame = (socket: Socket, data: Buffer, binary: boolean) => unknown

/** Bytes that wait for a busy handler when the peer is paused, and those at which it goes on. */
const PAUSE_AT = 65_536
const RESUME_AT = 16_384
/** What each waiting frame costs besides its payload, about. */
const FRAME = 1024

const waitsForOpen = (member: string) =>
  `is sent messages, and none is handled before ${member} has settled: do not wait there for what lasts as long as the connection, but begin it and return`

/** One open WebSocket (RFC 6455): messages both ways until one side closes. */
export class Socket<Names extends string = string> extends Connection<Names> {
  /** @internal */
  declare handlers: SocketHandlers | undefined
  #wire: Wire | undefined
  /** Bytes of the frames that wait for the running handler. */
  #waiting = 0
  #paused = false
  #alive = true
  /** At the last beat: the bytes that had left for the peer, and those that waited for it. */
  #taken = 0
  #unsent = 0
  #idleBeats = 0

  /** @internal */
  constructor(
    asked: AskedFor,
    plan: ConnectionPlan,
    private readonly handle: HandleFrame,
  ) {
    super(asked, plan)
  }

  /** @internal */
  get codec(): SocketCodec {
    return this.#wire?.codec ?? socketCodec
  }

  /** Whether the handshake was answered: with 101, or with 200 on HTTP/2. */
  get started(): boolean {
    return this.#wire !== undefined
  }

  /** The subprotocol that was agreed on (RFC 6455 §1.9); empty where there is none. */
  get protocol(): string {
    return this.#wire?.protocol ?? ''
  }

  /** Bytes that were sent and the peer has not taken. */
  get bufferedAmount(): number {
    return this.queue.size
  }

  /** Sends a ping (RFC 6455 §5.5.2), at most 125 bytes. The answer reaches the `pong` handler. */
  ping(data: string | Uint8Array = ''): void {
    const bytes = Buffer.from(data)
    if (bytes.length > 125) throw new RangeError('the data of a ping is 125 bytes at the most')
    if (!this.closed) this.#wire?.ping(bytes)
  }

  /** The handshake is answered; where the constructor has ended the connection, the close frame follows. @internal */
  attach(wire: Wire): void {
    this.#wire = wire
    if (this.closeReason === undefined) this.queue.open(wire.sink)
    else this.finish(this.closeReason)
  }

  override send(value: unknown): Promise<boolean> {
    return this.#wire?.open === false ? Promise.resolve(false) : super.send(value)
  }

  /** A peer that has said goodbye takes nothing more: that is no fault of its pace. @internal */
  override overflowed(): void {
    if (this.#wire?.open !== false) super.overflowed()
  }

  /** @internal */
  push(value: unknown, waits?: boolean): boolean {
    return this.queue.push(this.codec.frame(value), undefined, waits)
  }

  /** @internal */
  received(data: Buffer, binary: boolean): void {
    this.#idleBeats = 0
    if (!this.gate.passed) this.gate.waits(this.plan, waitsForOpen)
    this.take(data, () => this.handle(this, data, binary))
  }

  /** `ws` has sent the pong already. @internal */
  pinged(data: Buffer): void {
    this.take(data, () => this.handlers?.ping?.(data, this))
  }

  /** @internal */
  ponged(data: Buffer): void {
    this.take(data, () => this.handlers?.pong?.(data, this))
  }

  /** Runs a frame's handler behind what waits. While too much waits the peer is paused: TCP tells it to slow down. */
  private take(data: Buffer, run: () => unknown): void {
    this.#alive = true
    const cost = data.length + FRAME
    this.#waiting += cost
    this.post(() => {
      this.#waiting -= cost
      if (this.#waiting <= RESUME_AT) this.hearOn()
      return run()
    })
    if (this.#waiting < PAUSE_AT || this.#paused || this.closed) return
    this.#paused = true
    this.#wire?.pause()
  }

  private hearOn(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#alive = true
    this.#wire?.resume()
  }

  /** @internal */
  broken(code: number): void {
    this.end({ kind: 'protocol', code })
  }

  /** @internal */
  wireClosed(code: number, text: string): void {
    if (code === 1006) this.end({ kind: 'lost' })
    else this.end({ kind: 'peer', ...(code === 1005 ? {} : { code }), ...(text === '' ? {} : { text }) })
  }

  /**
   * One beat of the heartbeat: a peer that said nothing since the last ping is gone. But one that we paused cannot speak,
   * and one that takes what has waited for it is slow: its pong stands behind that. @internal
   */
  heartbeat(): void {
    if (this.closed) return
    const taken = this.#wire?.taken ?? 0
    const isSlow = this.#unsent > 0 && taken > this.#taken
    if (!this.#alive && !this.#paused && !isSlow) return this.end({ kind: 'lost' })
    if (this.gate.isWaitedFor) this.gate.waits(this.plan, waitsForOpen)
    this.#alive = false
    this.#taken = taken
    this.#unsent = this.queue.size
    this.#wire?.ping(Buffer.alloc(0))
  }

  /** One of four beats in an idle timeout: after four without a message, the end. @internal */
  watchIdle(): void {
    if (!this.#paused && ++this.#idleBeats > 4) this.end({ kind: 'idle' })
  }

  /** Says goodbye. The peer's own close frame must be heard, so one that was paused goes on. */
  protected finish(reason: CloseReason): void {
    const wire = this.#wire
    if (wire === undefined || reason.kind === 'peer') return
    this.hearOn()
    const code = closeCode(reason)
    if (code === undefined) return wire.terminate()
    if (endsCleanly(reason) || reason.kind === 'failed') this.queue.finish()
    if (reason.kind !== 'protocol') wire.close(code, closeText(reason))
  }
}
