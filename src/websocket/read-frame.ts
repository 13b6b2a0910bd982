/**
 * The frames that nearly all are: a whole message, ping or pong, masked, without extensions (RFC 6455 §5.2). All others
 * (fragments, close frames, large ones, and what no peer may send) are read by `ws`.
 */
import { isUtf8 } from 'node:buffer'

const TEXT = 0x81
const BINARY = 0x82
const PING = 0x89
const PONG = 0x8a

/** In place of the bytes of a frame: not all of them are there. */
export const PARTIAL = 0
/** In place of the bytes of a frame: it is one that `ws` is to read. */
export const UNUSUAL = -1

/** Who hears what the frames carry. */
export interface FrameListener {
  received(data: Buffer, binary: boolean): void
  pinged(data: Buffer): void
  ponged(data: Buffer): void
}

/**
 * Reads the frame that begins at a place, and tells of it; answers how many bytes it has. The payload is a view of the
 * bytes, unmasked in place.
 * @param most bytes that a payload may have
 */
export function readFrame(bytes: Buffer, at: number, most: number, heard: FrameListener): number {
  const left = bytes.length - at
  if (left < 2) return PARTIAL
  const head = bytes[at] as number
  const short = (bytes[at + 1] as number) - MASKED
  if (short < 0 || short > LONG || !isUsual(head)) return UNUSUAL
  const isLong = short === LONG
  if (isLong && left < 4) return PARTIAL
  const length = isLong ? bytes.readUInt16BE(at + 2) : short
  if (length > most || (isLong && head >= PING)) return UNUSUAL
  const start = at + (isLong ? 8 : 6)
  const end = start + length
  if (end > bytes.length) return PARTIAL
  const isAscii = unmask(bytes, start, end)
  const payload = bytes.subarray(start, end)
  if (head === TEXT && !isAscii && !isUtf8(payload)) {
    unmask(bytes, start, end)
    return UNUSUAL
  }
  tell(head, payload, heard)
  return end - at
}

/** Added to a payload's length where a frame is masked, as those of peers must be (RFC 6455 §5.1). */
const MASKED = 128
/** In place of a length: it follows in two bytes. */
const LONG = 126

function isUsual(head: number): boolean {
  return head === TEXT || head === BINARY || head === PING || head === PONG
}

/** Exclusive or, so that twice is as before. Answers whether all bytes are below 128. */
function unmask(bytes: Buffer, start: number, end: number): boolean {
  let all = 0
  for (let at = start; at < end; at++) {
    const byte = (bytes[at] as number) ^ (bytes[start - 4 + ((at - start) & 3)] as number)
    bytes[at] = byte
    all |= byte
  }
  return all < 128
}

function tell(head: number, payload: Buffer, heard: FrameListener): void {
  if (head === PING) heard.pinged(payload)
  else if (head === PONG) heard.ponged(payload)
  else heard.received(payload, head === BINARY)
}
