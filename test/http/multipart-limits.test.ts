import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Body, Controller, type Fields, File, Files, Post, type Upload } from '../../src/index.js'
import { body, field, type Part, post, postHead, temporaryDirectory, upload } from '../support/multipart.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { serve, serveSuite } from '../support/serve.js'

const temporary = await temporaryDirectory()

const uploads = {
  fileSize: 10,
  files: 2,
  fields: 3,
  parts: 4,
  fieldNameSize: 5,
  fieldSize: 8,
  headerSize: 200,
  totalSize: 2000,
}

@Controller()
class Limited {
  @Post('/limited', { uploads })
  limited(@Files() files: Upload[], @Body({ limit: 20 }) fields: Fields) {
    return { files: files.map(file => file.size), fields }
  }
  @Post('/fields')
  fields(@Body({ limit: 300 }) fields: Fields) {
    return fields
  }
  @Post('/two')
  two(@Files('a', { maxCount: 2 }) a: Upload[]) {
    return a.length
  }
  @Post('/usual')
  usual(@Files() files: Upload[], @Body() fields: Fields) {
    return { files: files.length, fields: Object.keys(fields).length }
  }
  @Post('/memory', { uploads: { fileSize: 5 } })
  memory(@File('a', { to: 'memory' }) a: Upload) {
    return a.size
  }
}

const many = (count: number, make: (index: number) => Part) => Array.from({ length: count }, (_, index) => make(index))
const file = (index: number) => upload(`f${index}`, 'x', '')
/** A part whose header section, with the empty line that ends it, has so many bytes. */
const headed = (bytes: number): Part => {
  const line = 'Content-Disposition: form-data; name="a"'
  return { head: [line, `X: ${'x'.repeat(bytes - line.length - 2 - 5 - 2)}`], content: '' }
}

interface Row {
  readonly limit: string
  readonly exceeded: string
  readonly fits: readonly Part[]
  readonly exceeds: readonly Part[]
  readonly detail: string
}

const rows: readonly Row[] = [
  {
    limit: '10 bytes of a file',
    exceeded: 'fileSize',
    fits: [upload('a', 'x', '0123456789')],
    exceeds: [upload('a', 'x', '0123456789a')],
    detail: 'the upload a is larger than 10 bytes',
  },
  {
    limit: '2 files',
    exceeded: 'files',
    fits: many(2, file),
    exceeds: many(3, file),
    detail: 'the form has more than 2 files',
  },
  {
    limit: '3 fields',
    exceeded: 'fields',
    fits: many(3, index => field(`f${index}`, '')),
    exceeds: many(4, index => field(`f${index}`, '')),
    detail: 'the form has more than 3 fields',
  },
  {
    limit: '4 parts, those without a disposition included',
    exceeded: 'parts',
    fits: [field('a', ''), field('b', ''), field('c', ''), upload('d', 'e', '')],
    exceeds: many(5, () => ({ head: ['X: y'], content: 'z' })),
    detail: 'the body has more than 4 parts',
  },
  {
    limit: '5 bytes of a name of a field',
    exceeded: 'fieldNameSize',
    fits: [field('12345', '')],
    exceeds: [field('123é5', '')],
    detail: 'a name in the form is larger than 5 bytes',
  },
  {
    limit: '5 bytes of a name of a file',
    exceeded: 'fieldNameSize',
    fits: [upload('12345', 'longer', '')],
    exceeds: [upload('123456', 'x', '')],
    detail: 'a name in the form is larger than 5 bytes',
  },
  {
    limit: '8 bytes of a field',
    exceeded: 'fieldSize',
    fits: [field('a', '12345678')],
    exceeds: [field('a', '123456789')],
    detail: 'the field a is larger than 8 bytes',
  },
  {
    limit: '200 bytes of a header section',
    exceeded: 'headerSize',
    fits: [headed(200), headed(200)],
    exceeds: [headed(200), headed(201)],
    detail: 'the header of a part is larger than 200 bytes',
  },
  {
    limit: '20 bytes of all fields',
    exceeded: 'bodyLimit',
    fits: [field('a', '12345678'), field('b', '12345678'), field('c', '1')],
    exceeds: [field('a', '12345678'), field('b', '12345678'), field('c', '12')],
    detail: 'the fields of the form are larger than 20 bytes',
  },
]

const limitOf = (exceeded: string) => (exceeded === 'bodyLimit' ? 20 : uploads[exceeded as keyof typeof uploads])

