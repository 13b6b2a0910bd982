/** Compressed event streams as streams of HTTP/2, several on one connection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import { describe, test } from 'node:test'
import zlib from 'node:zlib'
import { Sse, stop } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { standstill } from '../support/standstill.js'
import { ask, openSession } from '../support/wires.js'
import { serve } from './app.js'
import { Fails, Generated, News, Pushed, Reader, seen } from './compressed-app.js'

@Sse('/ends', { compression: true })
class Ends {
  open() {
    return ['first', 'x'.repeat(100_000), stop()]
  }
}

const sources = [Reader, Ends, Fails, Generated, Pushed]

/** A stream whose events are decoded as they come. */
class Decoding {
  text = ''
  /** Whether the coding has come to its end. */
  ended = false
  private constructor(
    readonly stream: ClientHttp2Stream,
    readonly headers: IncomingHttpHeaders,
    readonly closed: Promise<unknown>,
  ) {
    const decoder = headers['content-encoding'] === 'br' ? zlib.createBrotliDecompress() : zlib.createGunzip()
    decoder.on('error', () => {})
    decoder.on('data', (bytes: Buffer) => {
      this.text += bytes
    })
    decoder.on('end', () => {
      this.ended = true
    })
    stream.pipe(decoder)
  }

  static async open(session: ClientHttp2Session, path: string, coding: string): Promise<Decoding> {
    const stream = session.request({ ':path': path, accept: 'text/event-stream', 'accept-encoding': coding })
    stream.on('error', () => {})
    const closed = new Promise(resolve => stream.once('close', resolve))
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    return new Decoding(stream, headers, closed)
  }

  hears(text: string): Promise<unknown> {
    return eventually(`it hears ${text}`, () => this.text.includes(text))
  }
}

describe('B14: compressed event streams over HTTP/2', () => {
  test('each event arrives when it is sent, on all streams of a connection', async t => {
    const { app, port } = await serve(t, sources, { http2: true, providers: [News] })
    const session = await openSession(port, 'http')
    const peers = await Promise.all(['gzip', 'br', 'gzip'].map(coding => Decoding.open(session, '/news', coding)))
    assert.deepEqual(
      peers.map(({ headers }) => [headers['content-encoding'], headers.vary, headers.connection]),
      ['gzip', 'br', 'gzip'].map(coding => [coding, 'Accept-Encoding', undefined]),
    )
    const news = app.get(News)
    await eventually('all are here', () => news.count('all') === 3)
    for (const headline of ['one', 'two', 'three']) {
      await news.to('all').send('headline', headline)
      for (const peer of peers) await peer.hears(`data: "${headline}"\n\n`)
    }
    peers[0]?.stream.close(constants.NGHTTP2_CANCEL)
    await eventually('one has left, and the others are heard', () => news.count('all') === 2)
    assert.equal(seen.reasons.at(-1), 'peer')
    session.destroy()
    await eventually('all have left', () => app.connections === 0)
  })

  test('a clean end is heard whole, and HEAD tells of it', async t => {
    const { port } = await serve(t, sources, { http2: true, providers: [News] })
    const session = await openSession(port, 'http')
    const peer = await Decoding.open(session, '/ends', 'br')
    await peer.closed
    await eventually('the coding has its end', () => peer.ended)
    assert.equal(peer.stream.rstCode, constants.NGHTTP2_NO_ERROR)
    assert.match(peer.text, /^data: first\n\ndata: x{100000}\n\n$/)
    const { headers, text } = await ask(session, { ':method': 'HEAD', ':path': '/ends', 'accept-encoding': 'gzip' })
    assert.deepEqual(
      [headers['content-encoding'], headers['content-type'], text],
      ['gzip', 'text/event-stream; charset=utf-8', ''],
    )
    session.destroy()
  })

  test('a failure is told, and then the stream is reset', async t => {
    const { port } = await serve(t, sources, { http2: true, providers: [News] })
    const session = await openSession(port, 'http')
    const peer = await Decoding.open(session, '/fails', 'gzip')
    await peer.hears('event: error\ndata: {"title":"Internal Server Error","status":500}\n\n')
    await peer.closed
    assert.equal(peer.stream.rstCode, constants.NGHTTP2_INTERNAL_ERROR)
    assert.equal(peer.ended, false)
    session.destroy()
  })

  test('draining says goodbye in full', async t => {
    const { app, port } = await serve(t, sources, { http2: true, providers: [News] })
    const session = await openSession(port, 'http')
    const peer = await Decoding.open(session, '/news', 'br')
    await eventually('it is here', () => app.get(News).count('all') === 1)
    await app.close({ deadline: 5000 })
    await peer.closed
    await eventually('the coding has its end', () => peer.ended)
    assert.match(peer.text, /retry: \d+\n\n$/)
    assert.equal(seen.reasons.at(-1), 'drain')
  })

  test('a generator is paused while its peer does not read, other streams go on, and it ends when its peer leaves', async t => {
    const { app, port } = await serve(t, sources, { http2: true, providers: [News] })
    const session = await openSession(port, 'http')
    const slow = session.request({ ':path': '/generated', 'accept-encoding': 'gzip' })
    slow.on('error', () => {})
    await once(slow, 'response')
    const before = await standstill('it stands still', () => seen.produced)
    const other = await Decoding.open(session, '/ends', 'gzip')
    await other.closed
    assert.equal(other.stream.rstCode, constants.NGHTTP2_NO_ERROR)
    slow.resume()
    await eventually('it goes on', () => seen.produced > before)
    slow.close(constants.NGHTTP2_CANCEL)
    await eventually('it has ended', () => seen.finished === 1 && app.connections === 0)
    session.destroy()
  })

  test('a peer that does not read is ended at its limit, and no other stream of its connection', async t => {
    const { app, port } = await serve(t, sources, { http2: true, providers: [News] })
    const session = await openSession(port, 'http')
    const other = await Decoding.open(session, '/news', 'gzip')
    const slow = session.request({ ':path': '/pushed', 'accept-encoding': 'gzip' })
    slow.on('error', () => {})
    await eventually('it has overflowed', () => seen.reasons.at(-1) === 'overflow', { timeout: 20_000 })
    assert.equal(app.connections, 1)
    await app.get(News).to('all').send('headline', 'still here')
    await other.hears('data: "still here"\n\n')
    session.destroy()
  })
})
