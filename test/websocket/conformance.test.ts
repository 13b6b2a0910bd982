/** The cases of the Autobahn test suite that concern a server which echoes, by their numbers there. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type CloseReason, WebSocket } from '../../src/index.js'
import { type Served, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { closing, frame, opcodes, WebSocketPeer } from '../support/websocket-peer.js'

const ended: CloseReason[] = []

@WebSocket('/echo')
class Echo {
  message(message: string | Buffer) {
    return message
  }
  close(reason: CloseReason) {
    ended.push(reason)
  }
}

type Spoken = readonly [kind: 'text' | 'binary' | 'ping' | 'pong', payload: string | Uint8Array]

interface Case {
  readonly name: string
  readonly sends: readonly Buffer[]
  readonly hears?: readonly Spoken[]
  /** The code of the close frame that the server sends first; where there is none, it echoes ours. */
  readonly closes?: number
  /** Whether every byte goes in a packet of its own. */
  readonly chopped?: boolean
}

const text = (length: number) => '*'.repeat(length)
const bytes = (length: number) => Buffer.alloc(length, 0xfe)
const part = { fin: false }

const lengths = [0, 125, 126, 127, 128, 65_535, 65_536]

const framing: Case[] = [
  ...lengths.map(
    (length, index): Case => ({
      name: `1.1.${index + 1}: a text of ${length} bytes`,
      sends: [frame('text', text(length))],
      hears: [['text', text(length)]],
    }),
  ),
  ...lengths.map(
    (length, index): Case => ({
      name: `1.2.${index + 1}: ${length} bytes`,
      sends: [frame('binary', bytes(length))],
      hears: [['binary', bytes(length)]],
    }),
  ),
]

const pings: Case[] = [
  { name: '2.1: a ping without payload', sends: [frame('ping')], hears: [['pong', '']] },
  { name: '2.2: a ping with text', sends: [frame('ping', 'Hello')], hears: [['pong', 'Hello']] },
  {
    name: '2.3: a ping with bytes that are no text',
    sends: [frame('ping', Buffer.from([0, 255, 254, 253, 252, 251, 0]))],
    hears: [['pong', Buffer.from([0, 255, 254, 253, 252, 251, 0])]],
  },
  { name: '2.4: a ping of 125 bytes', sends: [frame('ping', bytes(125))], hears: [['pong', bytes(125)]] },
  { name: '2.5: a ping of 126 bytes', sends: [frame('ping', bytes(126))], closes: 1002 },
  {
    name: '2.6: a ping of 125 bytes, byte by byte',
    sends: [frame('ping', bytes(125))],
    hears: [['pong', bytes(125)]],
    chopped: true,
  },
  { name: '2.7: a pong that nobody asked for', sends: [frame('pong')] },
  { name: '2.8: a pong with payload that nobody asked for', sends: [frame('pong', 'unasked')] },
  {
    name: '2.10: ten pings',
    sends: [...Array(10).keys()].map(index => frame('ping', `${index}`)),
    hears: [...Array(10).keys()].map(index => ['pong', `${index}`] as const),
  },
]

const reserved: Case[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map(
    (rsv): Case => ({
      name: `3.${rsv}: reserved bits ${rsv} behind a good message`,
      sends: [frame('text', 'good'), frame('text', 'bad', { rsv })],
      hears: [['text', 'good']],
      closes: 1002,
    }),
  ),
  { name: '3.7b: reserved bits on a ping', sends: [frame('ping', '', { rsv: 4 })], closes: 1002 },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Case => ({
      name: `4: the reserved opcode ${opcode}`,
      sends: [frame(opcode, 'x')],
      closes: 1002,
    }),
  ),
  { name: '5.1 of RFC 6455: a frame without mask', sends: [frame('text', 'x', { mask: false })], closes: 1002 },
]

