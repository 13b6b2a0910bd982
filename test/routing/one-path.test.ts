import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { WebSocket as Client } from 'ws'
import { type Application, bootstrap, Controller, Delete, Get, Param, Post, Sse, WebSocket } from '../../src/index.js'
import { answering, moduleOf, serve } from '../support/apps.js'
import { rawRequest } from '../support/raw-peer.js'

@Controller('/live')
class Page {
  @Get() page() {
    return 'page'
  }
  @Post() post() {
    return 'posted'
  }
}
@Sse('/live')
class Stream {
  open() {
    return 'streamed'
  }
}
@WebSocket('/live')
class Live {
  open() {
    return 'opened'
  }
}

@Controller('/users')
class Users {
  @Get('/me') me() {
    return 'me'
  }
  @Delete('/:id') remove(@Param('id') id: string) {
    return `removed ${id}`
  }
  @Get('/:id/files/*path') file(@Param('id') id: string, @Param('path') path: string) {
    return { id, path }
  }
}

describe('B9: B10: one path', () => {
  let app: Application
  before(async () => {
    app = await bootstrap(moduleOf({ controllers: [Page, Stream, Live, Users] }), {
      port: 0,
      host: '127.0.0.1',
      signals: false,
    })
  })
  after(() => app.close({ deadline: 0 }))

  const accepting = async (accept: string | undefined, method = 'GET') => {
    const leaving = new AbortController()
    const headers = accept === undefined ? {} : { accept }
    const response = await fetch(`${app.url}/live`, { method, headers, signal: leaving.signal })
    const type = response.headers.get('content-type')
    const { value } = method === 'HEAD' ? {} : ((await response.body?.getReader().read()) ?? {})
    leaving.abort()
    return [response.status, type, value === undefined ? '' : new TextDecoder().decode(value)]
  }

  test('B9: B10: carries GET, an event stream and a WebSocket at once', async () => {
    const plain = [200, 'text/plain; charset=utf-8', 'page']
    assert.deepEqual(await accepting(undefined), plain)
    assert.deepEqual(await accepting('text/html, */*'), plain)
    assert.deepEqual(await accepting('text/event-stream'), [
      200,
      'text/event-stream; charset=utf-8',
      'data: streamed\n\n',
    ])
    const client = new Client(`ws://127.0.0.1:${app.port}/live`)
    assert.equal(String((await once(client, 'message'))[0]), 'opened')
    client.close()
    await once(client, 'close')
  })

  test('B9: B10: carries other methods besides, and tells them all', async () => {
    assert.equal((await accepting(undefined, 'POST'))[2], 'posted')
    const refused = await fetch(`${app.url}/live`, { method: 'DELETE' })
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD, OPTIONS, POST'])
  })

  test('has routes of one method that do not hide those of another', async () => {
    const ask = async (path: string, method: string) => {
      const response = await fetch(app.url + path, { method })
      return [response.status, await response.text()]
    }
    assert.deepEqual(await ask('/users/me', 'GET'), [200, 'me'])
    assert.deepEqual(await ask('/users/me', 'DELETE'), [200, 'removed me'])
    assert.deepEqual((await ask('/users/you', 'GET'))[0], 405)
    assert.deepEqual((await ask('/users/you/there', 'GET'))[0], 404)
  })

  test('B5: gives its values decoded once, segment by segment', async () => {
    const file = async (path: string) => (await fetch(`${app.url}/users/${path}`)).json()
    assert.deepEqual(await file('a%2Fb/files/c%20d/e%252F'), { id: 'a/b', path: 'c d/e%2F' })
    assert.deepEqual(await file('%C3%A9/files/..%2F..%2Fetc'), { id: 'é', path: '../../etc' })
  })

  for (const path of ['/users/%', '/users/%E0%A4%A', '/nothing/%zz']) {
    test(`B5: with a bad escape, as ${path}, is answered with 400, and the connection goes on`, async () => {
      const requests = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\nGET /users/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
      const answers = await rawRequest(app.port, requests)
      assert.match(answers, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*"detail":"the path has a bad percent escape"/)
      assert.match(answers, /HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nme$/)
    })
  }
})

describe('the closing slash', () => {
  const controllers = [answering('/a'), answering('/b/'), answering('/c/:x')]
  const paths = ['/a', '/a/', '/b', '/b/', '/c/1', '/c/1/', '/a//', '//a']
  const policies = {
    ignore: [200, 200, 200, 200, 200, 200, 404, 404],
    strict: [200, 404, 404, 200, 200, 404, 404, 404],
    redirect: [200, 308, 308, 200, 200, 308, 404, 404],
  } as const
  for (const [closingSlash, statuses] of Object.entries(policies)) {
    test(`under the policy ${closingSlash} is answered as promised`, async t => {
      const { url } = await serve(t, { controllers }, { closingSlash: closingSlash as keyof typeof policies })
      const told = await Promise.all(paths.map(path => fetch(url + path, { redirect: 'manual' })))
      assert.deepEqual(
        told.map(response => response.status),
        statuses,
      )
    })
  }

  test('is redirected to with the query, and never to another host', async t => {
    const { url } = await serve(t, { controllers }, { closingSlash: 'redirect' })
    const ask = async (path: string) => (await fetch(url + path, { redirect: 'manual' })).headers.get('location')
    assert.equal(await ask('/a/?x=1&y=/'), '/a?x=1&y=/')
    assert.equal(await ask('/b?x'), '/b/?x')
    assert.equal(await ask('//evil.example/a/'), null)
    const one = await serve(t, { controllers: [answering('/:one')] }, { closingSlash: 'redirect' })
    const raw = (path: string) => rawRequest(one.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    assert.match(await raw('/evil.example/'), /^HTTP\/1\.1 308 .*Location: \/evil\.example\r\n/s)
    assert.match(await raw('/\\evil.example/'), /^HTTP\/1\.1 404 /, 'browsers take a backslash for a slash')
  })
})
