import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pool } from 'undici'
import { z } from 'zod'
import {
  Body,
  type Context,
  ContextKey,
  Controller,
  conflict,
  created,
  Delete,
  fromContext,
  Get,
  Guard,
  Injectable,
  Intercept,
  int,
  MapError,
  Module,
  ndjson,
  noContent,
  notFound,
  optional,
  Param,
  Post,
  Put,
  Query,
  unauthorized,
} from '../../src/index.js'
import { serve } from '../support/serve.js'

class TakenError extends Error {}

interface Book {
  readonly id: number
  readonly title: string
  readonly tags: readonly string[]
}

@Injectable()
class Shelf {
  readonly #books = new Map<number, Book>()
  #next = 1

  add(book: Omit<Book, 'id'>): Book {
    for (const { title } of this.#books.values()) if (title === book.title) throw new TakenError(title)
    return this.put({ id: this.#next++, ...book })
  }

  put(book: Book): Book {
    this.#books.set(book.id, book)
    return book
  }

  find(id: number): Book | undefined {
    return this.#books.get(id)
  }

  remove(id: number): boolean {
    return this.#books.delete(id)
  }

  async *all(tag?: string) {
    for (const book of this.#books.values()) {
      await null
      if (tag === undefined || book.tags.includes(tag)) yield book
    }
  }
}

const reader = new ContextKey<string>('reader')
const Reader = fromContext(context => context.get(reader))

class SignedIn implements Guard {
  admit(context: Context) {
    const [scheme, name] = (context.header('authorization') ?? '').split(' ')
    if (scheme !== 'Reader' || name === undefined)
      return unauthorized('who reads?', { headers: { 'WWW-Authenticate': 'Reader' } })
    context.set(reader, name)
    return true
  }
}

const NewBook = z.object({ title: z.string().min(1), tags: z.array(z.string()).default([]) })
type NewBook = z.infer<typeof NewBook>

let inFlight = 0

@Controller('/books')
@Guard(SignedIn)
@MapError(TakenError, error => conflict('taken', { extensions: { title: error.message } }))
@Intercept(async (_, next) => {
  inFlight++
  try {
    return await next()
  } finally {
    inFlight--
  }
})
class Books {
  constructor(private readonly shelf: Shelf) {}

  @Get() list(@Query('tag', optional(z.string())) tag?: string) {
    return ndjson(this.shelf.all(tag))
  }

  @Post() add(@Body(NewBook) book: NewBook) {
    const added = this.shelf.add(book)
    return created(`/api/books/${added.id}`, added)
  }

  @Get('/:id') show(@Param('id', int()) id: number) {
    return this.shelf.find(id) ?? notFound(`no book ${id}`)
  }

  @Put('/:id') put(@Param('id', int({ min: 1 })) id: number, @Body(NewBook) book: NewBook, @Reader() who: string) {
    return { ...this.shelf.put({ id, ...book }), by: who }
  }

  @Delete('/:id') remove(@Param('id', int()) id: number) {
    return this.shelf.remove(id) ? noContent() : notFound(`no book ${id}`)
  }
}

@Module({ controllers: [Books], providers: [Shelf] })
class Library {}

test('a library: books are added, listed, changed and removed, by readers who are known', async t => {
  const { port, app, log } = await serve(t, { imports: [Library] }, { prefix: '/api' })
  const peers = new Pool(`http://127.0.0.1:${port}`, { connections: 4, pipelining: 3 })
  t.after(() => peers.close())
  const ask = async (line: string, body?: unknown, authorization: string | null = 'Reader ada') => {
    const [method = 'GET', path = ''] = line.split(' ')
    const headers = { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) }
    const sent = body === undefined ? null : JSON.stringify(body)
    const answer = await peers.request({ method: method as 'GET', path: `/api${path}`, headers, body: sent })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }

  assert.deepEqual(
    app.routes.map(({ method, pattern, name }) => `${method} ${pattern} ${name}`),
    [
      'GET /api/books Books.list',
      'POST /api/books Books.add',
      'GET /api/books/:id Books.show',
      'PUT /api/books/:id Books.put',
      'DELETE /api/books/:id Books.remove',
    ],
  )

  const stranger = await ask('GET /books', undefined, null)
  assert.deepEqual([stranger.status, stranger.headers['www-authenticate']], [401, 'Reader'])

  const added = await ask('POST /books', { title: 'Emma', tags: ['novel'], isbn: 'dropped' })
  assert.deepEqual([added.status, added.headers.location], [201, '/api/books/1'])
  assert.deepEqual(JSON.parse(added.text), { id: 1, title: 'Emma', tags: ['novel'] })

  const taken = await ask('POST /books', { title: 'Emma' })
  const problem = { type: 'about:blank', title: 'Emma', status: 409, detail: 'taken' }
  assert.deepEqual(JSON.parse(taken.text), { ...problem, title: 'Conflict' }, 'an extension hides no standard member')

  const refused = await ask('PUT /books/0', { title: '' })
  assert.equal(refused.status, 400)
  assert.match(refused.text, /param\.id: expected a whole number from 1.*body\.title: /)

  assert.equal((await ask('GET /books/2')).status, 404)
  assert.equal((await ask('POST /books', { title: 'Ulysses' })).status, 201)
  assert.deepEqual((await ask('GET /books')).text.trimEnd().split('\n').map(title), ['Emma', 'Ulysses'])
  assert.deepEqual((await ask('GET /books?tag=novel')).text.trimEnd().split('\n').map(title), ['Emma'])
  assert.deepEqual(JSON.parse((await ask('PUT /books/2', { title: 'Dubliners' })).text).by, 'ada')

  const many = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const { status, text } = await ask(index % 3 === 0 ? 'GET /books/2' : `GET /books/${index + 1000}`)
      return index % 3 === 0 ? [status, title(text)] : [status, JSON.parse(text).detail]
    }),
  )
  assert.deepEqual(
    many,
    Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0 ? [200, 'Dubliners'] : [404, `no book ${index + 1000}`],
    ),
    'each of many at once hears its own answer',
  )

  assert.deepEqual([(await ask('DELETE /books/2')).status, (await ask('DELETE /books/2')).status], [204, 404])
  assert.equal(inFlight, 0)
  assert.deepEqual(log, [])
})

function title(line: string): string {
  return JSON.parse(line).title
}
