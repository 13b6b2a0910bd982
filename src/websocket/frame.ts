/** Frames of a server: unmasked, whole messages (RFC 6455 §5.2). Built once, they go to every socket of a room. */
import { type Codec, type RegistryEvent, toJson } from '../connections/codec.js'

const TEXT = 0x81
const BINARY = 0x82

/** Bytes of a frame's head, at the most. */
export const FRAME_HEAD = 10

/** One frame: `head` is its first byte. */
export function frame(head: number, payload: Buffer): Buffer {
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

/** The payload of one frame of ours. */
export function payloadOf(bytes: Buffer): Buffer {
  const short = bytes.readUInt8(1)
  return bytes.subarray(short < 126 ? 2 : short === 126 ? 4 : 10)
}

/** How a socket's messages become frames, the same for all sockets of a kind. */
export interface SocketCodec extends Codec {
  /** A string as text, bytes as bytes, everything else as JSON text. @throws TypeError for what has no JSON form */
  frame(value: unknown): Buffer
}

/** @param pack makes a frame; `isShared` where it goes to many sockets */
export function codecOf(pack: (head: number, payload: Buffer, isShared: boolean) => Buffer): SocketCodec {
  return {
    encode: event => pack(TEXT, Buffer.from(envelope(event)), true),
    frame(value) {
      if (typeof value === 'string') return pack(TEXT, Buffer.from(value), false)
      if (value instanceof ArrayBuffer) return pack(BINARY, Buffer.from(value), false)
      if (ArrayBuffer.isView(value))
        return pack(BINARY, Buffer.from(value.buffer, value.byteOffset, value.byteLength), false)
      return pack(TEXT, Buffer.from(toJson(value)), false)
    },
  }
}

/** What a registry sends to sockets: `{ "event", "data", "id" }`, or `{ "id" }` alone to say where the peer stands. */
function envelope({ event, data, id }: RegistryEvent): string {
  const members: string[] = []
  if (event !== undefined) members.push(`"event":${JSON.stringify(event)}`)
  if (data !== undefined) members.push(`"data":${data}`)
  if (id !== undefined) members.push(`"id":${JSON.stringify(id)}`)
  return `{${members.join(',')}}`
}

/** For sockets without extensions. */
export const socketCodec: SocketCodec = codecOf(frame)
