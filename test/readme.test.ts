import assert from 'node:assert/strict'
import cluster from 'node:cluster'
import { on, once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { EventSource } from 'eventsource'
import { WebSocket } from 'ws'
import { asyncapi, openapi } from '../src/describe/index.js'
import type { Application, Publisher, Workers } from '../src/index.js'
import { makeCertificate } from './support/certificate.js'
import { checkAsync, checkOpenApi } from './support/documents.js'
import { eventually } from './support/eventually.js'
import { NatsServer, skip as withoutNats } from './support/nats-server.js'
import { root } from './support/paths.js'
import { type Drive, type SnippetModule, testSnippets } from './support/readme.js'
import { RedisServer, skip as withoutRedis } from './support/redis-server.js'
import { send as request } from './support/send.js'
import { frame } from './support/websocket-peer.js'

// What the workers of a snippet run, in place of this file.
cluster.setupPrimary({ exec: join(root, 'dist/snippets/readme/out/cores.js'), args: [], execArgv: [] })

let redis: RedisServer | undefined
before(async () => {
  if (withoutRedis !== false) return
  redis = await RedisServer.open()
  process.env.REDIS_URL = redis.url
})
after(() => redis?.end())

let nats: NatsServer | undefined
before(async () => {
  if (withoutNats !== false) return
  nats = await NatsServer.open()
  process.env.NATS_URL = nats.url
})
after(() => nats?.end())

const at = (module: SnippetModule, path: string, scheme = 'http') =>
  `${scheme}://localhost:${(module.app as unknown as { port: number }).port}${path}`

async function send(url: string, method: string, body: unknown, headers: Record<string, string> = {}) {
  const init = { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } }
  return fetch(url, init)
}

// biome-ignore lint/suspicious/noExplicitAny: the tests below say what they expect of it
async function json(response: Response): Promise<any> {
  return response.json()
}

/** The first `count` events of these types, as `type: data`. */
function events(source: EventSource, types: readonly string[], count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const seen: string[] = []
    for (const type of types) {
      source.addEventListener(type, event => {
        seen.push(`${type}: ${event.data}`)
        if (seen.length === count) resolve(seen)
      })
    }
    source.addEventListener('error', error => error.code !== undefined && reject(error))
  })
}

async function nextMessage(socket: WebSocket): Promise<unknown> {
  const [data] = await once(socket, 'message')
  return JSON.parse(String(data))
}

const page = readFileSync(join(root, 'README.md'), 'utf8')

/** Runs the snippet for browsers that begins with `beginning`, with these in place of a browser's globals. */
function runInBrowser(beginning: string, globals: Record<string, unknown>): void {
  const source = page
    .split('```js\n')
    .find(each => each.startsWith(beginning))
    ?.split('```')[0]
  assert.ok(source, `no snippet begins with ${beginning}`)
  new Function(...Object.keys(globals), source)(...Object.values(globals))
}

/** The snippet's socket is cut, and draws what it missed. */
async function drawsWhatItMissed(module: SnippetModule, send: (x: number) => void): Promise<void> {
  const drawn: unknown[] = []
  const opened: WebSocket[] = []
  let over = false
  class BrowserSocket extends WebSocket {
    constructor(path: string) {
      super(at(module, path, 'ws'))
      opened.push(this)
    }
  }
  const setTimeout = (connect: () => void) => {
    if (over) return
    send(2)
    setImmediate(connect)
  }
  runInBrowser('let lastEventId', { WebSocket: BrowserSocket, setTimeout, draw: (each: unknown) => drawn.push(each) })
  await once(opened[0] as WebSocket, 'message')
  send(1)
  await eventually('the first stroke', () => drawn.length === 1)
  opened[0]?.terminate()
  await eventually('what was missed', () => drawn.length === 2)
  assert.deepEqual(drawn, [
    { x: 1, y: 0 },
    { x: 2, y: 0 },
  ])
  over = true
  opened[1]?.close()
  await once(opened[1] as WebSocket, 'close')
}

