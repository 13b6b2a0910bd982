import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import { WebSocket } from 'ws'
import { middleware, Showcase } from '../../examples/showcase.js'
import { served } from '../support/examples.js'
import { rawRequest } from '../support/raw-peer.js'

const server = served(Showcase, { use: middleware })
const get = (path: string, headers: Record<string, string> = {}) => fetch(server.origin + path, { headers })

describe('the chat refuses who has no token, in plain HTTP', () => {
  const problem = { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'sign in first' }

  for (const [what, path, init] of [
    ['an event stream', '/chat/rooms/lobby/events', { headers: { Accept: 'text/event-stream' } }],
    ['a forged token', '/chat/rooms/lobby/events?token=bm9ib2R5.c2VhbA', {}],
    ['a token given twice', '/chat/rooms/lobby/events?token=a&token=b', {}],
    ['a message', '/chat/rooms/lobby/say', { method: 'POST', body: '{"text":"hi"}' }],
    ['a question who one is', '/chat/me', { headers: { Authorization: 'Basic YTpi' } }],
  ] as const) {
    test(what, async () => {
      const response = await fetch(server.origin + path, init)
      assert.equal(response.status, 401)
      assert.equal(response.headers.get('content-type'), 'application/problem+json')
      assert.equal(response.headers.get('www-authenticate'), 'Bearer')
      assert.deepEqual(await response.json(), problem)
    })
  }

  test('a handshake, before the 101', async () => {
    const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/chat/rooms/lobby/socket`)
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      socket.on('unexpected-response', (_, response) => resolve(response))
      socket.on('open', () => reject(new Error('it was let in')))
    })
    assert.equal(response.statusCode, 401)
    assert.deepEqual(JSON.parse((await response.setEncoding('utf8').toArray()).join('')), problem)
  })
})

test('P38: a page from elsewhere may watch the slides, after a preflight, and nothing else', async () => {
  const from = { Origin: 'https://elsewhere.example' }
  const preflight = await fetch(`${server.origin}/slides/audience/x`, {
    method: 'OPTIONS',
    headers: { ...from, 'Access-Control-Request-Method': 'DELETE' },
  })
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /DELETE/)
  const stream = await get('/slides/talks/cors/events', from)
  assert.equal(stream.headers.get('access-control-allow-origin'), '*')
  await stream.body?.cancel()
  assert.equal((await get('/chat/me', from)).headers.get('access-control-allow-origin'), null)
})

test('P38: what the pages load is served with its type, and nothing outside', async () => {
  for (const [path, type] of [
    ['/assets/shared/style.css', 'text/css; charset=utf-8'],
    ['/assets/chat/page.js', 'text/javascript; charset=utf-8'],
    ['/assets/shared/mark.svg', 'image/svg+xml'],
  ] as const) {
    const response = await get(path)
    assert.equal(response.headers.get('content-type'), type)
    assert.ok((await response.text()).length > 100)
  }
  const port = server.app.port
  for (const path of [
    '/assets/../package.json',
    '/assets/shared/..%2f..%2fpackage.json',
    '/assets/%2e%2e/package.css',
    '/assets/chat/chat.ts',
    '/assets/shared/none.css',
  ]) {
    const answer = await rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 404 /, path)
  }
})

test('P36: what is told to one of the audience reaches that stream, and a stream is ended by its id', async t => {
  const [one, two] = await Promise.all(['one', 'two'].map(name => guest(t, name)))
  const remote = new WebSocket(`${server.origin.replace('http', 'ws')}/slides/talks/p36/remote`)
  t.after(() => remote.close())
  const answered = new Promise(resolve => {
    remote.on('message', data => {
      const message = JSON.parse(String(data))
      if (message.event === 'welcome') remote.send(JSON.stringify({ event: 'call', data: { guest: two?.id }, ack: 1 }))
      if (message.ack === 1) resolve(message)
    })
  })
  assert.deepEqual(await answered, { ack: 1, data: null })
  await two?.next('call')
  assert.deepEqual(one?.heard, ['welcome'])
  const ended = one?.next('error')
  const cut = await fetch(`${server.origin}/slides/audience/${one?.id}`, { method: 'DELETE' })
  assert.equal(cut.status, 204)
  await ended
  assert.deepEqual(two?.heard, ['welcome', 'call'])
})

/** A stream of the audience, and the names of what it heard. */
async function guest(t: import('node:test').TestContext, name: string) {
  const source = new EventSource(`${server.origin}/slides/talks/p36/events?name=${name}`)
  t.after(() => source.close())
  const heard: string[] = []
  const next = (event: string) =>
    new Promise<MessageEvent>(resolve => source.addEventListener(event, resolve as never, { once: true }))
  for (const event of ['welcome', 'call']) source.addEventListener(event, () => heard.push(event))
  const { you } = JSON.parse((await next('welcome')).data)
  return {
    id: you.id as string,
    heard,
    next: (event: string) => (heard.includes(event) ? Promise.resolve() : next(event)),
  }
}