const fragments: Case[] = [
  { name: '5.1: a ping in fragments', sends: [frame('ping', 'a', part), frame('continuation', 'b')], closes: 1002 },
  { name: '5.2: a pong in fragments', sends: [frame('pong', 'a', part), frame('continuation', 'b')], closes: 1002 },
  {
    name: '5.3: a text in two fragments',
    sends: [frame('text', 'frag', part), frame('continuation', 'ment')],
    hears: [['text', 'fragment']],
  },
  {
    name: '5.5: a text in two fragments, byte by byte',
    sends: [frame('text', 'frag', part), frame('continuation', 'ment')],
    hears: [['text', 'fragment']],
    chopped: true,
  },
  {
    name: '5.6: a ping between two fragments',
    sends: [frame('text', 'frag', part), frame('ping', 'now'), frame('continuation', 'ment')],
    hears: [
      ['pong', 'now'],
      ['text', 'fragment'],
    ],
  },
  { name: '5.9: a continuation of nothing', sends: [frame('continuation', 'x')], closes: 1002 },
  { name: '5.12: a continuation of nothing, not the last', sends: [frame('continuation', 'x', part)], closes: 1002 },
  {
    name: '5.15: a continuation behind a whole message',
    sends: [frame('text', 'a', part), frame('continuation', 'b'), frame('continuation', 'c', part), frame('text', 'd')],
    hears: [['text', 'ab']],
    closes: 1002,
  },
  {
    name: '5.18: a new message inside of another',
    sends: [frame('text', 'a', part), frame('text', 'b')],
    closes: 1002,
  },
  {
    name: '5.19: five fragments and two pings, in one packet',
    sends: [
      frame('text', '1', part),
      frame('continuation', '2', part),
      frame('ping', 'first'),
      frame('continuation', '3', part),
      frame('continuation', '4', part),
      frame('ping', 'second'),
      frame('continuation', '5'),
    ],
    hears: [
      ['pong', 'first'],
      ['pong', 'second'],
      ['text', '12345'],
    ],
  },
]

const KOSME = Buffer.from('κόσμε')
const invalid: [number: string, bytes: number[]][] = [
  ['6.3.1', [...Buffer.from('κόσμε'), 0xed, 0xa0, 0x80, ...Buffer.from('edited')]],
  ['6.6.1', [0xce]],
  ['6.8.1', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['6.10.1', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ['6.11.5', [0xf4, 0x90, 0x80, 0x80]],
  ['6.12.1', [0x80]],
  ['6.12.7', [0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf]],
  ['6.13.1', [0xc0, 0x20]],
  ['6.14.6', [0xc0]],
  ['6.18.1', [0xc0, 0xaf]],
  ['6.19.1', [0xc1, 0xbf]],
  ['6.20.1', [0xed, 0xa0, 0x80]],
  ['6.21.1', [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]],
]

const encoding: Case[] = [
  {
    name: '6.1.2: three empty fragments',
    sends: [frame('text', '', part), frame('continuation', '', part), frame('continuation')],
    hears: [['text', '']],
  },
  {
    name: '6.1.3: a fragment with text between two that are empty',
    sends: [frame('text', '', part), frame('continuation', 'middle', part), frame('continuation')],
    hears: [['text', 'middle']],
  },
  {
    name: '6.2.3: a text of several bytes a letter, one byte a fragment',
    sends: [...KOSME].map((byte, index) =>
      frame(index === 0 ? 'text' : 'continuation', Buffer.from([byte]), { fin: index === KOSME.length - 1 }),
    ),
    hears: [['text', 'κόσμε']],
  },
  { name: '6.5.1: a text of several bytes a letter', sends: [frame('text', KOSME)], hears: [['text', 'κόσμε']] },
  { name: '6.7.1: NUL', sends: [frame('text', '\0')], hears: [['text', '\0']] },
  { name: '6.9.4: the last letter there is', sends: [frame('text', '\u{10ffff}')], hears: [['text', '\u{10ffff}']] },
  { name: '6.22.1: letters that are none', sends: [frame('text', '\uffff\ufeff')], hears: [['text', '\uffff\ufeff']] },
  ...invalid.map(
    ([number, octets]): Case => ({
      name: `${number}: text that is no UTF-8 (${Buffer.from(octets).toString('hex')})`,
      sends: [frame('text', Buffer.from(octets))],
      closes: 1007,
    }),
  ),
  {
    name: '6.4.2: text that is no UTF-8 by its second fragment',
    sends: [frame('text', 'a', part), frame('continuation', Buffer.from([0xff]))],
    closes: 1007,
  },
]

const closes: Case[] = [
  { name: '7.3.2: a close of one byte', sends: [frame('close', Buffer.from([3]))], closes: 1002 },
  { name: '7.3.6: a close whose text is too long', sends: [frame('close', closing(1000, text(124)))], closes: 1002 },
  {
    name: '7.5.1: a close whose text is no UTF-8',
    sends: [frame('close', closing(1000, Buffer.from([0xce, 0xba, 0xff])))],
    closes: 1007,
  },
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code): Case => ({
      name: `7.9: the close code ${code}, which may not be sent`,
      sends: [frame('close', closing(code))],
      closes: 1002,
    }),
  ),
]

