import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readRanges } from '../../src/http/ranges.js'
import { Controller, file, Get, Param } from '../../src/index.js'
import { folderOf } from '../support/folder.js'
import { fc } from '../support/properties.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

const digits = '0123456789'
const large = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251))
const root = folderOf({ 'digits.txt': digits, 'large.bin': large })

@Controller()
class Files {
  @Get('/:name') show(@Param('name') name: string) {
    return file(name, { root })
  }
}

describe('P19: ranges of a file', () => {
  const served = serveSuite({ controllers: [Files] })
  const get = (path: string, range: string, method = 'GET') =>
    send(served.port, `${method} ${path}`, { headers: { Range: range } })

  for (const [range, part, text] of [
    ['bytes=0-0', '0-0', '0'],
    ['bytes=2-4', '2-4', '234'],
    ['bytes=7-', '7-9', '789'],
    ['bytes=-2', '8-9', '89'],
    ['bytes=-10', '0-9', digits],
    ['bytes=-99', '0-9', digits],
    ['bytes=0-999999999999999999999999', '0-9', digits],
    ['Bytes=2-4', '2-4', '234'],
    ['bytes=2-4,3-6', '2-6', '23456'],
    ['bytes=2-4, 5-6', '2-6', '23456'],
    ['bytes=2-4,90-', '2-4', '234'],
    ['bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-', '0-9', digits],
  ] as const) {
    test(`one: ${range}`, async () => {
      const { status, headers, text: heard } = await get('/digits.txt', range)
      assert.deepEqual([status, heard], [206, text])
      assert.equal(headers['content-range'], `bytes ${part}/10`)
      assert.equal(headers['content-length'], String(text.length))
      assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
    })
  }

  for (const range of ['bytes=10-', 'bytes=90-99', 'bytes=-0', 'bytes=10-,20-30', 'bytes=5-4']) {
    test(`none: ${range} is 416, and tells the length`, async () => {
      const { status, headers } = await get('/digits.txt', range)
      assert.deepEqual([status, headers['content-range']], [416, 'bytes */10'])
      assert.equal(headers['content-type'], 'application/problem+json')
    })
  }

  for (const range of [
    'items=0-1',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=1-2-3',
    'bytes=--1',
    'bytes 0-1',
  ]) {
    test(`not understood: ${range} is the whole`, async () => {
      const { status, text, headers } = await get('/digits.txt', range)
      assert.deepEqual([status, text, headers['content-range']], [200, digits, undefined])
    })
  }

  test('HEAD has none (RFC 9110 §14.2)', async () => {
    const { status, headers } = await get('/digits.txt', 'bytes=0-1', 'HEAD')
    assert.deepEqual([status, headers['content-length'], headers['accept-ranges']], [200, '10', 'bytes'])
  })

  test('several come as multipart/byteranges, of the length that is told', async () => {
    const { status, headers, text, bytes } = await get('/digits.txt', 'bytes=7-,0-1,3-3')
    assert.equal(status, 206)
    const boundary = /^multipart\/byteranges; boundary=([\da-f]{36})$/.exec(String(headers['content-type']))?.[1]
    const part = (range: string, content: string) =>
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ${range}/10\r\n\r\n${content}\r\n`
    assert.equal(text, `${part('7-9', '789')}${part('0-1', '01')}${part('3-3', '3')}--${boundary}--\r\n`)
    assert.equal(headers['content-length'], String(bytes.length))
    assert.equal(headers['content-range'], undefined)
  })

  test('many: for more than eight parts that stay apart, the whole is sent, once', async () => {
    const eight = Array.from({ length: 8 }, (_, at) => `${at * 10}-${at * 10}`)
    assert.equal((await get('/large.bin', `bytes=${eight}`)).status, 206)
    const { status, bytes } = await get('/large.bin', `bytes=${eight},500-500`)
    assert.equal(status, 200)
    assert.deepEqual(bytes, large)
    const flood = Array.from({ length: 1500 }, (_, at) => `${at * 2}-${at * 2}`)
    assert.equal((await get('/large.bin', `bytes=${flood}`)).bytes.length, large.length)
  })

  test('of a file of several chunks come from where they are', async () => {
    const { bytes } = await get('/large.bin', 'bytes=60000-150000')
    assert.deepEqual(bytes, large.subarray(60_000, 150_001))
    const two = await get('/large.bin', 'bytes=1-70000,100000-199999')
    assert.ok(two.bytes.includes(large.subarray(1, 70_001)))
    assert.ok(two.bytes.includes(large.subarray(100_000)))
  })
})

/** What a set of specs asks for, said byte by byte. */
function model(specs: readonly (readonly [number | undefined, number | undefined])[], size: number): Set<number> {
  const bytes = new Set<number>()
  for (const [first, last] of specs)
    for (let at = 0; at < size; at++)
      if (first === undefined ? at >= size - (last ?? 0) : at >= first && at <= (last ?? size)) bytes.add(at)
  return bytes
}

test('P19: ranges hold to a simple model', () => {
  const spec = fc.oneof(
    fc.tuple(fc.nat(30), fc.nat(30)),
    fc.tuple(fc.nat(30), fc.constant(undefined)),
    fc.tuple(fc.constant(undefined), fc.nat(30)),
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 25 }), fc.array(spec, { minLength: 1, maxLength: 6 }), (size, specs) => {
      const field = `bytes=${specs.map(([first = '', last = '']) => `${first}-${last}`).join(', ')}`
      const parts = readRanges(field, size)
      assert.ok(parts !== undefined, field)
      const expected = model(specs, size)
      const heard = parts.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at))
      assert.deepEqual(new Set(heard), expected, field)
      assert.equal(heard.length, expected.size, `${field}: a byte twice`)
      for (const { end } of parts) assert.ok(!parts.some(other => other.start === end), `${field}: parts that touch`)
    }),
    { seed: 20_26, numRuns: 2000 },
  )
})

test('P19: no Range field makes the reader fail', () => {
  const junk = fc.string({ unit: fc.constantFrom(...'0123456789-, =*bytes\t"') })
  fc.assert(
    fc.property(junk, fc.nat(100), (text, size) => {
      const parts = readRanges(`bytes=${text}`, size)
      for (const { start, end } of parts ?? []) assert.ok(start >= 0 && start < end && end <= size)
    }),
    { seed: 20_26, numRuns: 5000 },
  )
})
