/** Files over HTTP/2: what they are over HTTP/1.1, and how they end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { truncateSync } from 'node:fs'
import { constants, type IncomingHttpHeaders } from 'node:http2'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Controller, file, Get, Param, reply, serveFiles } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { descriptorsOf, folderOf, tagOf, writeOld } from '../support/folder.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'
import { ask, openSession, tls } from '../support/wires.js'

const MIB = 1_048_576
const digits = '0123456789'
const style = 'body { color: #123456 }\n'.repeat(100)
const root = folderOf({
  'digits.txt': digits,
  'empty.txt': '',
  'style.css': style,
  'style.css.gz': gzipSync(style),
  'docs/index.html': '<p>docs</p>',
  'large.bin': Buffer.alloc(64 * MIB, 'x'),
})
const etag = tagOf(10)

@Controller()
class Files {
  @Get('/in/:name') show(@Param('name') name: string) {
    return file(name, { root })
  }
  @Get('/saved') saved() {
    return file('digits.txt', { root, offset: 2, length: 5, download: 'ä.txt', maxAge: 60_000, status: 203 })
  }
  @Get('/text') text() {
    return reply(style, { headers: { ETag: '"a"' } })
  }
}

/** Fields that are those of a connection, of the moment, or drawn by lot. */
const OF_THE_WAY = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date'])

function fieldsOf(headers: IncomingHttpHeaders): Record<string, unknown> {
  const fields = Object.entries(headers).filter(([name]) => !name.startsWith(':') && !OF_THE_WAY.has(name))
  return Object.fromEntries(fields.map(([name, value]) => [name, withoutBoundary(String(value))]))
}

const withoutBoundary = (text: string) => text.replace(/[0-9a-f]{36}/g, '(boundary)')

const rows: [line: string, status: number, headers?: Record<string, string>][] = [
  ['GET /in/digits.txt', 200],
  ['HEAD /in/digits.txt', 200],
  ['GET /in/empty.txt', 200],
  ['GET /in/none.txt', 404],
  ['GET /saved', 203],
  ['GET /in/digits.txt', 206, { range: 'bytes=2-4' }],
  ['GET /in/digits.txt', 206, { range: 'bytes=-3' }],
  ['GET /in/digits.txt', 206, { range: 'bytes=0-1,4-5,-1' }],
  ['HEAD /in/digits.txt', 200, { range: 'bytes=2-4' }],
  ['GET /in/digits.txt', 416, { range: 'bytes=10-' }],
  ['GET /in/digits.txt', 206, { range: 'bytes=2-4', 'if-range': etag }],
  ['GET /in/digits.txt', 200, { range: 'bytes=2-4', 'if-range': '"other"' }],
  ['GET /in/digits.txt', 304, { 'if-none-match': etag }],
  ['HEAD /in/digits.txt', 304, { 'if-none-match': '*' }],
  ['GET /in/digits.txt', 304, { 'if-modified-since': 'Mon, 06 May 2024 07:08:09 GMT' }],
  ['GET /in/digits.txt', 412, { 'if-match': '"other"' }],
  ['GET /in/digits.txt', 412, { 'if-unmodified-since': 'Mon, 06 May 2019 07:08:09 GMT' }],
  ['GET /files/style.css', 200],
  ['GET /files/style.css', 200, { 'accept-encoding': 'gzip' }],
  ['HEAD /files/style.css', 200, { 'accept-encoding': 'gzip' }],
  ['GET /files/style.css', 206, { 'accept-encoding': 'gzip', range: 'bytes=0-9' }],
  ['GET /files/docs/', 200],
  ['GET /files/docs', 308],
  ['POST /files/style.css', 405],
  ['OPTIONS /files/style.css', 204],
  ['GET /in/style.css', 200, { 'accept-encoding': 'gzip' }],
  ['GET /text', 200, { 'accept-encoding': 'gzip' }],
  ['HEAD /text', 200, { 'accept-encoding': 'gzip' }],
]

for (const [scheme, options] of [
  ['https', { tls, http2: true }],
  ['http', { http2: true }],
] as const)
  describe(`P19: files over HTTP/2, ${scheme}`, () => {
    const use = [serveFiles('/files', root, { precompressed: true })]
    const served = serveSuite({ controllers: [Files] }, { ...options, use, compression: true })
    const plain = serveSuite({ controllers: [Files] }, { use, compression: true })

    test('are answered as over HTTP/1.1: ranges, conditions, HEAD, codings, refusals', async () => {
      const session = await openSession(served.port, scheme)
      for (const [line, status, headers = {}] of rows) {
        const [method = '', path = ''] = line.split(' ')
        const shown = `${line} ${JSON.stringify(headers)}`
        const expected = await send(plain.port, line, { headers })
        const answer = await ask(session, { ':method': method, ':path': path, ...headers })
        assert.deepEqual([answer.status, expected.status], [status, status], shown)
        assert.deepEqual(fieldsOf(answer.headers), fieldsOf(expected.headers), shown)
        assert.equal(withoutBoundary(answer.text), withoutBoundary(expected.text), shown)
        assert.equal(answer.code, constants.NGHTTP2_NO_ERROR, shown)
      }
      session.close()
    })

    test('close when their peer gives them up, and when its connection breaks', async () => {
      const session = await openSession(served.port, scheme)
      const open = async () => {
        const stream = session.request({ ':path': '/files/large.bin' })
        stream.on('error', () => {})
        await once(stream, 'data')
        stream.pause()
        return stream
      }
      const [given] = [await open(), await open()]
      assert.equal(descriptorsOf(join(root, 'large.bin')), 2)
      given?.close(constants.NGHTTP2_CANCEL)
      await eventually('the one is closed', () => descriptorsOf(join(root, 'large.bin')) === 1)
      assert.equal((await ask(session, { ':path': '/files/docs/' })).text, '<p>docs</p>')
      session.destroy()
      await eventually('the other is closed', () => descriptorsOf(join(root, 'large.bin')) === 0)
    })

    test('wait for a peer that does not read, while others of its connection go on', async () => {
      const session = await openSession(served.port, scheme)
      const before = process.memoryUsage().arrayBuffers
      const slow = Array.from({ length: 10 }, () => session.request({ ':path': '/in/large.bin' }))
      for (const stream of slow) stream.on('error', () => {})
      await Promise.all(slow.map(stream => once(stream, 'response')))
      assert.equal((await ask(session, { ':path': '/in/digits.txt' })).text, digits)
      assert.equal(descriptorsOf(join(root, 'large.bin')), 10)
      assert.ok(process.memoryUsage().arrayBuffers - before < 64 * MIB)
      session.destroy()
      await eventually('all are closed', () => descriptorsOf(join(root, 'large.bin')) === 0)
    })

    test('that became shorter are cut by a reset: their peer knows that it has not got them whole', async () => {
      writeOld(join(root, 'shrinking.bin'), Buffer.alloc(8 * MIB, 'x'))
      const session = await openSession(served.port, scheme)
      const stream = session.request({ ':path': '/in/shrinking.bin' })
      stream.on('error', () => {})
      const closed = new Promise(resolve => stream.once('close', resolve))
      await once(stream, 'response')
      truncateSync(join(root, 'shrinking.bin'), MIB)
      stream.resume()
      await closed
      assert.equal(stream.rstCode, constants.NGHTTP2_INTERNAL_ERROR)
      assert.match(String(served.log.at(-1)?.details), /shrinking\.bin became shorter while it was sent/)
      assert.equal(descriptorsOf(join(root, 'shrinking.bin')), 0)
      session.close()
    })
  })