describe('RFC 6455 as the Autobahn suite tests it', () => {
  let served: Served
  before(async () => {
    served = await start([Echo])
  })
  after(() => served.app.close({ deadline: 0 }))

  for (const { name, sends, hears = [], closes: code, chopped = false } of [
    ...framing,
    ...pings,
    ...reserved,
    ...fragments,
    ...encoding,
    ...closes,
  ]) {
    test(`${name} ${code === undefined ? 'is fine' : `is ${code}`}`, async () => {
      ended.length = 0
      const peer = await WebSocketPeer.open(served.port, '/echo')
      const packet = Buffer.concat(sends)
      if (!chopped) await peer.raw.write(packet)
      else for (const byte of packet) await peer.raw.write(Uint8Array.of(byte))
      for (const [kind, payload] of hears) {
        const heard = await peer.read()
        assert.deepEqual(
          [heard.opcode, heard.fin, heard.rsv, heard.payload.toString('latin1')],
          [opcodes[kind], true, 0, Buffer.from(payload as string).toString('latin1')],
        )
      }
      if (code === undefined) await peer.send('close', closing(1000))
      assert.equal((await peer.readClose()).code, code ?? 1000)
      peer.raw.end()
      await peer.raw.closed
      assert.equal(peer.raw.received, '', 'nothing follows a close frame')
      await eventually('close has run', () => ended.length > 0)
      assert.deepEqual(ended, [code === undefined ? { kind: 'peer', code: 1000 } : { kind: 'protocol', code }])
    })
  }

  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    test(`P48/7.7: the close code ${code} is echoed, and told with its text`, async () => {
      ended.length = 0
      const peer = await WebSocketPeer.open(served.port, '/echo')
      await peer.send('close', closing(code, 'bye'))
      assert.equal((await peer.readClose()).code, code)
      assert.equal(await peer.raw.closed, 'end')
      await eventually('close has run', () => ended.length > 0)
      assert.deepEqual(ended, [{ kind: 'peer', code, text: 'bye' }])
    })
  }

  test('7.3.1: a close without code is answered with one without code', async () => {
    ended.length = 0
    const peer = await WebSocketPeer.open(served.port, '/echo')
    await peer.send('close')
    assert.deepEqual(await peer.readClose(), { code: undefined, text: '' })
    assert.equal(await peer.raw.closed, 'end')
    await eventually('close has run', () => ended.length > 0)
    assert.deepEqual(ended, [{ kind: 'peer' }])
  })

  test('7.1.2–7.1.4: what follows a close frame is not heard: no message, no ping, no second close', async () => {
    ended.length = 0
    const peer = await WebSocketPeer.open(served.port, '/echo')
    const sends = [
      frame('text', 'before'),
      frame('close', closing(1000)),
      frame('ping'),
      frame('text', 'after'),
      frame('close', closing(1001)),
    ]
    await peer.raw.write(Buffer.concat(sends))
    assert.equal(await peer.readText(), 'before')
    assert.equal((await peer.readClose()).code, 1000)
    await peer.raw.closed
    assert.equal(peer.raw.received, '')
    await eventually('close has run', () => ended.length > 0)
    assert.deepEqual(ended, [{ kind: 'peer', code: 1000 }])
  })
})
