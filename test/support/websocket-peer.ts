import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { RawPeer } from './raw-peer.js'

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export type Opcode = keyof typeof opcodes | number

export interface FrameOptions {
  /** Whether it is the last frame of its message. @default true */
  readonly fin?: boolean
  /** RSV1 to RSV3, as 4, 2 and 1. @default 0 */
  readonly rsv?: number
  /** Four bytes; `false` sends the frame unmasked, which no client may do. @default some */
  readonly mask?: Buffer | false
  /** The length that the frame claims. @default its payload's */
  readonly length?: number
}

const MASK = Buffer.from([0x11, 0xa2, 0x53, 0xf4])
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** A frame as a client sends it (RFC 6455 §5.2), well formed or not. */
export function frame(opcode: Opcode, payload: string | Uint8Array = '', options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, mask = MASK } = options
  const data = Buffer.from(payload as string)
  const { length = data.length } = options
  const first = (fin ? 0x80 : 0) | (rsv << 4) | (typeof opcode === 'number' ? opcode : opcodes[opcode])
  const masked = mask === false ? 0 : 0x80
  const head =
    length < 126
      ? Buffer.from([first, masked | length])
      : length < 65_536
        ? Buffer.from([first, masked | 126, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([first, masked | 127]), uint64(length)])
  if (mask === false) return Buffer.concat([head, data])
  return Buffer.concat([head, mask, data.map((byte, index) => byte ^ (mask[index % 4] ?? 0))])
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** The payload of a close frame. */
export function closing(code: number, text: string | Uint8Array = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(text as string)])
}

/** One frame that the server sent. */
export interface Heard {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly payload: Buffer
}

/** The text of an upgrade request; a field that is undefined is left out. */
export function handshake(
  path: string,
  fields: Readonly<Record<string, string | undefined>> = {},
  method = 'GET',
): string {
  const all = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...fields,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** A WebSocket client that says exactly the frames it is given, and reads one frame at a time. */
export class WebSocketPeer {
  private constructor(
    readonly raw: RawPeer,
    /** The head of the server's answer. */
    readonly head: string,
  ) {}

  /** Opens a WebSocket; `early` is sent right behind the handshake, in one write with it. */
  static async open(
    port: number,
    path: string,
    { fields = {}, early = [] }: { fields?: Record<string, string | undefined>; early?: readonly Uint8Array[] } = {},
  ): Promise<WebSocketPeer> {
    return WebSocketPeer.upgrade(await RawPeer.connect(port), path, { fields, early })
  }

  /** As `open`, on a connection that is there already. */
  static async upgrade(
    raw: RawPeer,
    path: string,
    { fields = {}, early = [] }: { fields?: Record<string, string | undefined>; early?: readonly Uint8Array[] } = {},
  ): Promise<WebSocketPeer> {
    await raw.write(Buffer.concat([Buffer.from(handshake(path, fields)), ...early]))
    const head = await raw.readUntil('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 101 /)
    const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    assert.ok(head.includes(`Sec-WebSocket-Accept: ${accept}\r\n`), head)
    return new WebSocketPeer(raw, head)
  }

  /** On a stream of HTTP/2 whose extended CONNECT was answered with this head. */
  static over(raw: RawPeer, head: string): WebSocketPeer {
    return new WebSocketPeer(raw, head)
  }

  send(opcode: Opcode, payload?: string | Uint8Array, options?: FrameOptions): Promise<void> {
    return this.raw.write(frame(opcode, payload, options))
  }

  /** The next frame. A server's frames are never masked (RFC 6455 §5.1). */
  async read(): Promise<Heard> {
    const [first = 0, second = 0] = await this.#bytes(2)
    assert.equal(second & 0x80, 0, 'a server masks nothing')
    const short = second & 0x7f
    const length =
      short < 126
        ? short
        : short === 126
          ? (await this.#bytes(2)).readUInt16BE()
          : Number((await this.#bytes(8)).readBigUInt64BE())
    const payload = await this.#bytes(length)
    return { opcode: first & 0x0f, fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, payload }
  }

  /** The next frame, which must be a whole text message. */
  async readText(): Promise<string> {
    const { opcode, fin, rsv, payload } = await this.read()
    assert.deepEqual({ opcode, fin, rsv }, { opcode: opcodes.text, fin: true, rsv: 0 }, payload.toString('latin1'))
    return payload.toString()
  }

  async readJson(): Promise<unknown> {
    return JSON.parse(await this.readText())
  }

  /** The next frame, which must be a close frame: its code and its text. */
  async readClose(): Promise<{ code: number | undefined; text: string }> {
    const { opcode, payload } = await this.read()
    assert.equal(opcode, opcodes.close, `frame ${opcode}: ${payload.toString('latin1', 0, 200)}`)
    return { code: payload.length === 0 ? undefined : payload.readUInt16BE(), text: payload.subarray(2).toString() }
  }

  /** Answers a close frame of the server's with the same, and waits until the server has closed the connection. */
  async agree(): Promise<{ code: number | undefined; text: string }> {
    const said = await this.readClose()
    await this.send('close', said.code === undefined ? '' : closing(said.code))
    await this.raw.closed
    assert.equal(this.raw.received, '', 'nothing follows a close frame')
    return said
  }

  async #bytes(count: number): Promise<Buffer> {
    if (count === 0) return Buffer.alloc(0)
    return Buffer.from(await this.raw.readBytes(count), 'latin1')
  }
}
