import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { openapi } from '../../src/describe/index.js'
import {
  Accepts,
  All,
  Body,
  type Context,
  Controller,
  Cookie,
  Delete,
  EventStream,
  File,
  Files,
  Get,
  Guard,
  Header,
  int,
  Options,
  optional,
  Param,
  Post,
  Put,
  Query,
  readRoutes,
  reply,
  Sse,
  Status,
  type Upload,
  unauthorized,
  upgrade,
  WebSocket,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { checkOpenApi, fits } from '../support/documents.js'
import { serveSuite } from '../support/serve.js'

const info = { title: 'Albums', version: '1.2.3' }

const NewAlbum = z.object({ title: z.string().min(1), year: z.int().default(2000) }).meta({ id: 'Album' })
const Caption = z.object({ caption: z.string() })

class Member {
  static readonly security = { bearer: { type: 'http', scheme: 'bearer' } } as const

  admit(context: Context) {
    const { authorization } = context.headers
    return authorization === 'Bearer ada' || (authorization === undefined ? unauthorized() : false)
  }
}

@WebSocket()
class Live {
  message(frame: string | Buffer) {
    return frame
  }
}

@Controller('/albums')
class Albums {
  @Get('/', { summary: 'All albums', output: z.array(NewAlbum) })
  list(@Query('limit', optional(int({ min: 1, max: 100 }))) limit = 1, @Header('X-Shelf') _shelf?: string) {
    return Array.from({ length: limit }, () => ({ title: 'Blue' }))
  }

  @Get('/:id(\\d+)', { output: NewAlbum, description: 'One of them.', deprecated: true, tags: ['Old'] })
  show(@Param('id', int()) id: number) {
    return { title: `Number ${id}` }
  }

  @Post('/', { output: NewAlbum })
  @Status(201)
  @Guard(Member)
  create(@Body(NewAlbum) album: z.output<typeof NewAlbum>) {
    return album
  }

  @Put('/:album/cover')
  cover(
    @Body(Caption) { caption }: z.infer<typeof Caption>,
    @File('cover', { types: ['image/*'], maxSize: 1000 }) cover: Upload,
    @Files('others', { maxCount: 2 }) others: Upload[],
  ) {
    return { caption, type: cover.type, others: others.length }
  }

  @Get('/report')
  report(@Accepts('application/json', 'text/csv') type: string) {
    return type === 'text/csv' ? reply('title', { headers: { 'Content-Type': type } }) : ['title']
  }

  @Get('/kinds', { output: z.string() })
  @Accepts('text/plain')
  kinds(@Cookie('shelf', z.enum(['a', 'b'])) shelf: string) {
    return shelf
  }

  @Delete('/:album(\\d+)')
  @Status(204)
  remove(@Query(z.object({ force: z.stringbool().optional(), by: z.string() })) _query: unknown) {}

  @Get('/live', { upgrade: [Live] })
  live() {
    return upgrade(Live)
  }

  @Options('/') @Status(204) options() {}
}

@Controller('/chat')
class Chat {
  @Post('/', { output: z.object({ text: z.string() }) })
  whole(@Body(z.object({ prompt: z.string() })) { prompt }: { prompt: string }) {
    return { text: prompt }
  }

  @Sse('/', { method: 'POST', output: z.object({ token: z.string() }) })
  async *tokens(@Body(z.object({ prompt: z.string() })) { prompt }: { prompt: string }) {
    for (const token of prompt.split(' ')) yield { event: 'token', data: { token } }
  }
}

@Sse('/ticks/:from?', { output: z.string() })
class Ticks {
  open(_stream: EventStream) {
    return 'tick'
  }
}

@Controller('/')
class Others {
  @All('/any/*rest') any(@Body() body: unknown) {
    return { body }
  }
  @Get('/any/*path') get() {
    return 'text'
  }
  @Post('/raw') raw(@Body({ as: 'raw' }) bytes: Buffer) {
    return bytes
  }
  @Post('/text') text(@Body({ as: 'text' }) text: string) {
    return text
  }
}

const controllers = [Albums, Live, Chat, Ticks, Others]
const routes = readRoutes(moduleOf({ controllers }))

const document = openapi(routes, info)
const operation = (method: 'get' | 'post' | 'put' | 'delete' | 'patch', path: string) => {
  const found = document.paths[path]?.[method]
  assert.ok(found, `no ${method} ${path} among ${Object.keys(document.paths)}`)
  return found
}
const statuses = (method: 'get' | 'post' | 'put' | 'delete', path: string) =>
  Object.keys(operation(method, path).responses).join(' ')

describe('openapi', () => {
  test('is a valid document of 3.1, and of 3.2', async () => {
    await checkOpenApi(document)
    await checkOpenApi(openapi(routes, info, { openapi: '3.2' }))
    assert.equal(document.openapi, '3.1.1')
    assert.equal(openapi(routes, info, { openapi: '3.2' }).openapi, '3.2.0')
    assert.deepEqual(document.info, info)
  })

  test('is valid for nothing, too', async () => {
    await checkOpenApi(openapi([], info))
    assert.deepEqual(openapi([], info), { openapi: '3.1.1', info, paths: {} })
  })

  test('names operations by their handlers, and tells what they say of themselves', () => {
    const list = operation('get', '/albums')
    assert.deepEqual([list.operationId, list.summary, list.tags], ['Albums.list', 'All albums', ['Albums']])
    const show = operation('get', '/albums/{id}')
    assert.deepEqual([show.description, show.deprecated, show.tags], ['One of them.', true, ['Old']])
  })

  test('tells parameters of the path, the query, header fields and cookies with their schemas', () => {
    assert.deepEqual(operation('get', '/albums').parameters, [
      { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100 } },
      { name: 'x-shelf', in: 'header', schema: { type: 'string' } },
    ])
    assert.deepEqual(operation('get', '/albums/{id}').parameters, [
      { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
    ])
    assert.deepEqual(operation('delete', '/albums/{id}').parameters, [
      { name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^(?:\\d+)$' } },
      { name: 'force', in: 'query', schema: { type: 'string' } },
      { name: 'by', in: 'query', required: true, schema: { type: 'string' } },
    ])
    const [shelf] = operation('get', '/albums/kinds').parameters ?? []
    assert.deepEqual(shelf, {
      name: 'shelf',
      in: 'cookie',
      required: true,
      schema: { type: 'string', enum: ['a', 'b'] },
    })
  })

  test('tells an optional segment as two paths, a wildcard as a parameter, and each method that @All answers', () => {
    assert.equal(operation('get', '/ticks').operationId, 'Ticks.2')
    assert.deepEqual(
      operation('get', '/ticks/{from}').parameters?.map(({ name }) => name),
      ['from'],
    )
    const methods = document.paths['/any/{path}'] ?? {}
    assert.deepEqual(
      Object.keys(methods),
      ['get', 'put', 'post', 'delete', 'patch'].sort((a, b) => (a === 'get' ? -1 : b === 'get' ? 1 : 0)),
    )
    assert.equal(methods.get?.operationId, 'Others.get')
    assert.equal(methods.patch?.operationId, 'Others.any.patch')
    // One path has one set of names, those of the route that is told first (§4.8.8.2).
    assert.deepEqual(
      methods.patch?.parameters?.map(({ name }) => name),
      ['path'],
    )
  })

  test('tells bodies by what reads them', () => {
    const album = { schema: { $ref: '#/components/schemas/Album' } }
    assert.deepEqual(operation('post', '/albums').requestBody, {
      required: true,
      content: { 'application/json': album },
    })
    const prompt = operation('post', '/chat').requestBody
    assert.equal(prompt?.required, true)
    assert.deepEqual(Object.keys(prompt?.content ?? {}), [
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
    ])
    assert.deepEqual(operation('post', '/raw').requestBody, { content: { 'application/octet-stream': {} } })
    assert.deepEqual(operation('post', '/text').requestBody, {
      content: { 'text/plain': { schema: { type: 'string' } } },
    })
  })

  test('tells uploads as parts of a form', () => {
    const upload = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' }
    assert.deepEqual(operation('put', '/albums/{album}/cover').requestBody, {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            properties: {
              caption: { type: 'string' },
              cover: { ...upload, description: 'At most 1000 bytes.' },
              others: { type: 'array', items: upload, maxItems: 2 },
            },
            required: ['caption', 'cover'],
          },
          encoding: { cover: { contentType: 'image/*' } },
        },
      },
    })
  })

  test('tells what comes in and what goes out as one schema only where they are alike', () => {
    const { Album, AlbumOutput } = document.components?.schemas ?? {}
    assert.deepEqual(Album?.required, ['title'])
    assert.deepEqual(AlbumOutput?.required, ['title', 'year'])
    const alone = openapi(
      routes.filter(({ method }) => method === 'GET'),
      info,
    )
    assert.deepEqual(Object.keys(alone.components?.schemas ?? {}), ['Problem', 'Album'])
  })

  test('tells replies of several types, streams beside plain replies, and WebSockets as what they are', () => {
    assert.deepEqual(Object.keys(operation('get', '/albums/report').responses['200']?.content ?? {}), [
      'application/json',
      'text/csv',
    ])
    assert.deepEqual(operation('get', '/albums/kinds').responses['200']?.content, {
      'text/plain': { schema: { type: 'string' } },
    })
    assert.deepEqual(Object.keys(operation('post', '/chat').responses['200']?.content ?? {}), [
      'text/event-stream',
      'application/json',
    ])
    assert.equal(operation('get', '/albums/live').responses['101']?.description, 'A WebSocket: Live.')
  })

  test('tells of a stream its events: in 3.2 by `itemSchema`', () => {
    const told = openapi(routes, info, { openapi: '3.2' }).paths['/chat']?.post?.responses['200']?.content
    const { schema, itemSchema } = told?.['text/event-stream'] ?? {}
    const [own] = (itemSchema?.anyOf ?? []) as unknown as [{ properties: { data: unknown } }]
    assert.equal(schema, undefined)
    assert.deepEqual(own.properties.data, {
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: { type: 'object', properties: { token: { type: 'string' } }, required: ['token'] },
    })
    assert.deepEqual(operation('post', '/chat').responses['200']?.content?.['text/event-stream']?.schema, itemSchema)
  })

  test('tells what guards say they ask for, and nothing of others', () => {
    assert.deepEqual(operation('post', '/albums').security, [{ bearer: [] }])
    assert.deepEqual(document.components?.securitySchemes, { bearer: { type: 'http', scheme: 'bearer' } })
    assert.equal(operation('get', '/albums').security, undefined)
  })

  test('tells problems only where they can occur', () => {
    assert.equal(statuses('get', '/albums'), '200 400 default')
    assert.equal(statuses('get', '/albums/{id}'), '200 400 404 default')
    assert.equal(statuses('post', '/albums'), '201 400 401 403 413 415 422 default')
    assert.equal(statuses('put', '/albums/{album}/cover'), '200 400 404 413 415 422 default')
    assert.equal(statuses('get', '/albums/report'), '200 406 default')
    assert.equal(statuses('get', '/ticks'), '200 406 default')
    assert.equal(statuses('post', '/chat'), '200 400 413 415 422 default')
    assert.equal(statuses('delete', '/albums/{id}'), '204 400 404 default')
  })
})