/** What each snippet of README.md is held to, by its file. */
const DRIVES: Record<string, Drive> = {
  'hello.ts': async (module, t) => {
    assert.deepEqual(await json(await fetch(at(module, '/hello/ada'))), { hello: 'ada' })
    const source = new EventSource(at(module, '/time'))
    t.after(() => source.close())
    const [welcome, time] = await events(source, ['welcome', 'time'], 2)
    assert.equal(welcome, 'welcome: here is the time')
    assert.match(time ?? '', /^time: \d{13}$/)
    const socket = new WebSocket(at(module, '/echo', 'ws'))
    await once(socket, 'open')
    socket.send('hello')
    assert.equal(String((await once(socket, 'message'))[0]), 'hello')
    socket.close()
    await once(socket, 'close')
  },

  'users.ts': async module => {
    const ada = { name: 'Ada', email: 'ada@example.org' }
    const made = await send(at(module, '/users'), 'POST', ada)
    assert.equal(made.status, 201)
    assert.equal(made.headers.get('location'), '/users/1')
    assert.deepEqual(await made.json(), { id: 1, ...ada })
    assert.equal((await send(at(module, '/users'), 'POST', { name: '' })).status, 422)
    assert.deepEqual(await json(await fetch(at(module, '/users/1'))), { id: 1, ...ada })
    assert.equal((await fetch(at(module, '/users/2'))).headers.get('content-type'), 'application/problem+json')
    assert.equal((await json(await fetch(at(module, '/users')))).length, 1)
    assert.equal((await fetch(at(module, '/users?limit=0'))).status, 400)
    assert.equal(await (await fetch(at(module, '/users/export'))).text(), `${JSON.stringify({ id: 1, ...ada })}\n`)
    assert.equal((await fetch(at(module, '/users/1'), { method: 'DELETE' })).status, 204)
    assert.equal((await fetch(at(module, '/users/1'))).status, 404)
  },

  'albums.ts': async (module, t) => {
    const log = t.mock.method(console, 'log', () => {})
    const covers = String(module.covers)
    t.after(() => rm(covers, { recursive: true }))
    const cover = new FormData()
    cover.set('title', 'Horses')
    cover.set('cover', new Blob(['GIF'], { type: 'image/gif' }), 'horse.gif')
    const kept = await fetch(at(module, '/albums/a%2Fb/cover'), { method: 'POST', body: cover })
    assert.deepEqual(await kept.json(), { title: 'Horses', file: 'horse.gif', type: 'image/gif', size: 3 })
    assert.equal(readFileSync(join(covers, 'a%2Fb'), 'utf8'), 'GIF')
    cover.set('cover', new Blob(['text'], { type: 'text/plain' }), 'horse.txt')
    assert.equal((await fetch(at(module, '/albums/a/cover'), { method: 'POST', body: cover })).status, 415)
    cover.delete('cover')
    assert.equal((await fetch(at(module, '/albums/a/cover'), { method: 'POST', body: cover })).status, 422)
    const films = new FormData()
    for (const name of ['one', 'two']) films.append('films', new Blob(['']), name)
    const digests = await json(await fetch(at(module, '/albums/a/films'), { method: 'POST', body: films }))
    assert.deepEqual(Object.keys(digests), ['one', 'two'])
    assert.match(digests.one, /^e3b0c442/)
    assert.match(String(log.mock.calls.at(-1)?.arguments[0]), /^(\d+) of \1 bytes$/)
  },

  'ticker.ts': async (module, t) => {
    const log = t.mock.method(console, 'log', () => {})
    const source = new EventSource(at(module, '/countdown/2'))
    t.after(() => source.close())
    const ended = new Promise<void>(resolve => source.addEventListener('error', e => e.code === 204 && resolve()))
    const seen = await events(source, ['count', 'lift-off'], 3)
    assert.deepEqual(seen, ['count: 2', 'count: 1', 'lift-off: now'])
    await ended
    assert.equal(source.readyState, source.CLOSED)
    assert.deepEqual(log.mock.calls[0]?.arguments, ['one countdown less:', 'stopped'])
    const streamed = await send(at(module, '/chat'), 'POST', { prompt: 'hi' }, { Accept: 'text/event-stream' })
    assert.equal(await streamed.text(), 'data: You\n\ndata: said:\n\ndata: hi\n\ndata: [DONE]\n\n')
    const whole = await send(at(module, '/chat'), 'POST', { prompt: 'hi' })
    assert.deepEqual(await whole.json(), { text: 'You said: hi' })
    assert.equal((await send(at(module, '/chat'), 'POST', {}, { Accept: 'text/event-stream' })).status, 422)
  },

  'whiteboard.ts': async module => {
    const refused = new WebSocket(at(module, '/boards/a', 'ws'))
    const [, response] = await once(refused, 'unexpected-response')
    assert.equal(response.statusCode, 403)
    response.destroy()
    const sockets = [1, 2].map(() => new WebSocket(at(module, '/boards/a?token=secret', 'ws')))
    const [one, two] = sockets as [WebSocket, WebSocket]
    const standing = await Promise.all(sockets.map(nextMessage))
    for (const message of standing) assert.deepEqual(Object.keys(message as object), ['id'])
    one.send(JSON.stringify({ event: 'stroke', data: { x: 1, y: 2 }, ack: 7 }))
    const [ack, stroke] = (await Promise.all([nextAck(one), nextMessage(two)])) as Record<string, unknown>[]
    assert.deepEqual(stroke, { event: 'stroke', data: { x: 1, y: 2 }, id: ack?.data })
    assert.equal(ack?.ack, 7)
    one.send(JSON.stringify({ event: 'stroke', data: { x: 'far' }, ack: 8 }))
    const wrong = (await nextAck(one)) as { ack: number; error: { status: number } }
    assert.deepEqual([wrong.ack, wrong.error.status], [8, 422])
    await drawsWhatItMissed(module, x => one.send(JSON.stringify({ event: 'stroke', data: { x, y: 0 } })))
    for (const socket of sockets) socket.close()
    await Promise.all(sockets.map(socket => once(socket, 'close')))
  },

  'news.ts': async (module, t) => {
    const publish = (title: string) => send(at(module, '/news/sea'), 'POST', { title })
    await publish('one')
    const source = new EventSource(at(module, '/news/sea'))
    t.after(() => source.close())
    const seen = events(source, ['headline'], 2)
    await once(source as never, 'open')
    assert.deepEqual((await json(await publish('two'))).readers, 1)
    assert.deepEqual(await seen, ['headline: {"title":"one"}', 'headline: {"title":"two"}'])
    const shown: string[] = []
    class BrowserSource extends EventSource {
      constructor(path: string) {
        super(at(module, path))
        t.after(() => this.close())
      }
    }
    runInBrowser('const news', { EventSource: BrowserSource, show: (text: string) => shown.push(text) })
    await eventually('the headlines', () => shown.length === 2)
    assert.deepEqual(shown, ['one', 'two'])
  },

  'documented.ts': async (module, t) => {
    const documents = ['openapi', 'asyncapi'].map(name => fetch(at(module, `/${name}.json`)).then(json))
    const [openapi, asyncapi] = await Promise.all(documents)
    await checkOpenApi(openapi)
    checkAsync(asyncapi)
    const { add, stream } = { add: openapi.paths['/albums'].post, stream: openapi.paths['/albums/events'].get }
    assert.deepEqual([add.operationId, add.summary, add.security], ['Albums.add', 'Adds an album', [{ token: [] }]])
    assert.deepEqual(Object.keys(add.responses), ['201', '400', '401', '403', '413', '415', '422', 'default'])
    assert.deepEqual(Object.keys(openapi.components.schemas), ['Problem', 'Album'])
    const [added] = stream.responses['200'].content['text/event-stream'].schema.anyOf
    assert.equal(added.properties.event.const, 'added')
    assert.deepEqual(asyncapi.channels.Additions.messages.added.payload, { $ref: '#/components/schemas/Album' })
    const source = new EventSource(at(module, '/albums/events'))
    t.after(() => source.close())
    await events(source, ['place'], 1)
    const seen = events(source, ['added'], 1)
    const album = { title: 'Blue', year: 1971 }
    assert.equal((await send(at(module, '/albums'), 'POST', album)).status, 401)
    assert.equal((await send(at(module, '/albums'), 'POST', album, { Authorization: 'Bearer ada' })).status, 201)
    assert.deepEqual(await seen, [`added: ${JSON.stringify(album)}`])
  },

  'deploys.ts': async module => {
    const ready = await fetch(at(module, '/ready'))
    assert.deepEqual([ready.status, await json(ready)], [200, { status: 'ready' }])
    assert.equal((await fetch(at(module, '/live'))).status, 200)
    assert.deepEqual(await json(await fetch(at(module, '/orders'))), [])
  },

  'lobby.ts': async module => {
    const sources: EventSource[] = []
    const shown: string[][] = []
    class BrowserSource extends EventSource {
      constructor(path: string) {
        super(at(module, path))
        sources.push(this)
      }
    }
    runInBrowser('const here', { EventSource: BrowserSource, show: (users: string[]) => void shown.push(users) })
    await eventually('it sees itself', () => shown.at(-1)?.includes('ada'))
    const others = ['bob', 'bob'].map(user => new EventSource(at(module, `/lobbies/green/events?user=${user}`)))
    sources.push(...others)
    await eventually('bob is here', () => shown.at(-1)?.join() === 'ada,bob')
    const lobby = () => fetch(at(module, '/lobbies/green')).then(json)
    await eventually('all are counted', async () => (await lobby()).connections === 3)
    assert.deepEqual(await lobby(), {
      users: [
        { user: 'ada', metas: [{ name: 'ADA' }] },
        { user: 'bob', metas: [{ name: 'BOB' }, { name: 'BOB' }] },
      ],
      connections: 3,
      diary: ['ada came into green', 'bob came into green'],
    })
    assert.equal((await fetch(at(module, '/lobbies/users/bob'), { method: 'DELETE' })).status, 204)
    await eventually('bob is gone', () => shown.at(-1)?.join() === 'ada')
    assert.equal((await lobby()).diary.at(-1), 'bob left green')
    for (const source of sources) source.close()
  },

  'cores.ts': async (module, t) => {
    const source = new EventSource(at(module, '/rooms/den'))
    t.after(() => source.close())
    await events(source, ['place'], 1)
    let heard = 0
    const pids = new Set<string>()
    source.addEventListener('said', ({ data }) => {
      heard++
      pids.add(JSON.parse(data).by)
    })
    let sent = 0
    const saysMore = async () => {
      await send(at(module, '/rooms/den'), 'POST', {}, { Connection: 'close' })
      return ++sent >= 4 && pids.size === (module.workers as Workers).count
    }
    await eventually('each worker has sent', saysMore, { timeout: 30_000 })
    await eventually('all is heard', () => heard === sent)
    assert.deepEqual([...pids].sort(), [...(module.workers as Workers).pids].sort())
  },

  'scores.ts': async (module, t) => {
    const scores = module.scores as Publisher<{ goal: { team: string } }>
    t.after(() => scores.close())
    const source = new EventSource(at(module, '/scores/final'))
    t.after(() => source.close())
    await events(source, ['place'], 1)
    const seen = events(source, ['goal'], 1)
    await scores.to('final').send('goal', { team: 'blue' })
    assert.deepEqual(await seen, ['goal: {"team":"blue"}'])
  },

  'orders.ts': async (module, t) => {
    const source = new EventSource(at(module, '/sales'))
    t.after(() => source.close())
    await events(source, ['place'], 1)
    const seen = events(source, ['sold'], 2)
    const sell = async (...items: string[]) => (await send(at(module, '/sales'), 'POST', { items })).status
    assert.equal(await sell('tea', 'milk'), 409)
    assert.equal(await sell('tea'), 204)
    assert.equal(await sell('tea'), 204)
    assert.equal(await sell('tea'), 409)
    assert.deepEqual(await seen, ['sold: {"item":"tea","left":1}', 'sold: {"item":"tea","left":0}'])
  },

  'lights.ts': async (module, t) => {
    const sockets = [1, 2].map(() => new WebSocket(at(module, '/lights/home', 'ws')))
    t.after(() => sockets.map(socket => socket.close()))
    await Promise.all(sockets.map(nextMessage)) // they are told their place
    const seen = Promise.all(sockets.map(nextMessage))
    sockets[0]?.send('on')
    for (const message of (await seen) as { event: string; data: unknown }[]) {
      assert.deepEqual([message.event, message.data], ['light', { on: true }])
    }
  },

  'guarded.ts': async module => {
    const stranger = await fetch(at(module, '/me'))
    assert.equal(stranger.status, 401)
    assert.equal(stranger.headers.get('www-authenticate'), 'Bearer')
    const headers = { Authorization: 'Bearer ada' }
    const body = await json(await fetch(at(module, '/me'), { headers }))
    assert.equal(body.result, 'Ada')
    assert.equal(typeof body.took, 'number')
    const missing = await fetch(at(module, '/me/missing'), { headers })
    assert.equal(missing.status, 404)
    assert.equal((await json(missing)).detail, 'nothing of that name')
  },

  'tenants.ts': async (module, t) => {
    const log = t.mock.method(console, 'log', () => {})
    const { port } = module.app as unknown as { port: number }
    const headers = { Host: 'acme.example.com', 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https' }
    const plain = await request(port, 'GET /plan', { headers })
    assert.deepEqual(plain.json(), { tenant: 'acme', plan: 'free' })
    assert.deepEqual(log.mock.calls[0]?.arguments, [plain.headers['x-request-id'], 'acme asks'])
    assert.equal(plain.headers.vary, 'X-Version')
    const detailed = await request(port, 'GET /plan', { headers: { ...headers, 'X-Version': '3' } })
    const seen = { remoteAddress: '203.0.113.7', secure: true }
    assert.deepEqual(detailed.json(), { tenant: 'acme', plan: { name: 'free' }, ...seen })
    assert.equal((await request(port, 'GET /plan', { headers: { ...headers, 'X-Version': '4' } })).status, 406)
    assert.equal((await request(port, 'GET /plan')).status, 404)
  },

  'secure.ts': async module => {
    const { app } = module as unknown as { app: Application }
    const session = connect(app.url ?? '', { ca: certificate.cert })
    await once(session, 'remoteSettings')
    assert.equal(session.alpnProtocol, 'h2')
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/echo', ...version })
    assert.equal((await once(stream, 'response'))[0][':status'], 200)
    stream.write(frame('text', 'hello'))
    assert.equal(String((await once(stream, 'data'))[0].subarray(2)), 'hello')
    const renewed = await makeCertificate()
    writeFileSync(process.env.TLS_KEY ?? '', renewed.key)
    writeFileSync(process.env.TLS_CERT ?? '', renewed.cert)
    process.emit('SIGHUP')
    const socket = new WebSocket(`${app.url?.replace('https', 'wss')}/echo`, { ca: renewed.cert })
    await once(socket, 'open')
    stream.write(frame('text', 'again'))
    assert.equal(String((await once(stream, 'data'))[0].subarray(2)), 'again')
    socket.terminate()
    session.destroy()
    process.removeAllListeners('SIGHUP')
  },

  'reports.ts': async module => {
    const saved = await fetch(at(module, '/reports/reports.ts'), { headers: { 'Accept-Encoding': 'identity' } })
    assert.equal(saved.headers.get('content-disposition'), 'attachment; filename="reports.ts"')
    assert.equal(saved.headers.get('cache-control'), 'max-age=60')
    assert.equal((await fetch(at(module, '/reports/..%2Freports.ts'))).status, 404)
    assert.deepEqual(await json(await fetch(at(module, '/reports'))), ['spring', 'summer'])
    const csv = await fetch(at(module, '/reports'), { headers: { Accept: 'text/csv' } })
    assert.equal(await csv.text(), 'spring\nsummer')
    assert.equal((await fetch(at(module, '/reports'), { headers: { Accept: 'image/png' } })).status, 406)
    let cookie = ''
    for (const visits of [0, 1, 2]) {
      const visit = await fetch(at(module, '/reports/visits'), { headers: { Cookie: cookie } })
      assert.deepEqual(await visit.json(), { visits })
      cookie = visit.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    }
    const forged = await fetch(at(module, '/reports/visits'), { headers: { Cookie: 'visits=1000' } })
    assert.deepEqual(await forged.json(), { visits: 0 })
    const asset = await fetch(at(module, '/assets/reports.ts'))
    assert.ok((await asset.text()).includes('serveFiles'))
    assert.equal((await fetch(at(module, '/assets/reports.ts'), { headers: { Range: 'bytes=0-1' } })).status, 206)
  },

  'wiring.ts': async module => {
    assert.deepEqual(await json(await fetch(at(module, '/count'))), { count: 5, at: 0 })
  },
}

const version = { 'sec-websocket-version': '13' }
const certificate = await makeCertificate()
const certificates = mkdtempSync(join(tmpdir(), 'palomino-'))
process.env.TLS_KEY = join(certificates, 'key.pem')
process.env.TLS_CERT = join(certificates, 'cert.pem')
writeFileSync(process.env.TLS_KEY, certificate.key)
writeFileSync(process.env.TLS_CERT, certificate.cert)
after(() => rmSync(certificates, { recursive: true }))

/** What an application of a snippet tells of itself is valid, whatever it is made of. */
async function checkDocuments({ app }: SnippetModule): Promise<void> {
  if (app === undefined || !('routes' in app)) return
  const info = { title: 'A snippet', version: '1.0.0' }
  const { routes } = app as Application
  checkAsync(asyncapi(routes, info))
  for (const version of ['3.1', '3.2'] as const) await checkOpenApi(openapi(routes, info, { openapi: version }))
}

const documented = Object.entries(DRIVES).map(([file, drive]): [string, Drive] => [
  file,
  async (module, t) => {
    await checkDocuments(module)
    await drive(module, t)
  },
])

testSnippets(page, Object.fromEntries(documented), 'readme', { 'scores.ts': withoutRedis, 'lights.ts': withoutNats })

/** The next acknowledgement: past the message that tells a sender where it stands. */
async function nextAck(socket: WebSocket): Promise<unknown> {
  for await (const [data] of on(socket, 'message')) {
    const message: object = JSON.parse(String(data))
    if ('ack' in message) return message
  }
  throw new Error('the socket closed')
}
