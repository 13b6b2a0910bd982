import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import {
  type CloseReason,
  ConnectionRegistry,
  EventStream,
  event,
  type Middleware,
  Registry,
  Sse,
  stop,
} from '../../src/index.js'
import { ask, Closes, parse, serve, wholeStream } from './app.js'

@Registry('all')
class All extends ConnectionRegistry {}

const closes = new Closes()
const trouble = new Error('the secret reason')
let linked = new AbortController()

@Sse('/', { idleTimeout: 0, sendLimit: 2048 })
class Source {
  constructor(private readonly all: All) {}
  async open(stream: EventStream) {
    await this.all.join(stream, 'room')
    stream.link(linked.signal)
    return event({ id: 'e-1', data: 'hello' })
  }
  info(message: string, stream: EventStream): unknown {
    if (message === 'stop') return ['last', stop(), 'never']
    if (message === 'close') return stream.close()
    if (message === 'throw') throw trouble
    if (message === 'reject') return Promise.reject(trouble)
    if (message === 'unsendable') return () => {}
    if (message === 'overflow') for (let sent = 0; sent < 3000; sent++) void stream.send('x'.repeat(2000))
    if (message === 'overflow') return undefined
    return message
  }
  async close(reason: CloseReason) {
    await null
    closes.note(reason)
  }
}

@Sse('/idle', { idleTimeout: 40 })
class Idle {
  open() {
    return 'hello'
  }
  close(reason: CloseReason) {
    closes.note(reason)
  }
}

const hello = 'id: e-1\ndata: hello\n\n'
const failure = 'event: error\ndata: {"title":"Internal Server Error","status":500}\n\n'

interface Row {
  readonly how: string
  readonly path?: string
  readonly cause: (served: Awaited<ReturnType<typeof serve>>) => unknown
  readonly kind: CloseReason['kind']
  /** What follows the first event, and whether the final chunk does. */
  readonly text: string | RegExp
  readonly complete: boolean
  readonly logged?: number
}

const tell = (message: string) => async (served: Awaited<ReturnType<typeof serve>>) =>
  served.app.get(All).tell('room', message)

const table: Row[] = [
  { how: 'B21: stop()', cause: tell('stop'), kind: 'stopped', text: 'data: last\n\n', complete: true },
  { how: 'P28: close()', cause: tell('close'), kind: 'stopped', text: '', complete: true },
  { how: 'idle', path: '/idle', cause: () => {}, kind: 'idle', text: '', complete: true },
  {
    how: 'disconnected',
    cause: ({ app }) => app.get(All).disconnect('room'),
    kind: 'disconnected',
    text: '',
    complete: true,
  },
  { how: 'B22: a throw', cause: tell('throw'), kind: 'failed', text: failure, complete: false, logged: 1 },
  { how: 'B22: a rejection', cause: tell('reject'), kind: 'failed', text: failure, complete: false, logged: 1 },
  {
    how: 'P33: what cannot be sent',
    cause: tell('unsendable'),
    kind: 'failed',
    text: failure,
    complete: false,
    logged: 1,
  },
  { how: 'P32: a link', cause: () => linked.abort('the manager died'), kind: 'linked', text: '', complete: false },
  { how: 'a drain', cause: ({ app }) => app.close(), kind: 'drain', text: /^retry: [12]\d{3}\n\n$/, complete: true },
]

