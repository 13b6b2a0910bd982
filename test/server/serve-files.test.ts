import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import express from 'express'
import { WebSocket as Client } from 'ws'
import { Controller, Get, Post, serveFiles, WebSocket } from '../../src/index.js'
import { folderOf, LONG_AGO, tagOf, writeOld } from '../support/folder.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'

const style = 'body { color: #123456 }\n'.repeat(100)
const folder = folderOf({
  'public/index.html': '<p>index</p>',
  'public/style.css': style,
  'public/ö ä.txt': 'umlauts',
  'public/docs/index.html': '<p>docs</p>',
  'public/docs/page.html': '<p>page</p>',
  'public/bare/file.txt': 'x',
  'public/.env': 'SECRET',
  'public/.git/config': 'SECRET',
  'public/visible/.hidden': 'SECRET',
  'public/packed.js': style,
  'public/packed.js.br': brotliCompressSync(style),
  'public/packed.js.gz': gzipSync(style),
  'public/only.js': style,
  'public/only.js.gz': gzipSync(style),
  'public/stale.js': style,
  'public-secrets/key.txt': 'SECRET',
  'secret.txt': 'SECRET',
})
const root = join(folder, 'public')
writeOld(join(root, 'stale.js.br'), brotliCompressSync('old'), new Date(LONG_AGO.getTime() - 1000))
symlinkSync('style.css', join(root, 'link.css'))
symlinkSync('../secret.txt', join(root, 'link.txt'))
symlinkSync('..', join(root, 'up'))
symlinkSync('docs', join(root, 'linked-docs'))
symlinkSync('loop', join(root, 'loop'))
mkdirSync(join(root, 'empty'))

@Controller()
class Routes {
  @Get('/assets/made') made() {
    return 'made'
  }
  @Get('/anything') anything() {
    return 'anything'
  }
  @Post('/assets/docs/page.html') posted() {
    return 'posted'
  }
}
@WebSocket('/')
class Live {
  open() {
    return 'opened'
  }
}

