/**
 * Compressed messages (RFC 7692). Our side never takes over a context, so each is compressed for itself: what goes to a
 * room is compressed once for all of its sockets, and a socket keeps nothing between two messages.
 */
import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'
import { codecOf, FRAME_HEAD, frame, payloadOf, type SocketCodec } from './frame.js'

/** The first reserved bit of a frame's head: its message is compressed (RFC 7692 §6). */
const RSV1 = 0x40
/** Bytes of a message that is compressed; a smaller one is sent as it is. */
const LEAST = 1024
/** Bytes of a message that is compressed there and then; a larger one of one socket alone is left to another thread. */
const MOST_AT_ONCE = 65_536
/** Bytes that a flush ends with, which are not sent (RFC 7692 §7.2.1). */
const TAIL = 4
/** Messages that other threads compress at the same time: each takes memory of its own. */
const CONCURRENCY = 10
/** zlib has no raw format for a window of 8 bits. */
const LEAST_WINDOW = 9

const codecs = new Map<number, SocketCodec>()

/** The codec of sockets whose peer inflates with a window of so many bits: one for all of them. */
export function deflatedCodec(window: number): SocketCodec {
  const known = codecs.get(window)
  if (known !== undefined) return known
  const codec = codecOf((head, payload, isShared) => {
    const isLarge = payload.length > MOST_AT_ONCE
    if (window < LEAST_WINDOW || payload.length < LEAST || (isLarge && !isShared)) return frame(head, payload)
    // A large one that all wait for is compressed in a hurry.
    const level = isLarge ? constants.Z_BEST_SPEED : constants.Z_DEFAULT_COMPRESSION
    return frame(head | RSV1, withoutTail(deflateRawSync(payload, { ...optionsFor(window), level })))
  })
  codecs.set(window, codec)
  return codec
}

/** The window that an answer to a handshake grants, in bits (RFC 7692 §7.1.2.1). */
export function windowOf(lines: readonly string[]): number {
  const extensions = lines.find(line => line.toLowerCase().startsWith('sec-websocket-extensions:'))
  return Number(/server_max_window_bits=(\d+)/.exec(extensions ?? '')?.[1] ?? constants.Z_MAX_WINDOWBITS)
}

/** Whether bytes are one frame that is still to be compressed, on another thread. */
export function isToDeflate(bytes: Buffer, window: number): boolean {
  return bytes.length > MOST_AT_ONCE + FRAME_HEAD && ((bytes[0] ?? 0) & RSV1) === 0 && window >= LEAST_WINDOW
}

let running = 0
const waiting: (() => void)[] = []

/** Compresses a frame on another thread; answers the frame that it was where that fails. */
export function deflateFrame(bytes: Buffer, window: number, done: (frame: Buffer) => void): void {
  const begin = () => {
    running++
    deflateRaw(payloadOf(bytes), optionsFor(window), (error, deflated) => {
      running--
      waiting.shift()?.()
      done(error === null ? frame((bytes[0] ?? 0) | RSV1, withoutTail(deflated)) : bytes)
    })
  }
  if (running < CONCURRENCY) begin()
  else waiting.push(begin)
}

function optionsFor(windowBits: number): ZlibOptions {
  return { windowBits, finishFlush: constants.Z_SYNC_FLUSH }
}

function withoutTail(deflated: Buffer): Buffer {
  return deflated.subarray(0, deflated.length - TAIL)
}