describe('P18: each limit of a multipart form is a 413 of its own', () => {
  const served = serveSuite({ controllers: [Limited] }, { uploads: { directory: temporary.path } })
  const { parts: _, ...problem } = { type: 'about:blank', title: 'Payload Too Large', status: 413, parts: 0 }

  for (const { limit, exceeded, fits, exceeds, detail } of rows) {
    test(limit, async () => {
      const fine = await post(served.port, '/limited', fits)
      assert.equal(fine.status, 200, fine.text)
      const answer = await post(served.port, '/limited', exceeds)
      assert.deepEqual(answer.json(), { ...problem, detail, limit: limitOf(exceeded), exceeded })
    })
  }

  test('the whole body, by what it says of itself, before any of it is read, and by what comes', async () => {
    const expected = { ...problem, detail: 'the body is larger than 2000 bytes', limit: 2000, exceeded: 'totalSize' }
    const padded = (size: number) => {
      const form = body([field('a', 'b')])
      return Buffer.concat([Buffer.alloc(size - form.length - 2, 'p'), Buffer.from('\r\n'), form])
    }
    assert.equal((await post(served.port, '/limited', padded(2000))).status, 200)
    assert.deepEqual((await post(served.port, '/limited', padded(2001))).json(), expected)
    const unread = await rawRequest(served.port, postHead('/limited', 'Content-Length: 2001', 'Expect: 100-continue'))
    assert.match(unread, /^HTTP\/1\.1 413 /)
    const chunk = padded(2001).toString('latin1')
    const head = postHead('/limited', 'Transfer-Encoding: chunked', 'Connection: close')
    const chunked = await rawRequest(served.port, `${head}7d1\r\n${chunk}\r\n0\r\n\r\n`)
    assert.deepEqual(JSON.parse(chunked.slice(chunked.indexOf('{'))), expected)
  })

  test('where no uploads are taken, the whole body has the limit of a body', async () => {
    const exceeds = [field('a', 'x'.repeat(60)), { head: ['X: y'], content: 'x'.repeat(200) }]
    assert.deepEqual((await post(served.port, '/fields', exceeds.slice(0, 1))).json(), { a: 'x'.repeat(60) })
    const answer = (await post(served.port, '/fields', exceeds)).json() as Record<string, unknown>
    assert.deepEqual([answer.status, answer.limit, answer.exceeded], [413, 300, 'bodyLimit'])
  })

  test('a body that says it is too large is heard out for a while, and is cut', async () => {
    const peer = await RawPeer.connect(served.port)
    await peer.write(postHead('/limited', `Content-Length: ${2 ** 40}`))
    assert.match(await peer.readUntil('}'), /^HTTP\/1\.1 413 /)
    const piece = Buffer.alloc(65_536)
    let sent = 0
    await assert.rejects(async () => {
      for (; sent < 64 << 20; sent += piece.length) await peer.write(piece)
    })
    assert.ok(sent >= 8 << 20, `${sent} bytes`)
    await peer.closed
  })

  test('the number of files of one name', async () => {
    const same = (count: number) => many(count, () => upload('a', 'x', ''))
    assert.equal((await post(served.port, '/two', same(2))).text, '2')
    const { status, ...answer } = await post(served.port, '/two', same(3))
    assert.equal(status, 413)
    const { detail, limit, exceeded } = answer.json() as Record<string, unknown>
    assert.deepEqual(
      { detail, limit, exceeded },
      {
        detail: 'the form has more than 2 files for a',
        limit: 2,
        exceeded: 'maxCount',
      },
    )
  })

  test('a file in memory has the same limit', async () => {
    assert.equal((await post(served.port, '/memory', [upload('a', 'x', '12345')])).text, '5')
    assert.equal((await post(served.port, '/memory', [upload('a', 'x', '123456')])).status, 413)
  })

  test('usually: 100 files, 1,000 fields, 1,100 parts, 8 KiB of header, 256 bytes of a name', async () => {
    const full = [...many(100, file), ...many(1000, index => field(`f${index}`, 'v'))]
    assert.deepEqual((await post(served.port, '/usual', full)).json(), { files: 100, fields: 1000 })
    for (const [form, exceeded, limit] of [
      [many(101, file), 'files', 100],
      [many(1001, index => field(`f${index}`, 'v')), 'fields', 1000],
      [many(1101, () => ({ head: ['X: y'], content: '' })), 'parts', 1100],
      [[headed(8193)], 'headerSize', 8192],
      [[field('x'.repeat(257), '')], 'fieldNameSize', 256],
      [many(2, () => field('a', 'x'.repeat(524_288))), 'bodyLimit', 1_048_576],
    ] as const) {
      const problem = (await post(served.port, '/usual', form)).json() as Record<string, unknown>
      assert.deepEqual([problem.status, problem.exceeded, problem.limit], [413, exceeded, limit])
    }
    assert.equal((await post(served.port, '/usual', [headed(8192)])).status, 200)
  })

  test('nothing is left of all this, and nothing is logged', () => {
    assert.deepEqual(temporary.list(), [])
    assert.deepEqual(served.log, [])
  })
})

test('the application has limits for all of its routes, and a route its own', async t => {
  const { port } = await serve(
    t,
    { controllers: [Limited] },
    { uploads: { files: 1, fileSize: 3, directory: temporary.path } },
  )
  assert.equal((await post(port, '/usual', many(2, file))).status, 413)
  assert.equal((await post(port, '/usual', [upload('a', 'x', '1234')])).status, 413)
  assert.equal((await post(port, '/limited', [upload('a', 'x', '1234'), file(1)])).status, 200)
})

test('a limit that is undefined is the one that it would be without a word', async t => {
  const limits = { fileSize: undefined } as never
  @Controller()
  class Unsaid {
    @Post('/unsaid', { uploads: limits }) take(@Files() files: Upload[]) {
      return files.length
    }
  }
  const { port } = await serve(t, { controllers: [Unsaid] }, { uploads: { directory: temporary.path, fileSize: 5 } })
  assert.equal((await post(port, '/unsaid', [upload('a', 'x', '12345')])).status, 200)
  assert.equal((await post(port, '/unsaid', [upload('a', 'x', '123456')])).status, 413)
})

test('a disk that takes nothing is our fault: 500, and the next request is served', async t => {
  const { port, log } = await serve(t, { controllers: [Limited] }, { uploads: { directory: '/dev/null/nowhere' } })
  assert.equal((await post(port, '/usual', [upload('a', 'x', 'y')])).status, 500)
  assert.equal((await post(port, '/usual', [field('a', 'x')])).status, 200)
  assert.deepEqual(
    log.map(line => line.message),
    ['POST Limited.usual failed'],
  )
})