describe('P38: files of a folder', () => {
  const served = serveSuite({ controllers: [Routes] }, { use: [serveFiles('/assets', root)] })
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    send(served.port, `${method} ${path}`, { headers })

  test('are served with all that a file has', async () => {
    const { status, headers, text } = await get('/assets/style.css')
    assert.deepEqual([status, text], [200, style])
    assert.equal(headers['content-type'], 'text/css; charset=utf-8')
    assert.equal(headers.etag, tagOf(style.length))
    assert.equal((await get('/assets/style.css', { 'If-None-Match': tagOf(style.length) })).status, 304)
    assert.equal((await get('/assets/style.css', { Range: 'bytes=0-3' })).text, 'body')
    assert.equal((await get('/assets/style.css', { Range: 'bytes=9999-' })).status, 416)
    assert.equal((await get('/assets/style.css', { 'If-Match': '"x"' })).status, 412)
    assert.equal((await get('/assets/style.css?v=2')).text, style)
    assert.equal((await get('/assets/style.css', {}, 'HEAD')).headers['content-length'], String(style.length))
    assert.equal((await get('/assets/%C3%B6%20%C3%A4.txt')).text, 'umlauts')
  })

  test('that are not there are left to the routes, and other methods, and other paths', async () => {
    assert.equal((await get('/assets/made')).text, 'made')
    assert.equal((await get('/anything')).text, 'anything')
    assert.equal((await get('/assets/none.css')).status, 404)
    assert.equal((await get('/assets/style.css/')).status, 404)
    assert.equal((await get('/assets/none.css', {}, 'POST')).status, 404)
    assert.equal((await get('/assetsstyle.css')).status, 404)
  })

  test('are allowed to GET and HEAD; what a route takes is its own', async () => {
    const allow = async (line: string) => {
      const [method = '', path = ''] = line.split(' ')
      const { status, headers } = await get(path, {}, method)
      return [status, headers.allow]
    }
    assert.deepEqual(await allow('POST /assets/style.css'), [405, 'GET, HEAD, OPTIONS'])
    assert.deepEqual(await allow('DELETE /assets/'), [405, 'GET, HEAD, OPTIONS'])
    assert.deepEqual(await allow('OPTIONS /assets/style.css'), [204, 'GET, HEAD, OPTIONS'])
    assert.equal((await get('/assets/docs/page.html', {}, 'POST')).text, 'posted')
    assert.equal((await get('/assets/docs/page.html')).text, '<p>page</p>')
    assert.deepEqual(await allow('PUT /assets/docs/page.html'), [405, 'GET, HEAD, OPTIONS, POST'])
    assert.deepEqual(await allow('OPTIONS /assets/docs/page.html'), [204, 'GET, HEAD, OPTIONS, POST'])
    for (const path of ['/assets/none.css', '/assets/.env', '/assets/link.txt', '/assets/docs', '/assets/bare/'])
      assert.deepEqual(await allow(`POST ${path}`), [404, undefined], path)
  })

  test('a folder is its index, behind a slash', async () => {
    assert.equal((await get('/assets/')).text, '<p>index</p>')
    assert.equal((await get('/assets/docs/')).text, '<p>docs</p>')
    assert.equal((await get('/assets/docs/index.html')).text, '<p>docs</p>')
    for (const [path, location] of [
      ['/assets', './assets/'],
      ['/assets/docs', './docs/'],
      ['/assets/d%6fcs?a=1', './d%6fcs/?a=1'],
    ] as const) {
      const { status, headers } = await get(path)
      assert.deepEqual([status, headers.location], [308, location])
    }
    assert.equal((await get('/assets/bare')).status, 404)
    assert.equal((await get('/assets/bare/')).status, 404)
    assert.equal((await get('/assets/empty/')).status, 404)
  })

  test('the slash is added on this host alone, whatever the path looks like', async () => {
    for (const path of ['//docs', '//assets/docs', '/assets//docs', '/assets/docs//']) {
      const heard = await rawRequest(served.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      assert.match(heard, /^HTTP\/1\.1 404 /, path)
    }
  })

  test('dotfiles are refused, wherever they are', async () => {
    for (const path of ['.env', '%2eenv', '.git/config', 'visible/.hidden', './style.css', '..%2f.env'])
      assert.equal((await get(`/assets/${path}`)).status, 404, path)
  })

  test('a link is followed inside of the folder, and nowhere else', async () => {
    assert.equal((await get('/assets/link.css')).text, style)
    assert.equal((await get('/assets/linked-docs/page.html')).text, '<p>page</p>')
    for (const path of ['link.txt', 'up/secret.txt', 'up/public-secrets/key.txt', 'loop'])
      assert.equal((await get(`/assets/${path}`)).status, 404, path)
  })

  test('nothing outside of it is reached, by any writing of it', async () => {
    const ups = ['..', '%2e%2e', '%2E.', '.%2e', '..%2f..', '%2e%2e%2f', '..\\', '..%5c', '%252e%252e', '..;', '..%00']
    for (const up of ups) {
      for (const rest of ['secret.txt', 'public-secrets/key.txt', 'public/style.css', '-secrets/key.txt']) {
        for (const path of [`/assets/${up}/${rest}`, `/assets/docs/${up}/${up}/${rest}`, `/assets/${up}${rest}`]) {
          const heard = await rawRequest(served.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
          assert.match(heard, /^HTTP\/1\.1 40[04] /, path)
          assert.doesNotMatch(heard, /SECRET/, path)
        }
      }
    }
    const whole = encodeURIComponent(join(folder, 'secret.txt'))
    for (const path of [
      `/assets/${join(folder, 'secret.txt')}`,
      `/assets/${whole}`,
      `/assets//${whole}`,
      '/assets/a%00.css',
    ])
      assert.equal((await get(path)).status, 404, path)
    assert.match(
      await rawRequest(
        served.port,
        'GET http://a/assets/../secret.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      ),
      /^HTTP\/1\.1 404 /,
    )
  })

  test('P38: options: dotfiles, links, the index, how long they are kept', async t => {
    const { port } = await serve(
      t,
      { controllers: [] },
      {
        use: [
          serveFiles('/dots', root, { dotfiles: 'allow' }),
          serveFiles('/anywhere', root, { links: 'anywhere' }),
          serveFiles('/never', root, { links: 'never', maxAge: 60_000 }),
          serveFiles('/plain/', root, { index: false }),
          serveFiles('/page', root, { index: 'page.html' }),
        ],
      },
    )
    const text = async (path: string) => (await send(port, `GET ${path}`)).text
    const status = async (path: string) => (await send(port, `GET ${path}`)).status
    assert.equal(await text('/dots/.env'), 'SECRET')
    assert.equal(await status('/dots/%2e%2e/secret.txt'), 404)
    assert.equal(await text('/anywhere/link.txt'), 'SECRET')
    assert.equal(await status('/never/link.css'), 404)
    assert.equal(await status('/never/linked-docs/page.html'), 404)
    assert.equal((await send(port, 'GET /never/style.css')).headers['cache-control'], 'max-age=60')
    assert.deepEqual([await status('/plain/'), await status('/plain/docs'), await status('/plain')], [404, 404, 404])
    assert.equal(await text('/plain/docs/page.html'), '<p>page</p>')
    assert.equal(await text('/page/docs/'), '<p>page</p>')
  })

  test('at the root of everything leave WebSockets alone', async t => {
    const { port } = await serve(t, { controllers: [Live] }, { use: [serveFiles('/', root)] })
    assert.equal((await send(port, 'GET /')).text, '<p>index</p>')
    assert.equal((await send(port, 'GET /docs')).headers.location, './docs/')
    const client = new Client(`ws://127.0.0.1:${port}/`)
    const [message] = await new Promise<unknown[]>(resolve => client.once('message', (...args) => resolve(args)))
    assert.equal(String(message), 'opened')
    client.terminate()
  })

  test('stand in an Express application, too', async t => {
    const app = express()
    app.use('/mounted', serveFiles('/', root))
    const server = app.listen(0, '127.0.0.1')
    t.after(() => server.close())
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    assert.equal((await send(port, 'GET /mounted/docs/page.html')).text, '<p>page</p>')
    assert.equal((await send(port, 'GET /mounted/none')).status, 404)
    assert.equal((await fetch(`http://127.0.0.1:${port}/mounted/docs`)).url, `http://127.0.0.1:${port}/mounted/docs/`)
  })

  for (const [what, make, problem] of [
    [
      'no folder',
      () => serveFiles('/a', join(folder, 'none')),
      `serveFiles('/a'): there is no folder ${join(folder, 'none')}`,
    ],
    [
      'a file',
      () => serveFiles('/a', join(folder, 'secret.txt')),
      `serveFiles('/a'): there is no folder ${join(folder, 'secret.txt')}`,
    ],
    ['a path without a slash', () => serveFiles('a', root), "serveFiles('a'): the path should begin with a slash"],
    [
      'a slip',
      () => serveFiles('/a', root, { idnex: false } as never),
      "serveFiles('/a') has no option idnex: did you mean index?",
    ],
    [
      'a wrong value',
      () => serveFiles('/a', root, { index: true as never }),
      "serveFiles('/a'): index should be the name of a file, or false, not true",
    ],
  ] as const) {
    test(`${what} is told when it is written`, () =>
      assert.throws(make, { name: 'ConfigurationError', problems: [problem] }))
  }
})

describe('files that are compressed already', () => {
  const served = serveSuite({ controllers: [] }, { use: [serveFiles('/', root, { precompressed: true })] })
  const get = (path: string, accept: string | undefined, headers: Record<string, string> = {}) =>
    send(served.port, `GET ${path}`, {
      headers: { ...(accept === undefined ? {} : { 'Accept-Encoding': accept }), ...headers },
    })

  for (const [accept, coding] of [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['identity, gzip;q=0.5', undefined],
    ['deflate', undefined],
    [undefined, undefined],
  ] as const) {
    test(`Accept-Encoding: ${accept ?? '(none)'} gets ${coding ?? 'the file itself'}`, async () => {
      const { status, headers, bytes } = await get('/packed.js', accept)
      assert.deepEqual([status, headers['content-encoding'], headers.vary], [200, coding, 'Accept-Encoding'])
      assert.equal(headers['content-type'], 'text/javascript; charset=utf-8')
      assert.equal(headers['content-length'], String(bytes.length))
      if (coding === undefined) assert.equal(bytes.toString(), style)
      else assert.deepEqual(bytes, coding === 'br' ? brotliCompressSync(style) : gzipSync(style))
    })
  }

  test('have a tag each, and ranges of their own bytes', async () => {
    const tags = await Promise.all(
      ['br', 'gzip', 'identity'].map(async each => String((await get('/packed.js', each)).headers.etag)),
    )
    assert.equal(new Set(tags).size, 3)
    for (const tag of tags) assert.match(tag, /^"/)
    const { status, headers, bytes } = await get('/packed.js', 'gzip', {
      Range: 'bytes=0-9',
      'If-Range': tags[1] ?? '',
    })
    assert.deepEqual([status, headers['content-encoding']], [206, 'gzip'])
    assert.deepEqual(bytes, gzipSync(style).subarray(0, 10))
    const same = await get('/packed.js', 'gzip', { 'If-None-Match': tags[1] ?? '' })
    assert.deepEqual([same.status, same.headers.vary], [304, 'Accept-Encoding'])
    assert.equal((await get('/packed.js', 'gzip', { 'If-None-Match': tags[0] ?? '' })).status, 200)
  })

  test('are passed over where one is missing, or older than the file', async () => {
    assert.equal((await get('/only.js', 'br, gzip')).headers['content-encoding'], 'gzip')
    const stale = await get('/stale.js', 'br')
    assert.deepEqual([stale.headers['content-encoding'], stale.text], [undefined, style])
  })
})
