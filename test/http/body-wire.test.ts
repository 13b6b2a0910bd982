import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { Body, type Context, Controller, Get, Guard, Post, Put, unauthorized } from '../../src/index.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { serveSuite } from '../support/serve.js'

let reads = 0

const knowsTheWord = (context: Context) => context.header('authorization') === 'word' || unauthorized('say the word')

@Controller()
class Wire {
  @Get('/plain') plain() {
    return 'plain'
  }
  @Put('/body') put(@Body({ as: 'text', limit: 1000 }) body: string) {
    reads++
    return { body }
  }
  @Post('/unread') unread() {
    return 'not looked at'
  }
  @Post('/guarded') @Guard(knowsTheWord) guarded(@Body({ as: 'text' }) body: string) {
    reads++
    return { body }
  }
}

const head = (line: string, ...fields: string[]) => `${[`${line} HTTP/1.1`, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`
const next = head('GET /plain', 'Connection: close')

describe('request bodies on the wire', () => {
  const served = serveSuite({ controllers: [Wire] })

  test('P17: a chunked body is read whole, and the next request is not mistaken for a part of it', async () => {
    const chunks = '3\r\nabc\r\n5;extension=1\r\ndefgh\r\n0\r\nTrailer: x\r\n\r\n'
    const raw = await rawRequest(served.port, head('PUT /body', 'Transfer-Encoding: chunked') + chunks + next)
    assert.match(raw, /\{"body":"abcdefgh"\}HTTP\/1\.1 200 OK.*\r\n\r\nplain$/s)
  })

  test('P17: a body in a transfer coding that is not undone here is 501 (RFC 9112 §6.1)', async () => {
    const chunk = '3\r\nabc\r\n0\r\n\r\n'
    const before = reads
    const raw = await rawRequest(served.port, head('PUT /body', 'Transfer-Encoding: gzip, chunked') + chunk + next)
    assert.match(raw, /^HTTP\/1\.1 501 .*the transfer coding gzip, chunked.*HTTP\/1\.1 200 OK/s)
    assert.equal(reads, before)
    const chunked = await rawRequest(served.port, head('PUT /body', 'Transfer-Encoding: Chunked') + chunk + next)
    assert.match(chunked, /\{"body":"abc"\}HTTP/)
  })

  test('P17: a body that no handler reads is read over', async () => {
    const raw = await rawRequest(
      served.port,
      `${head('POST /unread', 'Content-Length: 37')}GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n${next}`,
    )
    assert.equal(raw.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
    assert.doesNotMatch(raw, /404/)
  })

  test('P17: a body that comes in pieces, one of them half a character, is whole', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(head('PUT /body', 'Content-Length: 4', 'Connection: close'))
    const bytes = Buffer.from('aéb')
    for (const byte of bytes) await peer.write(Buffer.from([byte]))
    await peer.closed
    assert.match(Buffer.from(peer.received, 'latin1').toString(), /\{"body":"aéb"\}$/)
  })

  test('a chunked body past the limit is 413 before it has ended, and the connection goes on', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(head('PUT /body', 'Transfer-Encoding: chunked'))
    await peer.write(`600\r\n${'x'.repeat(0x600)}\r\n`)
    assert.match(await peer.readUntil('}'), /^HTTP\/1\.1 413 /)
    await peer.write(`3\r\nxyz\r\n0\r\n\r\n${next}`)
    await peer.closed
    assert.match(peer.received, /^HTTP\/1\.1 200 OK.*plain$/s)
  })

  test('413 is heard by a peer that goes on sending', async () => {
    const size = 8 << 20
    const answer = new Promise<number | undefined>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: served.port, method: 'PUT', path: '/body', agent: false }
      const sent = request({ ...options, headers: { 'Content-Length': size } }, response => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      sent.on('error', reject).end(Buffer.alloc(size))
    })
    assert.equal(await answer, 413)
  })

  test('a guard refuses without the body having come', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(head('POST /guarded', 'Content-Length: 4'))
    assert.match(await peer.readUntil('}'), /^HTTP\/1\.1 401 /)
    await peer.write(`body${next}`)
    await peer.closed
    assert.match(peer.received, /^HTTP\/1\.1 200 OK/, 'what comes of it later is read over')
  })

  test('100 Continue is said when the body is asked for', async () => {
    const peer = await RawPeer.connect(served.port)
    const fields = ['Content-Length: 4', 'Expect: 100-continue', 'Authorization: word', 'Connection: close']
    await peer.write(head('POST /guarded', ...fields))
    assert.equal(await peer.readUntil('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
    await peer.write('body')
    await peer.closed
    assert.match(peer.received, /^HTTP\/1\.1 200 OK.*\{"body":"body"\}$/s)
  })

  test('100 Continue is not said by a guard that refuses, by a limit, or where nobody reads', async () => {
    const cases: [head: string, status: number][] = [
      [head('POST /guarded', 'Content-Length: 4', 'Expect: 100-continue'), 401],
      [head('PUT /body', 'Content-Length: 1001', 'Expect: 100-continue'), 413],
      [head('POST /unread', 'Content-Length: 4', 'Expect: 100-continue'), 200],
      [head('POST /nowhere', 'Content-Length: 4', 'Expect: 100-continue'), 404],
    ]
    for (const [text, status] of cases) {
      const raw = await rawRequest(served.port, text)
      assert.match(raw, new RegExp(`^HTTP/1\\.1 ${status} `))
      assert.match(raw, /Connection: close/i, 'the peer may not have sent the body, so the connection ends')
    }
  })

  test('an expectation that nobody knows is 417', async () => {
    const raw = await rawRequest(served.port, head('POST /unread', 'Expect: wonders', 'Connection: close'))
    assert.match(raw, /^HTTP\/1\.1 417 /)
  })

  test('a body that is cut off runs no handler, and harms nobody', async () => {
    for (const leave of [(peer: RawPeer) => peer.reset(), (peer: RawPeer) => peer.end()]) {
      const before = reads
      const peer = await RawPeer.connect(served.port)
      await peer.write(`${head('PUT /body', 'Content-Length: 100')}half of it`)
      leave(peer)
      await peer.closed
      await rawRequest(served.port, next)
      assert.equal(reads, before)
    }
  })

  test('slow bodies keep nobody else waiting', async () => {
    const slow = await Promise.all(Array.from({ length: 50 }, () => RawPeer.connect(served.port)))
    for (const peer of slow) await peer.write(`${head('PUT /body', 'Content-Length: 100', 'Connection: close')}slow`)
    assert.match(await rawRequest(served.port, next), /plain$/)
    for (const peer of slow) await peer.write('x'.repeat(96))
    for (const peer of slow) {
      await peer.closed
      assert.match(peer.received, /^HTTP\/1\.1 200 OK/)
    }
  })

  const smuggled: [what: string, text: string][] = [
    [
      'Content-Length and Transfer-Encoding together',
      `${head('POST /unread', 'Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n${next}`,
    ],
    ['two lengths', `${head('POST /unread', 'Content-Length: 3', 'Content-Length: 4')}abcd${next}`],
    ['a length that is no number', `${head('POST /unread', 'Content-Length: 0x3')}abc${next}`],
    ['a negative length', `${head('POST /unread', 'Content-Length: -1')}${next}`],
    ['a coding behind chunked', `${head('POST /unread', 'Transfer-Encoding: chunked, gzip')}0\r\n\r\n${next}`],
    ['a chunk without a size', `${head('PUT /body', 'Transfer-Encoding: chunked')}zz\r\nabc\r\n0\r\n\r\n${next}`],
    ['a space before the colon', head('GET /plain', 'Transfer-Encoding : chunked')],
    ['a folded field', head('GET /plain', 'X-A: 1\r\n 2')],
    ['a bare CR in a field', head('GET /plain', 'X-A: 1\r2')],
    ['a NUL in a field', head('GET /plain', 'X-A: 1\x002')],
    ['a method that is none', head('G@T /plain')],
  ]
  for (const [what, text] of smuggled) {
    test(`${what}: the request is refused, and nothing behind it is answered`, async () => {
      const raw = await rawRequest(served.port, text)
      assert.equal(raw.match(/HTTP\/1\.1 400 Bad Request/g)?.length, 1, raw)
      assert.doesNotMatch(raw, /plain$/)
    })
  }

  test('nothing of all this is logged', () => assert.deepEqual(served.log, []))
})
