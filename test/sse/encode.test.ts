import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { data, event, type ServerSentEvent } from '../../src/index.js'
import { chunkedCodec, encodeEvent, plainCodec, toEvent } from '../../src/sse/encode.js'
import { fc } from '../support/properties.js'
import { parse } from './app.js'

/** Lines as every parser splits them. */
const normalized = (text: string) => text.replace(/\r\n|\r/g, '\n').toWellFormed()
const onWire = (fields: ServerSentEvent) => plainCodec.frame(encodeEvent(fields)).toString()
const read = (fields: ServerSentEvent) => parse(onWire(fields))

describe('the wire format, byte for byte', () => {
  const golden: [title: string, fields: ServerSentEvent, wire: string][] = [
    ['P26: a string goes as it is', { data: 'hello' }, 'data: hello\n\n'],
    ['P26: an object goes as JSON', { data: { hello: 'world' } }, 'data: {"hello":"world"}\n\n'],
    ['P26: an array goes as JSON', { data: [1, 'two'] }, 'data: [1,"two"]\n\n'],
    ['P26: numbers, booleans and null go as JSON', { data: 5 }, 'data: 5\n\n'],
    ['a boolean', { data: false }, 'data: false\n\n'],
    ['null', { data: null }, 'data: null\n\n'],
    ['the empty string is an event', { data: '' }, 'data:\n\n'],
    ['a leading space is kept', { data: ' x' }, 'data:  x\n\n'],
    ['fields have one order', { data: 'd', retry: 1, id: 'i', event: 'e' }, 'event: e\nid: i\nretry: 1\ndata: d\n\n'],
    ['P27: each line is a field of its own', { data: 'a\nb\rc\r\nd' }, 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
    ['P27: empty lines stay', { data: '\n\n' }, 'data:\ndata:\ndata:\n\n'],
    ['P27: a line cannot begin a field', { data: 'x\nid: 7' }, 'data: x\ndata: id: 7\n\n'],
    ['P26: retry 0 is kept', { retry: 0 }, 'retry: 0\n\n'],
    ['id 0 is kept', { id: 0, data: '' }, 'id: 0\ndata:\n\n'],
    ['the empty id clears the last one', { id: '', data: 'x' }, 'id\ndata: x\n\n'],
    ['B19: an event may be an id only', { id: '7' }, 'id: 7\n\n'],
    ['B19: an event may be a retry only', { retry: 250 }, 'retry: 250\n\n'],
    ['B19: type is another name of event', { type: 'tick', data: 1 }, 'event: tick\ndata: 1\n\n'],
    ['event wins over type', { event: 'a', type: 'b', data: 1 }, 'event: a\ndata: 1\n\n'],
    ['an event without data still reaches the peer', { event: 'blank' }, 'event: blank\ndata:\n\n'],
    ['a comment', { comment: 'hi' }, ': hi\n\n'],
    ['a comment of several lines', { comment: 'a\rb\n\nc' }, ': a\n: b\n:\n: c\n\n'],
    ['NUL in data passes', { data: 'a\0b' }, 'data: a\0b\n\n'],
    ['U+2028 is no line', { data: 'a\u2028b\u2029c\u0085d\vE' }, 'data: a\u2028b\u2029c\u0085d\vE\n\n'],
    ['a byte order mark in data passes', { data: '\ufeffx' }, 'data: \ufeffx\n\n'],
  ]
  for (const [title, fields, wire] of golden) test(title, () => assert.equal(onWire(fields), wire))

  test('a lone surrogate becomes U+FFFD, and spoils nothing after it', () => {
    assert.equal(read({ data: 'a\ud800b' }).events[0]?.data, 'a\ufffdb')
  })
})

describe('P27: what would break out of its field is refused, and named', () => {
  const refused: [title: string, fields: unknown, message: RegExp][] = [
    ['LF in event', { event: 'a\nb' }, /the event of an event is one line: "a\\nb" has a CR, LF or NUL/],
    ['CR in event', { event: 'a\rb' }, /the event of an event is one line/],
    ['NUL in event', { event: 'a\0b' }, /the event of an event is one line/],
    ['LF in type', { type: 'a\nb' }, /the event of an event is one line/],
    ['LF in id', { id: '1\nretry: 1' }, /the id of an event is one line/],
    ['CR in id', { id: '1\r' }, /the id of an event is one line/],
    ['NUL in id, which makes peers ignore it', { id: '1\0' }, /the id of an event is one line/],
    ['an id that is no text', { id: { a: 1 } }, /the id of an event is a string, not object/],
    ['an event that is no text', { event: 5 }, /the event of an event is a string, not number/],
    ['a comment that is no text', { comment: 5 }, /the comment of an event is a string, not number/],
    ['a fraction as retry', { retry: 1.5 }, /retry is a whole number of milliseconds, not 1.5/],
    ['a negative retry', { retry: -1 }, /retry is a whole number of milliseconds, not -1/],
    ['a string as retry', { retry: '1\ndata: x' }, /retry is a whole number of milliseconds/],
    ['undefined as data', { data: undefined }, /undefined cannot be sent/],
    [
      'a map as data',
      { data: new Map([[1, 2]]) },
      /\(JSON makes \{\} of a Map\): send Object\.fromEntries\(map\), or \[\.\.\.map\]$/,
    ],
    [
      'a set in data',
      { data: { of: [{}, new Set([1])] } },
      /\(JSON makes \{\} of a Set at \.of\[1\]\): send \[\.\.\.set\]$/,
    ],
    ['a function as data', { data: () => 1 }, /function cannot be sent/],
    ['a BigInt as data', { data: 1n }, /must have a JSON form \(Do not .*\): send a BigInt as a string/],
    ['a symbol as data', { data: Symbol('s') }, /symbol cannot be sent/],
    ['bytes as data', { data: Buffer.from('x') }, /send bytes as base64, or over a WebSocket/],
    ['an event without a field', {}, /an event needs a field/],
  ]
  for (const [title, fields, message] of refused) {
    test(title, () => assert.throws(() => encodeEvent(fields as ServerSentEvent), { name: 'TypeError', message }))
  }

  test('a cycle as data', () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    assert.throws(() => encodeEvent({ data: cycle }), TypeError)
  })

  test('what fails as it is made JSON says where', () => {
    const broken = new TypeError('no price')
    const data = {
      toJSON() {
        throw broken
      },
    }
    assert.throws(() => encodeEvent({ data }), { name: 'TypeError', message: /\(no price\)/, cause: broken })
  })
})

