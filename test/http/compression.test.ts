import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import zlib from 'node:zlib'
import compression from 'compression'
import {
  type ApplicationOptions,
  Controller,
  Ctx,
  file,
  Get,
  html,
  type Middleware,
  ndjson,
  noContent,
  Post,
  type RequestContext,
  reply,
  serveFiles,
} from '../../src/index.js'
import { problemsOf } from '../support/boot-errors.js'
import { eventually } from '../support/eventually.js'
import { folderOf, tagOf } from '../support/folder.js'
import { RawPeer } from '../support/raw-peer.js'
import { type Answer, send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'
import { standstill } from '../support/standstill.js'

const long = 'words and words, '.repeat(500)
const folder = folderOf({ 'long.txt': long, 'short.txt': 'short', 'photo.png': Buffer.alloc(5000) })
const hasZstd = typeof zlib.zstdDecompressSync === 'function'

function decode({ headers, bytes }: Answer): string {
  const coding = headers['content-encoding']
  if (coding === 'gzip') return zlib.gunzipSync(bytes).toString()
  if (coding === 'br') return zlib.brotliDecompressSync(bytes).toString()
  return coding === 'zstd' ? zlib.zstdDecompressSync(bytes).toString() : bytes.toString()
}

let ended = 0
let produced = 0

@Controller()
class Bodies {
  @Get('/long') long() {
    return long
  }
  @Get('/json') json() {
    return { long }
  }
  @Get('/short') short() {
    return 'short'
  }
  @Get('/empty') empty() {
    return ''
  }
  @Get('/bytes') bytes() {
    return Buffer.from(long)
  }
  @Get('/html') html() {
    return html(long, { headers: { ETag: '"v1"' } })
  }
  @Get('/weak') weak() {
    return html(long, { headers: { ETag: 'W/"v1"' } })
  }
  @Get('/kept') kept() {
    return html(long, { headers: { 'Cache-Control': 'public, no-transform' } })
  }
  @Get('/encoded') encoded() {
    return reply(zlib.deflateSync(long), { headers: { 'Content-Type': 'text/plain', 'Content-Encoding': 'deflate' } })
  }
  @Get('/photo') photo() {
    return reply(Buffer.alloc(5000), { headers: { 'Content-Type': 'image/png' } })
  }
  @Get('/none') none() {
    return noContent()
  }
  @Get('/part') part() {
    return reply(long, { status: 206, headers: { 'Content-Range': 'bytes 0-1/2' } })
  }
  @Get('/secret', { compression: false }) secret() {
    return long
  }
  @Get('/only-gzip', { compression: { encodings: ['gzip'], threshold: 0 } }) onlyGzip() {
    return 'short'
  }
  @Get('/asked', { compression: true }) asked() {
    return long
  }
  @Get('/varied') varied(@Ctx() { response }: RequestContext) {
    response.setHeader('Vary', 'Origin')
    return long
  }
  @Get('/fails') fails(): unknown {
    throw new Error('no')
  }
  @Get('/bad-field') badField() {
    return html(long, { headers: { 'X-Bad': 'a\r\nb' } })
  }
  @Post('/posted') posted() {
    return { long }
  }
  @Get('/lines') lines() {
    return ndjson([{ n: 1 }, { n: 2 }].values())
  }
  @Get('/no-lines') noLines() {
    return ndjson([].values())
  }
  @Get('/many') *many() {
    for (let n = 0; n < 3000; n++) yield `${n} ${long}`
  }
  @Get('/steps') async *steps(signal: AbortSignal) {
    try {
      for (let n = 1; ; n++) {
        yield `step ${n}\n`
        if (n === 3) await once(signal, 'abort')
        if (signal.aborted) return
      }
    } finally {
      ended++
    }
  }
  @Get('/endless') async *endless() {
    try {
      for (;;) {
        produced++
        yield randomBytes(98_304).toString('base64')
      }
    } finally {
      ended++
    }
  }
  @Get('/breaks') *breaks() {
    yield 'first'
    throw new Error('broken')
  }
  @Get('/in/:name') file(@Ctx() { params }: RequestContext) {
    return file(params.name ?? '', { root: folder })
  }
}

const all = { controllers: [Bodies] }
const on: ApplicationOptions = { compression: true, use: [serveFiles('/files', folder)] }

describe('compression of a reply', () => {
  const served = serveSuite(all, on)
  const get = (
    path: string,
    accept: string | undefined = 'gzip',
    headers: Record<string, string> = {},
    method = 'GET',
  ) =>
    send(served.port, `${method} ${path}`, {
      headers: { ...(accept === '' ? {} : { 'Accept-Encoding': accept }), ...headers },
    })

  for (const [accept, coding] of [
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['zstd', hasZstd ? 'zstd' : undefined],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', hasZstd ? 'zstd' : 'br'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip;q=0, *', hasZstd ? 'zstd' : 'br'],
    ['*;q=0', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.2', undefined],
    ['deflate', undefined],
    ['GZIP', 'gzip'],
    ['gzip;q=high', undefined],
    [' , ;;=', undefined],
    ['', undefined],
  ] as const) {
    test(`Accept-Encoding: ${accept || '(none)'} gets ${coding ?? 'it as it is'}, and caches are told`, async () => {
      const answer = await get('/long', accept)
      assert.equal(answer.headers['content-encoding'], coding)
      assert.equal(answer.headers.vary, 'Accept-Encoding')
      assert.equal(decode(answer), long)
      assert.equal(answer.headers['content-length'], String(answer.bytes.length))
      if (coding !== undefined) assert.ok(answer.bytes.length < long.length / 10)
    })
  }

  for (const path of [
    '/json',
    '/bytes',
    '/photo',
    '/short',
    '/empty',
    '/none',
    '/kept',
    '/encoded',
    '/part',
    '/secret',
  ]) {
    const is = path === '/json' || path === '/bytes'
    test(`${path} is ${is ? '' : 'not '}compressed`, async () => {
      const [answer, plain] = [await get(path), await get(path, '')]
      const coding = path === '/encoded' ? 'deflate' : undefined
      assert.equal(answer.headers['content-encoding'], is ? 'gzip' : coding)
      assert.equal(decode(answer), decode(plain))
      const varies = is || path === '/short' || path === '/empty'
      assert.equal(answer.headers.vary, varies ? 'Accept-Encoding' : undefined)
      assert.equal(plain.headers.vary, answer.headers.vary)
    })
  }

  test('what is short is compressed only for a peer that refuses it otherwise', async () => {
    assert.equal((await get('/short', 'gzip')).headers['content-encoding'], undefined)
    const refusing = await get('/short', 'gzip, identity;q=0')
    assert.deepEqual([refusing.headers['content-encoding'], decode(refusing)], ['gzip', 'short'])
    assert.equal((await get('/short', 'gzip, *;q=0')).headers['content-encoding'], 'gzip')
    assert.equal((await get('/empty', 'gzip, identity;q=0')).headers['content-encoding'], undefined)
  })

  test('a route says for itself whether, and in what', async () => {
    assert.equal((await get('/only-gzip', 'br, gzip')).headers['content-encoding'], 'gzip')
    assert.equal((await get('/only-gzip', 'br')).headers['content-encoding'], undefined)
  })

  test('a strong tag becomes a weak one: other bytes, no strong comparison', async () => {
    assert.equal((await get('/html')).headers.etag, 'W/"v1"')
    assert.equal((await get('/html', '')).headers.etag, '"v1"')
    assert.equal((await get('/weak')).headers.etag, 'W/"v1"')
  })

  test('HEAD has the head of GET, but for the length', async () => {
    for (const path of [
      '/html',
      '/json',
      '/short',
      '/photo',
      '/lines',
      '/in/long.txt',
      '/files/long.txt',
      '/in/short.txt',
    ]) {
      const drop = ({ date: _, 'content-length': __, 'transfer-encoding': ___, ...rest }: Answer['headers']) => rest
      const [head, whole] = [await get(path, 'gzip', {}, 'HEAD'), await get(path)]
      assert.deepEqual(drop(head.headers), drop(whole.headers), path)
      const coded = head.headers['content-encoding'] !== undefined
      assert.equal(head.headers['content-length'], coded ? undefined : whole.headers['content-length'], path)
      assert.equal(head.bytes.length, 0)
    }
  })

  test('Vary is added to what is there, and other methods are compressed as well', async () => {
    assert.equal((await get('/varied')).headers.vary, 'Origin, Accept-Encoding')
    assert.equal((await get('/posted', 'gzip', {}, 'POST')).headers['content-encoding'], 'gzip')
  })

  test('errors are errors as ever', async () => {
    for (const path of ['/fails', '/bad-field']) {
      const { status, headers, json } = await get(path)
      assert.deepEqual([status, headers['content-encoding']], [500, undefined])
      assert.equal(headers['content-type'], 'application/problem+json')
      assert.equal((json() as { status: number }).status, 500)
    }
  })

  test('a peer that leaves while its body is compressed is no error', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write('GET /long HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n')
    peer.reset()
    assert.equal((await get('/short')).text, 'short')
    assert.deepEqual(
      served.log.filter(line => line.message.includes('long')),
      [],
    )
  })

  describe('a stream of items', () => {
    test('is compressed whole, in order, however long', async () => {
      for (const accept of ['gzip', 'br', 'zstd']) {
        const answer = await get('/many', accept)
        assert.equal(decode(answer), Array.from({ length: 3000 }, (_, n) => `${n} ${long}`).join(''))
        if (accept !== 'zstd' || hasZstd) assert.equal(answer.headers['content-encoding'], accept)
      }
    })

    test('is compressed whatever its length, where its type is known', async () => {
      const lines = await get('/lines')
      assert.deepEqual([lines.headers['content-encoding'], decode(lines)], ['gzip', '{"n":1}\n{"n":2}\n'])
      assert.equal(decode(await get('/no-lines')), '')
    })

    for (const accept of ['gzip', 'br', ...(hasZstd ? ['zstd'] : [])]) {
      test(`${accept}: each item arrives when it is yielded`, async () => {
        const before = ended
        const chunks = await rawChunks(served.port, '/steps', accept)
        assert.match(chunks.text(), /^step 1\nstep 2\nstep 3\n$/)
        chunks.peer.destroy()
        await eventually('the generator has ended', () => ended === before + 1)
      })
    }

    test('a slow peer is waited for, and when it leaves nothing stays open', async () => {
      const before = ended
      const peers = await Promise.all([1, 2].map(() => RawPeer.connect(served.port)))
      for (const peer of peers) {
        await peer.write('GET /endless HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
        await peer.readUntil('\r\n\r\n')
        peer.pause()
      }
      const seen = await standstill('the generators stand still', () => produced)
      assert.equal(ended, before)
      for (const peer of peers) peer.resume()
      await eventually('they go on', () => produced > seen)
      for (const peer of peers) peer.destroy()
      await eventually('they have ended', () => ended === before + peers.length)
    })

    test('that breaks is cut, so that the peer knows', async () => {
      await assert.rejects(get('/breaks'))
      assert.match(String(served.log.at(-1)?.details), /broken/)
    })
  })

  describe('a file', () => {
    for (const prefix of ['/in', '/files']) {
      test(`${prefix}: is compressed, with a weak tag that still validates`, async () => {
        const answer = await get(`${prefix}/long.txt`)
        assert.deepEqual([answer.headers['content-encoding'], decode(answer)], ['gzip', long])
        assert.equal(answer.headers.etag, `W/${tagOf(long.length)}`)
        assert.equal(answer.headers['accept-ranges'], undefined)
        assert.equal(answer.headers['content-length'], undefined)
        for (const etag of [tagOf(long.length), `W/${tagOf(long.length)}`]) {
          const same = await get(`${prefix}/long.txt`, 'gzip', { 'If-None-Match': etag })
          assert.deepEqual([same.status, same.headers.etag], [304, `W/${tagOf(long.length)}`])
          assert.deepEqual([same.headers.vary, same.headers['content-encoding']], ['Accept-Encoding', undefined])
        }
      })

      test(`${prefix}: ranges are those of the file itself`, async () => {
        assert.equal((await get(`${prefix}/long.txt`, 'gzip', { 'If-Match': tagOf(long.length) })).status, 200)
        const part = await get(`${prefix}/long.txt`, 'gzip', { Range: 'bytes=0-4' })
        assert.deepEqual([part.status, part.text, part.headers['content-encoding']], [206, 'words', undefined])
        assert.equal(part.headers.etag, tagOf(long.length))
        const weak = await get(`${prefix}/long.txt`, 'gzip', {
          Range: 'bytes=0-4',
          'If-Range': `W/${tagOf(long.length)}`,
        })
        assert.deepEqual([weak.status, decode(weak)], [200, long])
      })

      test(`${prefix}: what is short, or compressed in itself, is left alone`, async () => {
        const short = await get(`${prefix}/short.txt`)
        assert.deepEqual([short.headers['content-encoding'], short.headers.etag], [undefined, tagOf(5)])
        const photo = await get(`${prefix}/photo.png`)
        assert.deepEqual([photo.headers['content-encoding'], photo.headers.vary], [undefined, undefined])
      })
    }
  })
})

/** The text that a peer has after three items, decoded from what has arrived, with the response still open. */
async function rawChunks(port: number, path: string, accept: string) {
  const peer = await RawPeer.connect(port)
  const decoder =
    accept === 'gzip'
      ? zlib.createGunzip()
      : accept === 'br'
        ? zlib.createBrotliDecompress()
        : zlib.createZstdDecompress()
  let text = ''
  decoder.on('data', (bytes: Buffer) => {
    text += bytes
  })
  await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${accept}\r\n\r\n`)
  const head = await peer.readUntil('\r\n\r\n')
  assert.match(head, new RegExp(`Content-Encoding: ${accept}\r\n`))
  while (!text.includes('step 3\n')) {
    const size = Number.parseInt(await peer.readUntil('\r\n'), 16)
    const chunk = await peer.readBytes(size + 2)
    await new Promise(resolve => decoder.write(Buffer.from(chunk.slice(0, -2), 'latin1'), resolve))
  }
  decoder.destroy()
  return { peer, text: () => text }
}

test('compression is off unless it is asked for', async t => {
  const { port } = await serve(t, all)
  const { headers } = await send(port, 'GET /long', { headers: { 'Accept-Encoding': 'gzip' } })
  assert.deepEqual([headers['content-encoding'], headers.vary], [undefined, undefined])
  const one = await send(port, 'GET /only-gzip', { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal(one.headers['content-encoding'], 'gzip')
})

test('compression: the application chooses the threshold and the codings', async t => {
  const { port } = await serve(t, all, { compression: { threshold: 5, encodings: ['gzip', 'br'] } })
  const get = (path: string) => send(port, `GET ${path}`, { headers: { 'Accept-Encoding': 'zstd, br, gzip' } })
  assert.equal((await get('/short')).headers['content-encoding'], 'gzip')
  assert.equal((await get('/asked')).headers['content-encoding'], 'gzip')
})

test('compression: middleware in front that compresses does not do so again', async t => {
  const { port } = await serve(t, all, { compression: true, use: [compression({ threshold: 0 }) as Middleware] })
  for (const path of ['/long', '/lines', '/in/long.txt', '/short']) {
    const answer = await send(port, `GET ${path}`, { headers: { 'Accept-Encoding': 'gzip' } })
    assert.equal(answer.headers['content-encoding'], 'gzip')
    const plain = await send(port, `GET ${path}`)
    assert.equal(decode(answer), plain.text)
  }
})

for (const name of ['write', 'flush'] as const)
  test(`compression: middleware in front whose ${name} throws has its reply cut, the source let go, and no more`, async t => {
    const brittle: Middleware = (_request, response, next) => {
      const { write } = response
      const breaks = () => {
        throw new Error('broken')
      }
      Object.assign(response, { write: write.bind(response), [name]: breaks })
      next()
    }
    const { port, log } = await serve(t, all, { compression: true, use: [brittle] })
    const before = ended
    await assert.rejects(send(port, 'GET /endless', { headers: { 'Accept-Encoding': 'gzip' } }), { code: 'ECONNRESET' })
    await eventually('the source is let go', () => ended === before + 1)
    assert.deepEqual(
      log.map(({ level, details }) => [level, (details as Error).message]),
      [['error', 'broken']],
    )
    assert.equal((await send(port, 'GET /short')).status, 200)
  })

test('compression: what cannot be meant is told at boot', async () => {
  @Controller()
  class A {
    @Get('/1', { compression: 'gzip' as never }) one() {}
    @Get('/2', { compression: { encodings: ['deflate'] as never, treshold: 1 } as never }) two() {}
  }
  assert.deepEqual(await problemsOf({ controllers: [A] }, { compression: { threshold: -1 } }), [
    'bootstrap: compression: threshold should be a number of bytes, from 0, not -1',
    "A.one: @Get('/1'): compression should be true, false, or { threshold, encodings }, not 'gzip'",
    "A.two: @Get('/2'): compression has no option treshold: did you mean threshold?",
    "A.two: @Get('/2'): compression: encodings should be an array of 'zstd', 'br' and 'gzip', not an array",
  ])
})
