/** Frames of HTTP/2 as bytes (RFC 9113 §4.1), well formed or not. */
import { RawPeer } from './raw-peer.js'

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4 } as const

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(
  type: keyof typeof frameTypes,
  flag = 0,
  stream = 0,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = frameTypes[type]
  head[4] = flag
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header block of literals that are not indexed (RFC 7541 §6.2.2). */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export const requestFields = (path: string, method = 'GET'): [string, string][] => [
  [':method', method],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'localhost'],
]

export interface Frame {
  readonly type: number
  readonly flag: number
  readonly stream: number
  readonly payload: Buffer
}

/** A peer that says the frames it is given, and reads one at a time. */
export class Http2Peer {
  private constructor(readonly raw: RawPeer) {}

  /** Connects, says the preface and empty settings, and acknowledges those of the server. */
  static async open(port: number, { acknowledge = true } = {}): Promise<Http2Peer> {
    const raw = await RawPeer.connect(port)
    const peer = new Http2Peer(raw)
    await raw.write(Buffer.concat([PREFACE, frame('settings')]))
    await peer.until('settings')
    if (acknowledge) await peer.write(frame('settings', flags.ack))
    return peer
  }

  write(...frames: readonly Buffer[]): Promise<void> {
    return this.raw.write(Buffer.concat(frames))
  }

  async read(): Promise<Frame> {
    const head = Buffer.from(await this.raw.readBytes(9), 'latin1')
    const length = head.readUIntBE(0, 3)
    const payload = length === 0 ? Buffer.alloc(0) : Buffer.from(await this.raw.readBytes(length), 'latin1')
    return { type: head.readUInt8(3), flag: head.readUInt8(4), stream: head.readUInt32BE(5), payload }
  }

  /** The next frame of a type, of one stream where that is given; the others are passed over. */
  async until(type: keyof typeof frameTypes, stream?: number): Promise<Frame> {
    for (;;) {
      const next = await this.read()
      if (next.type === frameTypes[type] && (stream === undefined || next.stream === stream)) return next
    }
  }

  /** The error code that the server says goodbye with (RFC 9113 §6.8). */
  async goaway(): Promise<number> {
    return (await this.until('goaway')).payload.readUInt32BE(4)
  }
}