describe('what is an event, and what is data', () => {
  const cases: [title: string, value: unknown, fields: ServerSentEvent][] = [
    ['a string is data', 'x', { data: 'x' }],
    ['an object with other fields is data', { event: 'x', user: 1 }, { data: { event: 'x', user: 1 } }],
    ['an object with event and data is an event', { event: 'x', data: 1 }, { event: 'x', data: 1 }],
    ['an object with type and data is an event', { type: 'x', data: 1 }, { type: 'x', data: 1 }],
    ['an object with a comment is an event', { comment: 'x' }, { comment: 'x' }],
    ['an object with a retry is an event', { retry: 5 }, { retry: 5 }],
    ['an object with an id only is data, as rows of a table are', { id: 5 }, { data: { id: 5 } }],
    ['an object with a type only is data', { type: 'x' }, { data: { type: 'x' } }],
    ['an id only is an event by event()', event({ id: 5 }), { id: 5 }],
    ['an event-like object is data by data()', data({ event: 'x' }), { data: { event: 'x' } }],
    ['an empty object is data', {}, { data: {} }],
    ['an array is data', [], { data: [] }],
    ['null is data', null, { data: null }],
  ]
  for (const [title, value, fields] of cases) test(title, () => assert.deepEqual(toEvent(value), fields))

  test('P26: unknown fields are left out by event()', () => {
    const fields = { event: 'x', data: 1, fake: 'y' } as ServerSentEvent
    assert.equal(encodeEvent(toEvent(event(fields))), 'event: x\ndata: 1\n\n')
  })
})

describe('every parser reads what was written', () => {
  // Line ends and other control characters are far more frequent here than in life.
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', '\0', ':', ' ', '\u2028', '\ufeff', '\ud800', 'data', 'id: 1', 'é', '😀'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  })
  const line = text.map(value => value.replace(/[\r\n\0]/g, ''))
  const fields = fc.record(
    { event: line, id: fc.oneof(line, fc.nat()), retry: fc.nat(), data: fc.oneof(text, fc.jsonValue()), comment: text },
    { requiredKeys: ['data'] },
  )
  const meaning = ({ event, id, data }: ServerSentEvent) => ({
    event: event === undefined || event === '' ? undefined : event.toWellFormed(),
    id: id === undefined ? undefined : String(id).toWellFormed(),
    data: normalized(typeof data === 'string' ? data : JSON.stringify(data)),
  })

  test('P27: whatever the event, what arrives is what was sent', () => {
    fc.assert(
      fc.property(fields, one => {
        const { events, comments, retries } = read(one)
        assert.deepEqual(events, [meaning(one)])
        assert.deepEqual(comments, one.comment === undefined ? [] : normalized(one.comment).split('\n'))
        assert.deepEqual(retries, one.retry === undefined ? [] : [one.retry])
      }),
      { numRuns: 1000 },
    )
  })

  test('events one after another stay apart', () => {
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 5 }), all => {
        assert.deepEqual(parse(all.map(onWire).join('')).events, all.map(meaning))
      }),
      { numRuns: 300 },
    )
  })

  test('what a registry sends is the same on both framings, and a chunk says its length in bytes', () => {
    const sent = { event: 'goto', data: '{"at":"é😀"}', id: 'e-1' }
    const plain = plainCodec.encode(sent)
    assert.equal(plain.toString(), 'event: goto\nid: e-1\ndata: {"at":"é😀"}\n\n')
    assert.equal(chunkedCodec.encode(sent).toString(), `${plain.length.toString(16)}\r\n${plain.toString()}\r\n`)
  })
})
