import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { EventSource } from 'eventsource'
import { WebSocket } from 'ws'
import type { Publisher } from '../src/index.js'
import { root } from './support/paths.js'
import { type Drive, type SnippetModule, testSnippets } from './support/readme.js'
import { RedisServer, skip as withoutRedis } from './support/redis-server.js'

let redis: RedisServer | undefined
before(async () => {
  if (withoutRedis !== false) return
  redis = await RedisServer.open()
  process.env.REDIS_URL = redis.url
})
after(() => redis?.end())

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

  'wiring.ts': async module => {
    assert.deepEqual(await json(await fetch(at(module, '/count'))), { count: 5, at: 0 })
  },
}

testSnippets(readFileSync(join(root, 'README.md'), 'utf8'), DRIVES, 'readme', { 'scores.ts': withoutRedis })

/** The next acknowledgement: past the message that tells a sender where it stands. */
async function nextAck(socket: WebSocket): Promise<unknown> {
  for await (const [data] of on(socket, 'message')) {
    const message: object = JSON.parse(String(data))
    if ('ack' in message) return message
  }
  throw new Error('the socket closed')
}