describe('what is answered is what openapi tells', () => {
  const served = serveSuite({ controllers })
  const long = 'x'.repeat(2 ** 20 + 1)
  const json = { 'Content-Type': 'application/json', Authorization: 'Bearer ada' }
  const form = (fields: Record<string, string | Blob>) => {
    const data = new FormData()
    for (const [name, value] of Object.entries(fields)) data.set(name, value)
    return data
  }
  const image = new Blob(['…'], { type: 'image/png' })
  const text = new Blob(['…'], { type: 'text/plain' })
  const cover = '/albums/{album}/cover'

  const asked: [path: string, request: string, init: RequestInit, status: number][] = [
    ['/albums', 'GET /albums?limit=2', {}, 200],
    ['/albums', 'GET /albums?limit=0', {}, 400],
    ['/albums/{id}', 'GET /albums/7', {}, 200],
    ['/albums/{id}', 'GET /albums/seven', {}, 404],
    ['/albums', 'POST /albums', { headers: json, body: '{"title":"Blue"}' }, 201],
    ['/albums', 'POST /albums', { headers: json, body: '{"title":' }, 400],
    ['/albums', 'POST /albums', { body: '{}' }, 401],
    ['/albums', 'POST /albums', { headers: { Authorization: 'Bearer bob' }, body: '{}' }, 403],
    ['/albums', 'POST /albums', { headers: json, body: `{"title":"${long}"}` }, 413],
    ['/albums', 'POST /albums', { headers: { ...json, 'Content-Type': 'image/png' }, body: '…' }, 415],
    ['/albums', 'POST /albums', { headers: json, body: '{}' }, 422],
    [cover, 'PUT /albums/1/cover', { body: form({ caption: 'c', cover: image, others: text }) }, 200],
    [cover, 'PUT /albums/1/cover', { body: form({ caption: 'c', cover: text }) }, 415],
    [cover, 'PUT /albums/1/cover', { body: form({ caption: 'c' }) }, 422],
    ['/albums/report', 'GET /albums/report', { headers: { Accept: 'text/csv' } }, 200],
    ['/albums/report', 'GET /albums/report', { headers: { Accept: 'image/png' } }, 406],
    ['/albums/kinds', 'GET /albums/kinds', { headers: { Cookie: 'shelf=a' } }, 200],
    ['/albums/{id}', 'DELETE /albums/1?by=ada', {}, 204],
    ['/chat', 'POST /chat', { headers: json, body: '{"prompt":"a b"}' }, 200],
    ['/chat', 'POST /chat', { body: new URLSearchParams({ prompt: 'a b' }) }, 200],
    ['/chat', 'POST /chat', { body: form({ prompt: 'a b' }) }, 200],
    ['/ticks', 'GET /ticks', { headers: { Accept: 'image/png' } }, 406],
  ]
  for (const [path, request, init, status] of asked) {
    test(`${request}: ${status}`, async () => {
      const [method = '', target = ''] = request.split(' ')
      const response = await fetch(`http://127.0.0.1:${served.port}${target}`, { method, ...init })
      const body = await response.text()
      assert.equal(response.status, status, body)
      const told = operation(method.toLowerCase() as 'get', path).responses[status]
      assert.ok(told, `${status} is not told`)
      const [type = ''] = (response.headers.get('content-type') ?? '').split(';')
      if (told.content === undefined) return
      const { schema } = told.content[type] ?? assert.fail(`${type} is not told`)
      const value = type.endsWith('json') ? JSON.parse(body) : body
      assert.ok(schema === undefined || fits(document, schema, value), `${body} does not fit ${JSON.stringify(schema)}`)
    })
  }

  test('POST /chat: its events', async () => {
    const init = { method: 'POST', headers: { ...json, Accept: 'text/event-stream' }, body: '{"prompt":"a"}' }
    const response = await fetch(`http://127.0.0.1:${served.port}/chat`, init)
    assert.equal(await response.text(), 'event: token\ndata: {"token":"a"}\n\n')
    const schema = operation('post', '/chat').responses['200']?.content?.['text/event-stream']?.schema ?? {}
    assert.ok(fits(document, schema, { event: 'token', data: '{"token":"a"}' }))
  })
})
