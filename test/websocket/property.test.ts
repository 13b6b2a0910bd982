import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from '../../src/index.js'
import { type Served, start } from '../support/app.js'
import { fc } from '../support/properties.js'
import { closing, frame, opcodes, WebSocketPeer } from '../support/websocket-peer.js'

@WebSocket('/sync')
class Sync {
  message(message: string | Buffer) {
    return message
  }
}

@WebSocket('/async')
class Async {
  async message(message: string | Buffer) {
    await Promise.resolve()
    return [message]
  }
}

@WebSocket('/generated')
class Generated {
  async *message(message: string | Buffer) {
    yield message
  }
}

interface Message {
  readonly kind: 'text' | 'binary'
  readonly parts: readonly Buffer[]
  /** Pings between its fragments, by the number of the fragment they follow. */
  readonly pings: ReadonlyMap<number, string>
}

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40, size: 'max' }) },
  { weight: 1, arbitrary: fc.constantFrom(125, 126, 127, 65_535, 65_536).map(length => 'x'.repeat(length)) },
)

const message: fc.Arbitrary<Message> = fc
  .record({
    kind: fc.constantFrom('text' as const, 'binary' as const),
    payload: payload.map(text => Buffer.from(text)),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }),
    pings: fc.array(fc.tuple(fc.nat(5), fc.string({ maxLength: 20, size: 'max' })), { maxLength: 3 }),
  })
  .map(({ kind, payload: whole, cuts, pings }) => {
    const ends = [...cuts.map(cut => Math.floor(cut * whole.length)).sort((a, b) => a - b), whole.length]
    const parts = ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end))
    return { kind, parts, pings: new Map(pings) }
  })

function framesOf({ kind, parts, pings }: Message): Buffer[] {
  return parts.flatMap((part, index) => {
    const piece = frame(index === 0 ? kind : 'continuation', part, { fin: index === parts.length - 1 })
    const ping = pings.get(index)
    return ping === undefined ? [piece] : [piece, frame('ping', ping)]
  })
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map(cut => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length]
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

describe('any messages, fragmented, with pings between, in any packets', () => {
  let served: Served
  before(async () => {
    served = await start([Sync, Async, Generated])
  })
  after(() => served.app.close({ deadline: 0 }))

  for (const path of ['/sync', '/async', '/generated']) {
    test(`are echoed exactly, in their order, and each ping has its pong (${path})`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(message, { maxLength: 12 }),
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 }),
          async (messages, cuts) => {
            const peer = await WebSocketPeer.open(served.port, path)
            const heard: { opcode: number; payload: string }[] = []
            const pings = messages.flatMap(({ parts, pings: between }) =>
              parts.flatMap((_, index) => (between.has(index) ? [between.get(index) ?? ''] : [])),
            )
            const reading = (async () => {
              for (let left = messages.length + pings.length; left > 0; left--) {
                const { opcode, payload: bytes } = await peer.read()
                heard.push({ opcode, payload: bytes.toString('latin1') })
              }
            })()
            const bytes = Buffer.concat(messages.flatMap(framesOf))
            for (const packet of cutAt(bytes, cuts)) await peer.raw.write(packet)
            await reading
            const isPong = ({ opcode }: { opcode: number }) => opcode === opcodes.pong
            assert.deepEqual(
              heard.filter(each => !isPong(each)),
              messages.map(({ kind, parts }) => ({
                opcode: opcodes[kind],
                payload: Buffer.concat(parts).toString('latin1'),
              })),
            )
            assert.deepEqual(
              heard.filter(isPong).map(each => each.payload),
              pings.map(ping => Buffer.from(ping).toString('latin1')),
            )
            await peer.send('close', closing(1000))
            assert.equal((await peer.readClose()).code, 1000)
            await peer.raw.closed
          },
        ),
        { numRuns: 60 },
      )
    })
  }
})
