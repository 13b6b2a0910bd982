import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type OpenApiDocument, openapi } from '../../src/describe/index.js'
import {
  All,
  type ApplicationOptions,
  Controller,
  type ControllerOptions,
  Get,
  Guard,
  Param,
  readRoutes,
  Sse,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { checkOpenApi } from '../support/documents.js'

const info = { title: 'Places', version: '1.0.0' }

/** Two controllers with a plan each, and the document of them, which is valid. */
async function plans(
  one: ControllerOptions,
  other: ControllerOptions,
  options: ApplicationOptions = {},
): Promise<OpenApiDocument> {
  @Controller('/plan', one)
  class Plans {
    @Get('/') show() {}
  }
  @Controller('/plan', other)
  class Others {
    @Get('/') show() {}
    @Get('/:id') one(@Param('id') _id: string) {}
  }
  const document = openapi(readRoutes(moduleOf({ controllers: [Plans, Others] }), options), info)
  await checkOpenApi(document)
  return document
}

describe('openapi tells where routes stand', () => {
  test('by host: as servers, without a scheme', async () => {
    const { paths } = await plans({ host: 'api.example.com' }, { host: ':tenant.example.com' })
    assert.deepEqual(paths['/plan']?.get?.servers, [{ url: '//api.example.com' }])
    assert.deepEqual(paths['/plan/{id}']?.get?.servers, [
      { url: '//{tenant}.example.com', variables: { tenant: { default: 'tenant' } } },
    ])
    assert.equal(paths['/plan']?.get?.description, 'Also here: GET :tenant.example.com/plan (Others.show).')
  })

  test('by version in the path', async () => {
    const { paths } = await plans({ version: '1' }, { version: ['2', '3'] })
    assert.deepEqual(Object.keys(paths), ['/v1/plan', '/v2/plan', '/v3/plan', '/v2/plan/{id}', '/v3/plan/{id}'])
    assert.equal(paths['/v3/plan']?.get?.operationId, 'Others.show.2')
  })

  test('by version in a header field, which may be left out for the default', async () => {
    const versioning = { by: 'header', name: 'X-Api', default: '1' } as const
    const { paths } = await plans({ version: '1' }, { version: '2' }, { versioning })
    const [first] = paths['/plan']?.get?.parameters ?? []
    assert.deepEqual(first, { name: 'X-Api', in: 'header', schema: { type: 'string', const: '1' } })
    const [, second] = paths['/plan/{id}']?.get?.parameters ?? []
    assert.deepEqual(second, { name: 'X-Api', in: 'header', required: true, schema: { type: 'string', const: '2' } })
    assert.equal(paths['/plan']?.get?.description, 'Also here: GET /plan version 2 (Others.show).')
    assert.ok(paths['/plan']?.get?.responses['406'])
  })

  test('by version in the media type, in words', async () => {
    const { paths } = await plans({ version: '1' }, { version: '2' }, { versioning: { by: 'media-type' } })
    assert.match(paths['/plan/{id}']?.get?.description ?? '', /^Version 2: ask for it by `Accept: .*; v=2`\.$/)
  })

  test('of @All: for the methods that no route of the same place has', async () => {
    @Controller('/all')
    class Every {
      @All('/') any() {}
      @Get('/') own() {}
      @Sse('/', { method: 'PUT' }) async *stream() {}
    }
    @Controller('/all', { host: 'api.example.com' })
    class There {
      @All('/') any() {}
    }
    const document = openapi(readRoutes(moduleOf({ controllers: [Every, There] })), info)
    await checkOpenApi(document)
    const { get, post, put } = document.paths['/all'] ?? {}
    assert.deepEqual(Object.keys(put?.responses['200']?.content ?? {}), ['text/event-stream'])
    assert.equal(put?.operationId, 'Every.stream')
    const also = 'Also here: ALL api.example.com/all (There.any).'
    assert.deepEqual([get?.operationId, get?.description], ['Every.own', also])
    assert.deepEqual([post?.operationId, post?.description], ['Every.any.post', also])
  })

  test('that are one path to it, whatever their parameters are called', async () => {
    @Controller('/users')
    class Users {
      @Get('/:id(\\d+)/books/:book') show(@Param('book') _book: string) {}
      @Get('/:name/books/:title') named() {}
      @Sse('/:user/books/:title') async *changes() {}
    }
    const document = openapi(readRoutes(moduleOf({ controllers: [Users] })), info)
    await checkOpenApi(document)
    assert.deepEqual(Object.keys(document.paths), ['/users/{id}/books/{book}'])
    const { description, responses } = document.paths['/users/{id}/books/{book}']?.get ?? {}
    assert.equal(description, 'Also here: GET /users/:name/books/:title (Users.named).')
    assert.deepEqual(Object.keys(responses?.['200']?.content ?? {}), ['text/event-stream'])
  })
})

describe('openapi tells what guards say they ask for', () => {
  const admit = () => true
  const key = Object.assign(admit.bind(undefined), {
    security: {
      key: { type: 'apiKey', in: 'header', name: 'X-Key' },
      cookie: { type: 'apiKey', in: 'cookie', name: 'k' },
    },
  })
  const bearer = Object.assign(admit.bind(undefined), { security: { bearer: { type: 'http', scheme: 'bearer' } } })

  test('all of them, and of each any one', async () => {
    @Controller('/vault')
    @Guard(key)
    class Vault {
      @Get('/') open() {}
      @Get('/inner') @Guard(bearer, admit) inner() {}
    }
    const document = openapi(readRoutes(moduleOf({ controllers: [Vault] })), info)
    await checkOpenApi(document)
    assert.deepEqual(document.paths['/vault']?.get?.security, [{ key: [] }, { cookie: [] }])
    assert.deepEqual(document.paths['/vault/inner']?.get?.security, [
      { key: [], bearer: [] },
      { cookie: [], bearer: [] },
    ])
    assert.deepEqual(Object.keys(document.components?.securitySchemes ?? {}), ['key', 'cookie', 'bearer'])
  })

  test('one scheme by one name, however many guards name it', () => {
    const guard = (scheme: string) =>
      Object.assign(admit.bind(undefined), { security: { token: { type: 'http', scheme } } })
    @Controller('/vault')
    @Guard(guard('bearer'), guard('bearer'))
    class Vault {
      @Get('/') open() {}
    }
    @Controller('/cellar')
    @Guard(guard('basic'))
    class Cellar {
      @Get('/') open() {}
    }
    const routes = readRoutes(moduleOf({ controllers: [Vault, Cellar] }))
    assert.deepEqual(openapi(routes.slice(0, 1), info).components?.securitySchemes, {
      token: { type: 'http', scheme: 'bearer' },
    })
    assert.throws(
      () => openapi(routes, info),
      new TypeError('guards mean different schemes by security.token: give one of them another name'),
    )
  })
})
