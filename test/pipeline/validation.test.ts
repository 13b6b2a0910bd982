import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import * as v from 'valibot'
import { z } from 'zod'
import {
  Body,
  boolean,
  Controller,
  Get,
  Header,
  html,
  type Issue,
  int,
  notFound,
  number,
  OutputError,
  oneOf,
  optional,
  Param,
  Post,
  Query,
  redirect,
  reply,
  Status,
  upgrade,
  WebSocket,
} from '../../src/index.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'

interface Library {
  readonly id: StandardSchemaV1
  readonly page: StandardSchemaV1
  readonly token: StandardSchemaV1
  readonly user: StandardSchemaV1
  readonly free: StandardSchemaV1
}

const libraries: Record<string, Library> = {
  zod: {
    id: z.coerce.number().int(),
    page: z.object({ page: z.coerce.number().min(1), size: z.string().optional() }),
    token: z.string().min(3),
    user: z.object({ name: z.string(), tags: z.array(z.string()) }),
    free: z.string().refine(async name => Promise.resolve(name !== 'taken'), 'is taken'),
  },
  valibot: {
    id: v.pipe(v.string(), v.transform(Number), v.integer()),
    page: v.object({ page: v.pipe(v.string(), v.transform(Number), v.minValue(1)), size: v.optional(v.string()) }),
    token: v.pipe(v.string(), v.minLength(3)),
    user: v.object({ name: v.string(), tags: v.array(v.string()) }),
    free: v.pipeAsync(
      v.string(),
      v.checkAsync(async name => Promise.resolve(name !== 'taken'), 'is taken'),
    ),
  },
}

for (const [name, { id, page, token, user, free }] of Object.entries(libraries)) {
  describe(`inputs are read through the schemas of ${name}`, () => {
    @Controller()
    class Inputs {
      @Post('/users/:id') all(
        @Param('id', id) given: number,
        @Query(page) paging: unknown,
        @Header('X-Token', token) word: string,
        @Body(user) body: unknown,
      ) {
        return { given, paging, word, body }
      }
      @Get('/free/:name') free(@Param('name', free) given: string, @Query('also', optional(free)) also?: string) {
        return { given, also: also ?? null }
      }
    }

    test('what fits is given to the handler as the schema read it', async t => {
      const { port } = await serve(t, { controllers: [Inputs] })
      const body = { name: 'Ada', tags: ['a'], more: 1 }
      const answer = await send(port, 'POST /users/7?page=2', { headers: { 'x-token': 'word' }, body })
      assert.deepEqual(answer.json(), {
        given: 7,
        paging: { page: 2 },
        word: 'word',
        body: { name: 'Ada', tags: ['a'] },
      })
    })

    test('all that was refused is told at once, and where it was', async t => {
      const { port, log } = await serve(t, { controllers: [Inputs] })
      const body = { name: 1, tags: ['a', 2] }
      const answer = await send(port, 'POST /users/x?page=0', { headers: { 'x-token': 'w' }, body })
      assert.equal(answer.status, 400)
      const { issues, detail } = answer.json() as { issues: Issue[]; detail: string }
      assert.deepEqual(
        issues.map(issue => [issue.in, ...issue.path].join('.')),
        ['param.id', 'query.page', 'header.x-token', 'body.name', 'body.tags.1'],
      )
      for (const issue of issues) assert.ok(issue.message.length > 0 && detail.includes(issue.message))
      assert.deepEqual(log, [])
    })

    test('422 where only the content was refused', async t => {
      const { port } = await serve(t, { controllers: [Inputs] })
      const fields = { headers: { 'x-token': 'word' } }
      assert.equal((await send(port, 'POST /users/7?page=2', { ...fields, body: {} })).status, 422)
      assert.equal((await send(port, 'POST /users/7?page=2', fields)).status, 422, 'no content does not fit either')
    })

    test('a body that cannot be read stands for itself', async t => {
      const { port } = await serve(t, { controllers: [Inputs] })
      const broken = { headers: { 'content-type': 'application/json', 'x-token': 'w' }, body: '{' }
      const answer = await send(port, 'POST /users/x?page=0', broken)
      assert.equal(answer.status, 400)
      assert.match(answer.text, /the JSON cannot be read/)
    })

    test('schemas may take their time', async t => {
      const { port } = await serve(t, { controllers: [Inputs] })
      assert.deepEqual((await send(port, 'GET /free/name?also=it')).json(), { given: 'name', also: 'it' })
      const answer = await send(port, 'GET /free/taken?also=taken')
      assert.equal(answer.status, 400)
      assert.equal((answer.json() as { detail: string }).detail, 'param.name: is taken; query.also: is taken')
    })
  })
}

test('a schema that fails is our fault, and is logged', async t => {
  const broken = (validate: () => never) => ({ '~standard': { version: 1, vendor: 'test', validate } }) as const
  const rejects = broken((() => Promise.reject(new Error('secret'))) as never)
  @Controller()
  class Inputs {
    @Get('/throws') throws(
      @Query('a', rejects) a: unknown,
      @Query(
        'b',
        broken(() => assert.fail('secret')),
      )
      b: unknown,
      @Query('c', rejects) c: unknown,
    ) {
      return [a, b, c]
    }
    @Get('/rejects') rejects(@Query('a', rejects) a: unknown, @Query('b', rejects) b: unknown) {
      return [a, b]
    }
  }
  const { port, log } = await serve(t, { controllers: [Inputs] })
  for (const path of ['/throws', '/rejects']) {
    const answer = await send(port, `GET ${path}`)
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.text, /secret/)
  }
  assert.equal(log.length, 2)
})

