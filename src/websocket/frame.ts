/** Frames of a server: unmasked, whole messages (RFC 6455 §5.2). Built once, they go to every socket of a room. */
import { type Codec, type RegistryEvent, toJson } from '../connections/codec.js'

const TEXT = 0x81
const BINARY = 0x82

function frame(head: number, payload: Buffer): Buffer {
  const { length } = payload
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(size + length)
  bytes[0] = head
  if (size === 2) bytes[1] = length
  else if (size === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = 127
    bytes.writeUInt32BE(Math.floor(length / 2 ** 32), 2)
    bytes.writeUInt32BE(length >>> 0, 6)
  }
  payload.copy(bytes, size)
  return bytes
}

/** A string as a text frame, bytes as a binary one, everything else as JSON text. @throws TypeError for what has no JSON form */
export function encodeFrame(value: unknown): Buffer {
  if (typeof value === 'string') return frame(TEXT, Buffer.from(value))
  if (value instanceof ArrayBuffer) return frame(BINARY, Buffer.from(value))
  if (ArrayBuffer.isView(value)) return frame(BINARY, Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  return frame(TEXT, Buffer.from(toJson(value)))
}

/** What a registry sends to sockets: `{ "event", "data", "id" }`, or `{ "id" }` alone to say where the peer stands. */
export const socketCodec: Codec = {
  encode({ event, data, id }: RegistryEvent): Buffer {
    const members: string[] = []
    if (event !== undefined) members.push(`"event":${JSON.stringify(event)}`)
    if (data !== undefined) members.push(`"data":${data}`)
    if (id !== undefined) members.push(`"id":${JSON.stringify(id)}`)
    return frame(TEXT, Buffer.from(`{${members.join(',')}}`))
  },
}

/** The messages in bytes that are frames of ours, one after another. */
export function* readFrames(bytes: Buffer): Generator<{ readonly binary: boolean; readonly payload: Buffer }> {
  for (let at = 0; at < bytes.length; ) {
    const short = bytes.readUInt8(at + 1)
    const size = short < 126 ? 2 : short === 126 ? 4 : 10
    const length =
      size === 2
        ? short
        : size === 4
          ? bytes.readUInt16BE(at + 2)
          : bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6)
    const start = at + size
    yield { binary: bytes[at] === BINARY, payload: bytes.subarray(start, start + length) }
    at = start + length
  }
}
