/** An open WebSocket as its socket sees it, whoever reads and writes the frames. */
import type { Sink } from '../connections/sink.js'
import type { SocketCodec } from './frame.js'

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
