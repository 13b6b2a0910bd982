import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import zlib from 'node:zlib'
import compression from 'compression'
import { Ctx, EventStream, type Middleware, type RequestContext, Sse, stop } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { standstill } from '../support/standstill.js'
import { serve } from './app.js'
import { Fails, Generated, News, Pushed, Reader, seen } from './compressed-app.js'

const hasZstd = typeof zlib.createZstdDecompress === 'function'

@Sse('/plain')
class Plain {
  open() {
    return ['first', stop()]
  }
}

@Sse('/ends', { compression: true, retry: 5 })
class Ends {
  open(stream: EventStream, @Ctx() context: RequestContext) {
    context.setCookie('a', '1')
    void stream.send('early')
    return ['first', 'x'.repeat(10_000), stop()]
  }
}

@Sse('/refuses', { compression: true })
class Refuses {
  open() {
    return stop()
  }
}

/** A peer that decodes what it hears. */
class Decoding {
  text = ''
  ended = false
  private constructor(
    readonly peer: RawPeer,
    readonly head: string,
    readonly closed: Promise<unknown>,
  ) {}

  static async open(port: number, path: string, coding: string): Promise<Decoding> {
    const peer = await RawPeer.connect(port)
    await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${coding}\r\n\r\n`)
    const head = await peer.readUntil('\r\n\r\n')
    const made = new Decoding(peer, head, peer.closed)
    made.#read(coding).catch(() => {})
    return made
  }

  async #read(coding: string) {
    const decoder =
      coding === 'gzip'
        ? zlib.createGunzip()
        : coding === 'br'
          ? zlib.createBrotliDecompress()
          : zlib.createZstdDecompress()
    decoder.on('error', () => {})
    decoder.on('data', (bytes: Buffer) => {
      this.text += bytes
    })
    for (;;) {
      const size = Number.parseInt(await this.peer.readUntil('\r\n'), 16)
      if (size === 0) break
      const chunk = await this.peer.readBytes(size + 2)
      decoder.write(Buffer.from(chunk.slice(0, -2), 'latin1'))
    }
    decoder.end(() => {
      this.ended = true
    })
  }

  hears(text: string): Promise<unknown> {
    return eventually(`it hears ${text.slice(0, 80)}`, () => this.text.includes(text))
  }
}

const sources = [Reader, Plain, Ends, Fails, Refuses, Generated, Pushed]

describe('B14: events that are compressed', () => {
  for (const coding of ['gzip', 'br', ...(hasZstd ? ['zstd'] : [])]) {
    test(`${coding}: each arrives when it is sent, to all of a room alike`, async t => {
      const { app, port } = await serve(t, sources, { providers: [News] })
      const peers = await Promise.all([coding, 'gzip', coding].map(each => Decoding.open(port, '/news', each)))
      for (const { head } of peers) assert.match(head, /^HTTP\/1\.1 200 [\s\S]*Vary: Accept-Encoding\r\n/)
      assert.match(peers[0]?.head ?? '', new RegExp(`Content-Encoding: ${coding}\r\n`))
      const news = app.get(News)
      await eventually('all are here', () => news.count('all') === 3)
      for (const headline of ['one', 'two', 'three']) {
        await news.to('all').send('headline', headline)
        for (const peer of peers) await peer.hears(`data: "${headline}"\n\n`)
      }
      for (const { peer } of peers) peer.destroy()
      await eventually('all have left', () => app.connections === 0)
    })
  }

  test('for a peer that does not accept it they are as ever, and caches are told', async t => {
    const { port } = await serve(t, sources, { providers: [News] })
    const plain = await send(port, 'GET /ends')
    assert.deepEqual([plain.headers['content-encoding'], plain.headers.vary], [undefined, 'Accept-Encoding'])
    assert.match(plain.text, /^retry: 5\n\ndata: first\n\ndata: x+\n\n(data: early\n\n)$/)
    const off = await send(port, 'GET /plain', { headers: { 'Accept-Encoding': 'gzip' } })
    assert.deepEqual([off.headers['content-encoding'], off.headers.vary], [undefined, undefined])
  })

  test('a clean end is heard whole: the head, what is in it, the last event, the end of the coding', async t => {
    const { port } = await serve(t, sources, { providers: [News] })
    for (const [coding, decode] of [
      ['gzip', zlib.gunzipSync],
      ['br', zlib.brotliDecompressSync],
    ] as const) {
      const { headers, bytes } = await send(port, 'GET /ends', { headers: { 'Accept-Encoding': coding } })
      assert.equal(headers['content-encoding'], coding)
      assert.equal(headers['cache-control'], 'no-cache, no-transform')
      assert.match(headers['set-cookie']?.[0] ?? '', /^a=1;/)
      assert.match(decode(bytes).toString(), /^retry: 5\n\ndata: first\n\ndata: x{10000}\n\ndata: early\n\n$/)
    }
  })

  test('middleware in front that compresses does not do so again', async t => {
    const use = [compression({ threshold: 0 }) as Middleware]
    const { port } = await serve(t, sources, { providers: [News], use })
    const { headers, bytes } = await send(port, 'GET /ends', { headers: { 'Accept-Encoding': 'gzip' } })
    assert.equal(headers['content-encoding'], 'gzip')
    assert.match(zlib.gunzipSync(bytes).toString(), /^retry: 5\n\ndata: first\n\n/)
  })

  test('HEAD tells of it, and a stream that is stopped at once is 204', async t => {
    const { port } = await serve(t, sources, { providers: [News] })
    const headers = { 'Accept-Encoding': 'gzip' }
    const head = await send(port, 'HEAD /ends', { headers })
    assert.deepEqual([head.headers['content-encoding'], head.headers.vary], ['gzip', 'Accept-Encoding'])
    const refused = await send(port, 'GET /refuses', { headers })
    assert.deepEqual([refused.status, refused.headers['content-encoding']], [204, undefined])
  })

  test('a failure is told, and then the stream is cut', async t => {
    const { port } = await serve(t, sources, { providers: [News] })
    const peer = await Decoding.open(port, '/fails', 'gzip')
    await peer.hears('event: error\ndata: {"title":"Internal Server Error","status":500}\n\n')
    await peer.closed
    assert.equal(peer.ended, false)
  })

  test('draining says goodbye in full', async t => {
    const { app, port } = await serve(t, sources, { providers: [News] })
    const peer = await Decoding.open(port, '/news', 'br')
    await eventually('it is here', () => app.get(News).count('all') === 1)
    await app.close({ deadline: 5000 })
    await peer.closed
    await eventually('the coding has its end', () => peer.ended)
    assert.match(peer.text, /retry: \d+\n\n$/)
    assert.equal(seen.reasons.at(-1), 'drain')
  })

  test('a generator is paused while its peer does not read, and ends when it leaves', async t => {
    const { app, port } = await serve(t, sources, { providers: [News] })
    const peer = await RawPeer.connect(port)
    await peer.write('GET /generated HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    await peer.readUntil('\r\n\r\n')
    peer.pause()
    const before = await standstill('it stands still', () => seen.produced)
    peer.resume()
    await eventually('it goes on', () => seen.produced > before)
    peer.destroy()
    await eventually('it has ended', () => seen.finished === 1 && app.connections === 0)
  })

  test('a peer that does not read is ended at its limit: the queue in front of the compressor is bounded', async t => {
    const { app, port } = await serve(t, sources, { providers: [News] })
    const peer = await RawPeer.connect(port)
    await peer.write('GET /pushed HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    await peer.readUntil('\r\n\r\n')
    peer.pause()
    await eventually('it has overflowed', () => seen.reasons.at(-1) === 'overflow', { timeout: 20_000 })
    assert.equal(app.connections, 0)
    peer.destroy()
  })
})