describe('how a stream ends on the wire, once', () => {
  for (const { how, path = '/', cause, kind, text, complete, logged = 0 } of table) {
    test(`${how}: close hears ${kind}, the peer ${complete ? 'the final chunk' : 'a cut'}`, async t => {
      closes.reasons.length = 0
      linked = new AbortController()
      const served = await serve(t, [Source, Idle], { providers: [All] })
      const { peer } = await ask(served.port, path)
      await peer.readUntil(/data: hello\n\n\r\n/)
      void cause(served)
      assert.equal(await closes.first(), kind)
      const whole = await wholeStream(peer)
      if (typeof text === 'string') assert.equal(whole.text.replace(/^event: place\nid: .*\ndata:\n\n/, ''), text)
      else assert.match(whole.text.replace(/^event: place\nid: .*\ndata:\n\n/, ''), text)
      assert.equal(whole.complete, complete)
      assert.equal(closes.reasons.length, 1)
      assert.equal(served.errors.length, logged, JSON.stringify(served.errors))
      if (logged > 0) assert.equal(served.errors[0]?.[0], 'Source failed')
    })
  }

  test("the final error event does not move the peer's last event id, and tells nothing", () => {
    const { events } = parse(hello + failure)
    assert.deepEqual(events.at(-1), {
      id: undefined,
      event: 'error',
      data: '{"title":"Internal Server Error","status":500}',
    })
    assert.doesNotMatch(failure, /secret/)
  })

  test('overflow: a peer that does not read is cut, once more waits than it may', async t => {
    closes.reasons.length = 0
    const { port, app } = await serve(t, [Source], { providers: [All] })
    const { peer } = await ask(port, '/')
    await peer.readUntil('hello')
    peer.pause()
    const flood = setInterval(() => void app.get(All).tell('room', 'overflow'), 1)
    assert.equal(await closes.first(), 'overflow')
    clearInterval(flood)
    peer.resume()
    await peer.closed
    assert.doesNotMatch(peer.received, /\r\n0\r\n\r\n$/)
    assert.equal(closes.reasons.length, 1)
  })

  test('P12: P33: send answers true, then false after the end; what cannot be encoded rejects that call alone', async t => {
    const seen: unknown[] = []
    const done = new Closes()
    @Sse('/')
    class Sending {
      open(stream: EventStream) {
        stream.after(0, 'go')
      }
      async info(_message: string, stream: EventStream) {
        seen.push(await stream.send('one'))
        seen.push(await stream.send(undefined).catch((error: unknown) => (error as Error).name))
        seen.push(await stream.send(event({ event: 'a\nb' })).catch((error: unknown) => (error as Error).name))
        seen.push(await stream.comment('two'))
        stream.close()
        stream.close()
        seen.push(stream.closed, await stream.send('three'), await stream.send(undefined), stream.tell('x'))
      }
      close(reason: CloseReason) {
        done.note(reason)
      }
    }
    const { port, errors } = await serve(t, [Sending])
    const { peer } = await ask(port, '/')
    assert.deepEqual(await wholeStream(peer), { text: 'data: one\n\n: two\n\n', complete: true })
    assert.equal(await done.first(), 'stopped')
    assert.deepEqual(seen, [true, 'TypeError', 'TypeError', true, true, false, false, false])
    assert.deepEqual(errors, [])
  })

  test('an end before the head, while open is still busy, answers the peer all the same', async t => {
    for (const [ending, kind, expected] of [
      ['disconnect', 'disconnected', /^HTTP\/1\.1 200 [\s\S]*0\r\n\r\n$/],
      ['link', 'linked', /^$/],
      ['drain', 'drain', /^HTTP\/1\.1 200 [\s\S]*data: early\n\n[\s\S]*retry: \d+\n\n\r\n0\r\n\r\n$/],
    ] as const) {
      const done = new Closes()
      let entered = () => {}
      const busy = new Promise<void>(resolve => (entered = resolve))
      const controller = new AbortController()
      @Sse('/')
      class Busy {
        constructor(private readonly all: All) {}
        async open(stream: EventStream) {
          await this.all.join(stream, 'room')
          stream.link(controller.signal)
          void stream.send('early')
          entered()
          await new Promise(resolve => stream.signal.addEventListener('abort', resolve, { once: true }))
          return 'too late'
        }
        close(reason: CloseReason) {
          done.note(reason)
        }
      }
      const { port, app, errors } = await serve(t, [Busy], { providers: [All] })
      const asked = ask(port, '/').catch(() => undefined)
      await busy
      if (ending === 'disconnect') await app.get(All).disconnect('room')
      if (ending === 'link') controller.abort()
      if (ending === 'drain') void app.close()
      assert.equal(await done.first(), kind)
      const answered = await asked
      await answered?.peer.closed
      assert.match((answered?.head ?? '') + (answered?.peer.received ?? ''), expected)
      assert.equal(done.reasons.length, 1)
      assert.deepEqual(errors, [])
    }
  })

  test('a drain while open runs behind middleware that has written a head of its own: a cut, one close, and a server that stops', async t => {
    const done = new Closes()
    @Sse('/')
    class Opening {
      async open({ signal }: EventStream) {
        await once(signal, 'abort')
      }
      close(reason: CloseReason) {
        done.note(reason)
      }
    }
    const early: Middleware = (_request, response, next) => {
      response.flushHeaders()
      next()
    }
    const { app, port, errors } = await serve(t, [Opening], { use: [early] })
    const { peer } = await ask(port, '/')
    await app.close()
    assert.equal(await done.first(), 'drain')
    await peer.closed
    assert.equal(app.connections, 0)
    assert.deepEqual(
      errors.map(([message]) => message),
      ['Opening: its end could not be told'],
    )
  })
})