test('without a schema there is no coercion: strings are strings', async t => {
  @Controller()
  class Inputs {
    @Get('/:id') show(
      @Param('id') id: unknown,
      @Query('n') n: unknown,
      @Query() all: unknown,
      @Param() params: unknown,
    ) {
      return { id, n: n ?? null, all, params }
    }
  }
  const { port } = await serve(t, { controllers: [Inputs] })
  assert.deepEqual((await send(port, 'GET /7?n=1&n=2')).json(), {
    id: '7',
    n: ['1', '2'],
    all: { n: ['1', '2'] },
    params: { id: '7' },
  })
})

describe('the small schemas', () => {
  const rows: [what: string, schema: StandardSchemaV1, fits: [unknown, unknown][], refused: unknown[], says: string][] =
    [
      [
        'int()',
        int(),
        [
          ['7', 7],
          ['-7', -7],
          ['007', 7],
          [7, 7],
          ['9007199254740991', 9007199254740991],
        ],
        ['', ' 7', '7.0', '1e3', '0x7', '+7', '9007199254740993', 7.5, '٧', undefined, null, ['7'], true],
        'expected a whole number',
      ],
      [
        'int({ min, max })',
        int({ min: 1, max: 3 }),
        [
          ['1', 1],
          ['3', 3],
        ],
        ['0', '4'],
        'expected a whole number from 1 up to 3',
      ],
      [
        'number()',
        number(),
        [
          ['1.5', 1.5],
          ['-.5', -0.5],
          ['1e3', 1000],
          ['2.', 2],
        ],
        ['', 'Infinity', '1e999', 'NaN', '0x1', '1,5', '.', undefined],
        'expected a number',
      ],
      [
        'boolean()',
        boolean(),
        [
          ['true', true],
          ['1', true],
          ['false', false],
          ['0', false],
          [true, true],
        ],
        ['', 'yes', 'TRUE', undefined, 1],
        'expected true or false',
      ],
      ['oneOf()', oneOf('a', 'b'), [['a', 'a']], ['c', '', undefined, ['a']], 'expected one of a, b'],
      [
        'optional()',
        optional(int()),
        [
          [undefined, undefined],
          ['7', 7],
        ],
        ['', 'x', null],
        'expected a whole number',
      ],
    ]

  for (const [what, schema, fits, refused, says] of rows) {
    test(`${what} reads what it says, and nothing else`, async () => {
      for (const [given, read] of fits) assert.deepEqual(await schema['~standard'].validate(given), { value: read })
      for (const given of refused)
        assert.deepEqual(await schema['~standard'].validate(given), { issues: [{ message: says }] }, String(given))
    })
  }
})

describe('output schemas', () => {
  const output = z.object({ id: z.number() })
  const later = v.objectAsync({ id: v.number() })

  @WebSocket()
  class Upgraded {
    message() {}
  }

  @Controller()
  class Outputs {
    @Get('/fits', { output }) fits() {
      return { id: 1, secret: 'x' }
    }
    @Get('/later', { output: later }) async later() {
      return { id: 1, secret: 'x' }
    }
    @Get('/reply', { output }) reply() {
      return reply({ id: 1, secret: 'x' }, { status: 202, headers: { 'X-A': '1' } })
    }
    @Get('/error', { output }) error() {
      return notFound('none')
    }
    @Get('/elsewhere', { output }) elsewhere() {
      return redirect('/fits')
    }
    @Get('/nothing', { output }) @Status(204) async nothing() {}
    @Get('/upgrades', { output, upgrade: [Upgraded] }) upgrades() {
      return upgrade(Upgraded)
    }
    @Get('/misfit', { output }) misfit() {
      return { id: 'secret' }
    }
    @Get('/misfit-reply', { output }) misfitReply() {
      return html('secret')
    }
    @Get('/misfit-later', { output: later }) async misfitLater() {
      return { id: 'secret' }
    }
  }

  test('pass on what they know of, and nothing else', async t => {
    const { port } = await serve(t, { controllers: [Outputs, Upgraded] })
    for (const path of ['/fits', '/later']) assert.equal((await send(port, `GET ${path}`)).text, '{"id":1}')
    const answer = await send(port, 'GET /reply')
    assert.deepEqual([answer.status, answer.headers['x-a'], answer.text], [202, '1', '{"id":1}'])
  })

  test('have no say in what says nothing: an error, a redirection, no content, an upgrade', async t => {
    const { port } = await serve(t, { controllers: [Outputs, Upgraded] })
    const expected = { '/error': 404, '/elsewhere': 302, '/nothing': 204, '/upgrades': 426 }
    for (const [path, status] of Object.entries(expected))
      assert.equal((await send(port, `GET ${path}`)).status, status, path)
  })

  for (const path of ['/misfit', '/misfit-reply', '/misfit-later']) {
    test(`${path} is 500: logged, and never sent`, async t => {
      const { port, log } = await serve(t, { controllers: [Outputs, Upgraded] })
      const answer = await send(port, `GET ${path}`)
      assert.equal(answer.status, 500)
      assert.doesNotMatch(answer.text, /secret|issues/)
      assert.equal(log.length, 1)
      assert.ok(log[0]?.details instanceof OutputError)
      assert.match(String(log[0]?.details), /what Outputs\.\w+ returned does not fit its output schema/)
    })
  }
})
