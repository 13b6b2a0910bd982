import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Controller, EventStream, event, Sse, Status, stop } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { ask, serve, wholeStream } from './app.js'

/** An observable by its shape alone. */
function observable(run: (next: (item: unknown) => void, complete: () => void) => () => void) {
  const key = (Symbol as { observable?: symbol }).observable ?? '@@observable'
  const self: object = {
    [key]: () => self,
    subscribe(observer: { next(item: unknown): void; complete(): void }) {
      return {
        unsubscribe: run(
          item => observer.next(item),
          () => observer.complete(),
        ),
      }
    },
  }
  return self
}

describe('what a handler returns is sent', () => {
  const two = 'data: 1\n\ndata: 2\n\n'
  const forms: [name: string, make: () => unknown, text: string, ends: boolean][] = [
    ['a value', () => ({ a: 1 }), 'data: {"a":1}\n\n', false],
    ['undefined', () => undefined, '', false],
    ['null', () => null, 'data: null\n\n', false],
    ['B18: an array', () => [1, 2], two, true],
    ['B18: an empty array', () => [], '', true],
    ['a Set', () => new Set([1, 2]), two, true],
    [
      'a generator',
      function* () {
        yield 1
        yield 2
      },
      two,
      true,
    ],
    [
      'an async generator',
      async function* () {
        yield 1
        await sleep(1)
        yield 2
      },
      two,
      true,
    ],
    ['a Readable of objects', () => Readable.from([1, 2]), two, true],
    ['a Readable of text', () => Readable.from(['1', '2']), two, true],
    ['a web stream', () => Readable.toWeb(Readable.from([1, 2])), two, true],
    [
      'an observable, by its shape',
      () =>
        observable((next, complete) => {
          next(1)
          const timer = setTimeout(() => {
            next(2)
            complete()
          }, 1)
          return () => clearTimeout(timer)
        }),
      two,
      true,
    ],
    ['undefined among others', () => [1, undefined, 2], two, true],
  ]
  for (const [name, make, text, ends] of forms) {
    test(`P24: ${name}, from a method: ${ends ? 'its end ends the stream' : 'the stream stays open'}`, async t => {
      @Controller('/')
      class Streams {
        @Sse('/plain')
        plain() {
          return make()
        }
        @Sse('/later')
        async later() {
          await sleep(1)
          return make()
        }
      }
      const { port, app, errors } = await serve(t, [Streams])
      for (const path of ['/plain', '/later']) {
        const { peer } = await ask(port, path)
        if (!ends) {
          if (text !== '') await peer.readUntil(text)
          assert.equal(app.connections, 1)
          peer.destroy()
          await eventually('it is gone', () => app.connections === 0)
        } else assert.deepEqual(await wholeStream(peer), { text, complete: true })
      }
      assert.deepEqual(errors, [])
    })

    test(`B13: B16: ${name}, from an event source's open and from info: the stream stays open`, async t => {
      @Sse('/')
      class Source {
        open(stream: EventStream) {
          stream.tell('go')
          stream.tell('last')
          return make()
        }
        async info(message: string) {
          return message === 'go' ? make() : ['last', stop()]
        }
      }
      const { port, errors } = await serve(t, [Source])
      const { peer } = await ask(port, '/')
      assert.deepEqual(await wholeStream(peer), { text: `${text}${text}data: last\n\n`, complete: true })
      assert.deepEqual(errors, [])
    })
  }

  test('B18: the events of one array leave in one write', async t => {
    const writes: number[] = []
    @Sse('/')
    class Source {
      open(stream: EventStream) {
        stream.after(1, 'go')
      }
      info() {
        return [...Array.from({ length: 50 }, (_, index) => index), stop()]
      }
    }
    const { port } = await serve(t, [Source], {
      use: [
        ({ socket }, _response, next) => {
          const write = socket._writev?.bind(socket)
          if (write !== undefined)
            socket._writev = (chunks, done) => {
              writes.push(chunks.length)
              write(chunks, done)
            }
          next()
        },
      ],
    })
    const { peer } = await ask(port, '/')
    const { text } = await wholeStream(peer)
    assert.equal(text.match(/data/g)?.length, 50)
    assert.ok(
      writes.some(count => count >= 50),
      `writes of ${writes.join(', ')}`,
    )
  })

  test('a status of the method is the status of the head', async t => {
    @Controller('/')
    class Streams {
      @Sse('/')
      @Status(202)
      *accepted() {
        yield 1
      }
    }
    const { port } = await serve(t, [Streams])
    assert.match((await ask(port, '/')).head, /^HTTP\/1\.1 202 /)
  })
})

describe('an output schema', () => {
  const Reading = z.object({ celsius: z.number().transform(value => Math.round(value)) })

  @Controller('/')
  class Readings {
    @Sse('/good', { output: Reading })
    *good() {
      yield { celsius: 20.4, serial: 'secret' }
      yield event({ event: 'reading', id: 7, data: { celsius: 20.6 }, fake: 1 } as Parameters<typeof event>[0])
      yield { comment: 'has no data to check' }
    }
    @Sse('/bad', { output: Reading })
    *bad() {
      yield { celsius: 1 }
      yield { celsius: 'warm' }
    }
  }

  test('checks and transforms the data of each event, and keeps its other fields', async t => {
    const { port } = await serve(t, [Readings])
    const { peer } = await ask(port, '/good')
    assert.equal(
      (await wholeStream(peer)).text,
      'data: {"celsius":20}\n\nevent: reading\nid: 7\ndata: {"celsius":21}\n\n: has no data to check\n\n',
    )
  })

  test('ends the stream at what does not fit, which is logged and not sent', async t => {
    const { port, errors } = await serve(t, [Readings])
    const { peer } = await ask(port, '/bad')
    const { text, complete } = await wholeStream(peer)
    assert.match(
      text,
      /^data: \{"celsius":1\}\n\nevent: error\ndata: \{"title":"Internal Server Error","status":500\}\n\n$/,
    )
    assert.equal(complete, false)
    assert.equal(errors.length, 1)
  })
})
