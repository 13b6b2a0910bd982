import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  All,
  Body,
  Controller,
  Delete,
  Get,
  Head,
  noContent,
  Options,
  Patch,
  Post,
  Put,
  Sse,
  Status,
  WebSocket,
} from '../../src/index.js'
import { rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serve, serveSuite } from '../support/serve.js'

let letGo = 0

@Controller('/things')
class Things {
  @Get() get() {
    return 'got'
  }
  @Post() @Status(201) post(@Body() body: unknown) {
    return { posted: body }
  }
  @Put() put() {
    return 'put'
  }
  @Patch() patch() {
    return 'patched'
  }
  @Delete() delete() {
    return noContent()
  }
  @Get('/stream') *stream() {
    try {
      yield 'never read'
    } finally {
      letGo++
    }
  }
  @Head('/own-head') head() {
    return 'unseen'
  }
  @Options('/own-options') options() {
    return 'mine'
  }
  @All('/all') all() {
    return 'all'
  }
  @Get('/all') allGet() {
    return 'the one for GET'
  }
  @Get('/ahead') ahead() {
    return Buffer.from('12345')
  }
}

@Sse('/events')
class Events {
  open() {
    return 'hello'
  }
}

@WebSocket('/socket')
class EchoSocket {
  message(frame: string | Buffer) {
    return frame
  }
}

describe('methods', () => {
  const served = serveSuite({ controllers: [Things, Events, EchoSocket] })

  const answers: [line: string, status: number, text: string][] = [
    ['GET /things', 200, 'got'],
    ['PUT /things', 200, 'put'],
    ['PATCH /things', 200, 'patched'],
    ['DELETE /things', 204, ''],
    ['GET /things/', 200, 'got'],
    ['GET /things?query=1', 200, 'got'],
    ['OPTIONS /things/own-options', 200, 'mine'],
    ['GET /things/all', 200, 'the one for GET'],
    ['DELETE /things/all', 200, 'all'],
    ['OPTIONS /things/all', 200, 'all'],
    ['PROPFIND /things/all', 200, 'all'],
    ['HEAD /things/own-head', 200, ''],
  ]
  for (const [line, status, text] of answers) {
    test(`${line} is answered with ${status} ${JSON.stringify(text)}`, async () => {
      const answer = await send(served.port, line)
      assert.deepEqual([answer.status, answer.text], [status, text])
    })
  }

  test('POST has its body and its @Status', async () => {
    const answer = await send(served.port, 'POST /things', { body: { a: 1 } })
    assert.deepEqual([answer.status, answer.json()], [201, { posted: { a: 1 } }])
  })

  test('P16: HEAD is answered by the GET route, with its fields and without its body', async () => {
    const answer = await send(served.port, 'HEAD /things')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(answer.headers['content-length'], '3')
    assert.equal(answer.text, '')
    const bytes = await send(served.port, 'HEAD /things/ahead')
    assert.equal(bytes.headers['content-length'], '5')
  })

  test('P16: HEAD on a route that streams reads nothing of the stream, and lets it go', async () => {
    const raw = await rawRequest(
      served.port,
      'HEAD /things/stream HTTP/1.1\r\nHost: a\r\n\r\nGET /things HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    assert.equal(raw.match(/HTTP\/1\.1 200 OK/g)?.length, 2, 'the connection goes on')
    assert.match(raw, /\r\n\r\ngot$/)
    assert.equal(letGo, 0, 'a generator that was never begun has nothing to clean up')
  })

  const refusals: [line: string, status: number, fields: Record<string, string>][] = [
    ['GET /nowhere', 404, {}],
    ['HEAD /nowhere', 404, {}],
    ['OPTIONS /nowhere', 404, {}],
    ['PURGE /things', 405, { allow: 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT' }],
    ['POST /things/stream', 405, { allow: 'GET, HEAD, OPTIONS' }],
    ['GET /things/own-head', 405, { allow: 'HEAD, OPTIONS' }],
    ['POST /events', 405, { allow: 'GET, HEAD, OPTIONS' }],
    ['GET /socket', 426, { upgrade: 'websocket', 'sec-websocket-version': '13' }],
    ['HEAD /socket', 426, { upgrade: 'websocket' }],
    ['POST /socket', 405, { allow: 'GET, HEAD, OPTIONS' }],
    ['GET /things/%zz', 400, {}],
  ]
  for (const [line, status, fields] of refusals) {
    test(`${line} is refused with ${status}`, async () => {
      const answer = await send(served.port, line)
      assert.equal(answer.status, status)
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      for (const [name, value] of Object.entries(fields)) assert.equal(answer.headers[name], value, name)
      if (!line.startsWith('HEAD')) assert.equal((answer.json() as { status: number }).status, status)
    })
  }

  test('a path without a route is 404, and says nothing of the application (P22)', async () => {
    const answer = await send(served.port, 'GET /nowhere')
    assert.deepEqual(answer.json(), { type: 'about:blank', title: 'Not Found', status: 404 })
  })

  test('OPTIONS tells the methods of a path', async () => {
    const answer = await send(served.port, 'OPTIONS /things')
    assert.deepEqual([answer.status, answer.text], [204, ''])
    assert.equal(answer.headers.allow, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT')
  })

  test('OPTIONS * is answered for the server as a whole', async () => {
    const raw = await rawRequest(served.port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(raw, /^HTTP\/1\.1 204 No Content\r\n/)
  })

  test('an event stream is 406 to those who take none', async () => {
    const answer = await send(served.port, 'GET /events', { headers: { Accept: 'application/json' } })
    assert.equal(answer.status, 406)
  })

  test('nothing of all this is logged', () => assert.deepEqual(served.log, []))
})

test('P22: a route that matches nothing else may answer for all that is missing', async t => {
  @Controller()
  class Fallback {
    @Get('/known') known() {
      return 'known'
    }
    @All('/*rest') rest() {
      return 'fallback'
    }
  }
  const { port } = await serve(t, { controllers: [Fallback] })
  assert.equal((await send(port, 'GET /a/b')).text, 'fallback')
  assert.equal((await send(port, 'GET /known')).text, 'known')
  assert.equal((await send(port, 'POST /known')).text, 'fallback')
  const raw = await rawRequest(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.match(raw, /^HTTP\/1\.1 204 /, 'and * is no path')
})
