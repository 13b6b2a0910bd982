/** `/ready` and `/live`: what balancers and supervisors are told, whatever the application is made of. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import express from 'express'
import {
  bootstrap,
  ConnectionRegistry,
  Controller,
  EventLog,
  forbidden,
  Get,
  type HealthOptions,
  Injectable,
  type LogHealth,
  MemoryEventLog,
  type Middleware,
  Module,
  Registry,
  Sse,
} from '../../src/index.js'
import { LogBook, serve, start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'

@Registry('scores')
class Scores extends ConnectionRegistry {}

@Controller('/')
class Plain {
  @Get('hello')
  hello() {
    return 'hello'
  }
}

class AwayLog extends MemoryEventLog {
  away = false
  override get health(): LogHealth {
    return { ready: !this.away }
  }
}

const nobody = () => forbidden()

describe('health', () => {
  test('is not there unless it is asked for', async t => {
    const { port } = await serve(t, [Plain])
    assert.equal((await send(port, 'GET /ready')).status, 404)
    assert.equal((await send(port, 'GET /live')).status, 404)
  })

  test('answers in front of middleware, guards and the prefix, and keeps nothing in caches', async t => {
    const asked: unknown[] = []
    const use: Middleware[] = [
      ({ url }, _, next) => {
        asked.push(url)
        next()
      },
    ]
    const options = { health: true, use, guards: [nobody], prefix: '/api' }
    const { port } = await serve(t, [Plain], options)
    for (const [path, text] of [
      ['/ready', '{"status":"ready"}'],
      ['/live?probe=1', '{"status":"live"}'],
    ]) {
      const answer = await send(port, `GET ${path}`)
      assert.deepEqual([answer.status, answer.text], [200, text])
      assert.equal(answer.headers['content-type'], 'application/json')
      assert.equal(answer.headers['cache-control'], 'no-store')
      const head = await send(port, `HEAD ${path}`)
      assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', String(text?.length)])
    }
    assert.deepEqual(asked, [])
    assert.equal((await send(port, 'GET /api/hello')).status, 403)
    assert.equal((await send(port, 'POST /ready')).status, 404)
    assert.equal((await send(port, 'GET /readyness')).status, 404)
  })

  test('answers at other paths, over HTTP/1.1 and HTTP/2, and inside Express', async t => {
    const { app, port } = await serve(t, [Plain], { health: { ready: '/healthz', live: '/livez' }, http2: true })
    assert.equal((await send(port, 'GET /healthz')).text, '{"status":"ready"}')
    assert.equal((await send(port, 'GET /livez')).status, 200)
    assert.equal((await send(port, 'GET /ready')).status, 404)
    const session = connect(`http://127.0.0.1:${port}`)
    t.after(() => session.destroy())
    const [headers] = await once(session.request({ ':path': '/healthz' }), 'response')
    assert.deepEqual([headers[':status'], headers['content-type']], [200, 'application/json'])
    const server = express().use(app.handler).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await eventually('it listens', () => server.listening)
    const { port: outer } = server.address() as { port: number }
    assert.equal((await send(outer, 'GET /healthz')).text, '{"status":"ready"}')
  })

  test('answers to a target in absolute form, and whatever the query', async t => {
    const { port } = await serve(t, [Plain], { health: true })
    for (const target of ['http://a/live', 'http://a/live?b', '/live?b', '/live?'])
      assert.match(
        await rawRequest(port, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
        /^HTTP\/1\.1 200 /,
        target,
      )
  })

  test('options that are undefined are as if they were not given', async t => {
    const health = { ready: undefined, live: undefined, checks: undefined, patience: undefined } as never
    const { port } = await serve(t, [Plain], { health })
    assert.equal((await send(port, 'GET /ready')).status, 200)
    assert.equal((await send(port, 'GET /live')).status, 200)
  })

  test('is not ready while the log of a registry is away, and alive', async t => {
    const log = new AwayLog({ count: 1, bytes: 1000, age: 1000 })
    const eventLog = (): EventLog => log
    const { app, port } = await serve(t, [Plain], { providers: [Scores], eventLog, health: true })
    assert.equal((await send(port, 'GET /ready')).status, 200)
    log.away = true
    assert.deepEqual(app.get(Scores).health, { ready: false })
    const answer = await send(port, 'GET /ready')
    assert.equal(answer.headers['content-type'], 'application/problem+json')
    assert.deepEqual(answer.json(), {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'not ready',
      reasons: ['the event log of Scores is away'],
    })
    assert.equal((await send(port, 'GET /live')).status, 200)
    assert.equal((await send(port, 'GET /hello')).text, 'hello')
    log.away = false
    assert.equal((await send(port, 'GET /ready')).status, 200)
  })

  test('is not ready while a check fails, by whatever way; why is logged once, and not told', async t => {
    @Injectable()
    class Database {
      answer: () => unknown = () => true
    }
    const health: HealthOptions = {
      patience: 20,
      checks: { database: get => get(Database).answer(), disk: async () => {} },
    }
    const { app, port, log } = await serve(t, [Plain], { providers: [Database], health })
    const database = app.get(Database)
    assert.equal((await send(port, 'GET /ready')).status, 200)
    const failures: (() => unknown)[] = [
      () => assert.fail('secret'),
      () => Promise.reject(new Error('secret')),
      () => false,
      async () => false,
      () => new Promise(() => {}),
    ]
    for (const failure of failures) {
      database.answer = failure
      const answer = await send(port, 'GET /ready')
      assert.equal(answer.status, 503)
      assert.deepEqual((answer.json() as { reasons: string[] }).reasons, ['the check database fails'])
    }
    assert.deepEqual(log.warnings, ['the health check database fails'])
    database.answer = () => undefined
    assert.equal((await send(port, 'GET /ready')).status, 200)
    assert.deepEqual(log.messages, [])
  })

  test('asks each check once for all who ask meanwhile', async t => {
    let asked = 0
    let answer = () => {}
    const slow = () => {
      asked++
      return new Promise<void>(resolve => {
        answer = resolve
      })
    }
    const { app } = await serve(t, [Plain], { health: { checks: { slow } }, listen: false })
    let came = 0
    const server = createServer(app.handler).on('request', () => came++)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const answers = Array.from({ length: 5 }, () => send(port, 'GET /ready'))
    await eventually('all have asked', () => came === 5 && asked > 0)
    answer()
    assert.deepEqual([...new Set((await Promise.all(answers)).map(({ status }) => status))], [200])
    assert.equal(asked, 1)
  })

  test('what cannot be meant is a boot error', async () => {
    @Controller('/ready')
    class Ready {
      @Get('/')
      ready() {}
    }
    @Controller('/live')
    class Live {
      @Get()
      live() {}
    }
    @Sse('/ready')
    class Readiness {
      open() {}
    }
    const problems = async (health: unknown, controllers: (typeof Ready | typeof Live | typeof Readiness)[] = []) => {
      try {
        const { app } = await start(controllers, { health: health as HealthOptions })
        await app.close()
      } catch (error) {
        return (error as { problems: string[] }).problems
      }
      return []
    }
    assert.deepEqual(await problems({ redy: '/r' }), ['bootstrap: health has no option redy: did you mean ready?'])
    assert.deepEqual(await problems('/ready'), [
      "bootstrap: health should be true, false, or an object of options, not '/ready'",
    ])
    assert.deepEqual(await problems(null), [
      'bootstrap: health should be true, false, or an object of options, not null',
    ])
    assert.deepEqual(await problems({ live: 'live', patience: -1 }), [
      "bootstrap: health: live should be a path that begins with a slash, not 'live'",
      'bootstrap: health: patience should be milliseconds, from 0 to 2147483647, not -1',
    ])
    assert.deepEqual(await problems({ live: '/ready' }), [
      'bootstrap: health.ready and health.live are both /ready: give each a path of its own',
    ])
    assert.deepEqual(await problems({ checks: { disk: true } }), ['bootstrap: health.checks.disk should be a function'])
    assert.deepEqual(await problems(true, [Ready, Live]), [
      "Ready.ready: /ready is where health answers: give one of them another path, bootstrap(AppModule, { health: { ready: '/…' } })",
      "Live.live: /live is where health answers: give one of them another path, bootstrap(AppModule, { health: { live: '/…' } })",
    ])
    assert.deepEqual(await problems(true, [Readiness]), [
      "Readiness: /ready is where health answers: give one of them another path, bootstrap(AppModule, { health: { ready: '/…' } })",
    ])
    assert.deepEqual(await problems({ ready: '/r', live: '/l' }, [Ready, Live]), [])
  })

  test('says that it is going away, to whoever still asks, until the end', async t => {
    @Module({ controllers: [Plain] })
    class App {}
    const app = await bootstrap(App, { listen: false, health: true, logger: new LogBook() })
    const server = express().use(app.handler).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await eventually('it listens', () => server.listening)
    const { port } = server.address() as { port: number }
    assert.equal((await send(port, 'GET /ready')).status, 200)
    await app.close()
    const answer = await send(port, 'GET /ready')
    assert.deepEqual([answer.status, answer.headers.connection], [503, 'close'])
    assert.deepEqual((answer.json() as { reasons: string[] }).reasons, ['it is going away'])
    assert.equal((await send(port, 'GET /live')).status, 200)
  })
})
