import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type CloseReason, type Socket, WebSocket } from '../../src/index.js'
import { type Served, serve, start } from '../support/app.js'
import { fc } from '../support/properties.js'
import { RawPeer } from '../support/raw-peer.js'
import { closing, frame, handshake, WebSocketPeer } from '../support/websocket-peer.js'

/** What each connection heard, by the name that its peer chose. */
const heard = new Map<string, string[]>()
const ended = new Map<string, (reason: CloseReason) => void>()

class Listening {
  readonly log: string[] = []

  open(socket: Socket) {
    heard.set(String(socket.query.name), this.log)
  }
  message(message: string | Buffer) {
    this.log.push(typeof message === 'string' ? `text ${message}` : `binary ${message.toString('hex')}`)
    return message
  }
  ping(data: Buffer) {
    this.log.push(`ping ${data.toString('hex')}`)
  }
  pong(data: Buffer) {
    this.log.push(`pong ${data.toString('hex')}`)
  }
  close(reason: CloseReason, socket: Socket) {
    const { code, text } = reason as { code?: number; text?: string }
    this.log.push(`close ${reason.kind} ${code} ${text}`)
    ended.get(String(socket.query.name))?.(reason)
  }
}

/** Reads by itself what it can. */
@WebSocket('/own', { maxPayload: 16_384 })
class Own extends Listening {}

/** `ws` reads for a route that may compress, also where the peer does not offer it. */
@WebSocket('/ws', { maxPayload: 16_384, perMessageDeflate: true })
class ReadByWs extends Listening {}

const text = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
  { weight: 1, arbitrary: fc.constantFrom(124, 125, 126, 127, 16_370, 16_384, 16_385, 65_535, 65_536).map(many) },
)

function many(length: number): string {
  return 'é'.repeat(length >> 1) + 'x'.repeat(length & 1)
}

/** What ends a message, a connection, or the patience of a server. */
const odd: readonly Buffer[] = [
  frame('close', closing(1000, 'bye')),
  frame('close'),
  frame('text', Buffer.from([0x61, 0xff])),
  frame('text', 'x', { mask: false }),
  frame('text', 'x', { rsv: 4 }),
  frame('continuation', 'x'),
  frame('ping', 'x'.repeat(126)),
  frame('ping', 'x', { fin: false }),
  frame(3, 'x'),
  frame(11, 'x'),
  // Five bytes, in more bytes of length than there need be.
  Buffer.concat([Buffer.from([0x81, 0xfe, 0, 5, 0, 0, 0, 0]), Buffer.from('hello')]),
  frame('text', 'x', { length: 2 ** 40 }),
]

/** Frames as peers send them, and some that none may send. */
const piece: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: text.map(payload => frame('text', payload)) },
  { weight: 3, arbitrary: text.map(payload => frame('binary', payload)) },
  { weight: 2, arbitrary: fc.string({ maxLength: 20 }).map(payload => frame('ping', payload)) },
  { weight: 2, arbitrary: fc.string({ maxLength: 20 }).map(payload => frame('pong', payload)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(text, text)
      .map(([first, last]) =>
        Buffer.concat([frame('text', first, { fin: false }), frame('ping', 'x'), frame('continuation', last)]),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...odd),
  },
)

/** Some of the bytes are others. */
function spoilt(bytes: Buffer, spots: readonly (readonly [number, number])[]): Buffer {
  const copy = Buffer.from(bytes)
  for (const [place, byte] of spots) if (copy.length > 0) copy[Math.floor(place * copy.length)] = byte
  return copy
}

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

describe('what a socket reads by itself', () => {
  let served: Served
  let names = 0
  before(async () => {
    served = await start([Own, ReadByWs])
  })
  after(() => served.app.close({ deadline: 0 }))

  /** Says bytes in packets, and a FIN; answers what the socket heard, and what it said where no reset took that away. */
  async function said(path: string, bytes: Buffer, cuts: readonly number[]) {
    const name = `${path}${names++}`
    const over = new Promise(resolve => ended.set(name, resolve))
    const peer = await RawPeer.connect(served.port)
    const ends = [...cuts.map(cut => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length]
    await peer.write(handshake(`${path}?name=${name}`))
    await peer.readUntil('\r\n\r\n')
    for (const [index, end] of ends.entries()) {
      await peer.write(bytes.subarray(ends[index - 1] ?? 0, end)).catch(() => {})
    }
    peer.end()
    await over
    const closed = await peer.closed
    const log = heard.get(name) ?? []
    heard.delete(name)
    ended.delete(name)
    return { log, answer: closed === 'end' ? peer.received : undefined }
  }

  test('is what ws would read of the same bytes, whatever they are and however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.tuple(share, fc.nat(255)), { maxLength: 2 }),
        fc.array(share, { maxLength: 8 }),
        async (pieces, spots, cuts) => {
          const bytes = spoilt(Buffer.concat(pieces), spots)
          const [own, byWs] = await Promise.all([said('/own', bytes, cuts), said('/ws', bytes, cuts)])
          assert.deepEqual(own.log, byWs.log)
          if (own.answer !== undefined && byWs.answer !== undefined) assert.equal(own.answer, byWs.answer)
        },
      ),
      { numRuns: 200 },
    )
  })

  for (const [index, frames] of odd.entries()) {
    test(`is left to ws where it is odd (${index})`, async () => {
      const bytes = Buffer.concat([frame('text', 'before'), frames, frame('text', 'behind')])
      const [own, byWs] = await Promise.all([said('/own', bytes, []), said('/ws', bytes, [])])
      assert.deepEqual(own.log, byWs.log)
      assert.equal(own.log[0], 'text before')
    })
  }

  test('is whole when it comes byte by byte', async () => {
    const peer = await WebSocketPeer.open(served.port, '/own?name=bytes')
    const [small, large] = ['x'.repeat(300), 'y'.repeat(3000)]
    const frames = [frame('text', 'héllo'), frame('ping', 'p'), frame('binary', small), frame('binary', large)]
    for (const byte of Buffer.concat(frames)) await peer.raw.write(Buffer.from([byte]))
    const heard: string[] = []
    for (const _ of frames) {
      const { opcode, payload } = await peer.read()
      heard.push(`${opcode} ${payload}`)
    }
    assert.deepEqual(heard, ['1 héllo', '10 p', `2 ${small}`, `2 ${large}`])
    peer.raw.destroy()
  })
})

test('half a frame that came before the server said goodbye is no beginning of another', async t => {
  @WebSocket('/')
  class Leaving {
    message(_message: string, socket: Socket) {
      setImmediate(() => socket.close())
    }
  }
  const { port } = await serve(t, [Leaving])
  const peer = await WebSocketPeer.open(port, '/')
  // Its second half looks like the head of a frame of 65,535 bytes, for whose end `ws` would wait as long as it is patient.
  const halved = frame('binary', Buffer.from('aa82feffff00000000', 'hex'), { mask: Buffer.alloc(4) })
  await peer.raw.write(Buffer.concat([frame('text', 'x'), halved.subarray(0, 7)]))
  assert.equal((await peer.readClose()).code, 1000)
  const before = performance.now()
  await peer.raw.write(Buffer.concat([halved.subarray(7), frame('close', closing(1000))]))
  assert.equal(await peer.raw.closed, 'end')
  assert.ok(performance.now() - before < 2500, 'the close frame was understood')
})
