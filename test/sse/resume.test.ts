import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import { EventStream, event, Sse, stop } from '../../src/index.js'
import { ask, parse, serve, wholeStream } from './app.js'

describe('coming back', () => {
  @Sse('/')
  class Source {
    open(stream: EventStream) {
      return JSON.stringify(stream.lastEventId ?? null)
    }
  }
  for (const [title, path, headers, seen] of [
    ['from the header', '/', { 'Last-Event-ID': 'a-1' }, 'a-1'],
    ['from the query', '/?lastEventId=a-2', {}, 'a-2'],
    ['from the last of several in the query', '/?lastEventId=a&lastEventId=b', {}, 'b'],
    ['from the header first', '/?lastEventId=a-2', { 'Last-Event-ID': 'a-1' }, 'a-1'],
    ['as UTF-8', '/', { 'Last-Event-ID': Buffer.from('é😀').toString('latin1') }, 'é😀'],
    ['nowhere', '/', {}, null],
  ] as const) {
    test(`the last event id is read ${title}`, async t => {
      const { port } = await serve(t, [Source])
      const { peer } = await ask(port, path, { headers })
      const text = Buffer.from(await peer.readUntil('\n\n'), 'latin1').toString()
      assert.equal(/data: (.*)\n/.exec(text)?.[1], JSON.stringify(seen))
      peer.destroy()
    })
  }

  test('B21: after stop({ reconnect: false }) a real EventSource comes back once, hears 204, and stays away', async t => {
    const asked: (string | undefined)[] = []
    @Sse('/', { retry: 10 })
    class Once {
      open(stream: EventStream) {
        stream.after(1, 'enough')
        return event({ id: 'e-1', data: 'hello' })
      }
      info() {
        return ['bye', stop({ reconnect: false })]
      }
    }
    const { origin } = await serve(t, [Once], {
      use: [
        (request, _response, next) => {
          asked.push(request.headers['last-event-id'] as string | undefined)
          next()
        },
      ],
    })
    const source = new EventSource(origin)
    const messages: string[] = []
    source.onmessage = ({ data }) => messages.push(data)
    await new Promise<void>(resolve => {
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) resolve()
      }
    })
    assert.deepEqual(messages, ['hello', 'bye'])
    assert.equal(asked.length, 2)
    assert.equal(asked[0], undefined)
    assert.equal((await fetch(origin, { headers: { 'Last-Event-ID': asked[1] ?? '' } })).status, 204)
  })

  test('B21: after stop() it comes back', async t => {
    let opened = 0
    @Sse('/', { retry: 1 })
    class Again {
      open(stream: EventStream) {
        opened++
        stream.after(1, 'enough')
      }
      info() {
        return stop()
      }
    }
    const { origin } = await serve(t, [Again])
    const source = new EventSource(origin)
    await new Promise<void>(resolve => {
      source.onopen = () => opened >= 3 && resolve()
    })
    source.close()
  })

  test('the text that a real parser sees is what was sent', async t => {
    @Sse('/')
    class Source {
      open() {
        return [{ event: 'a', id: 0, data: 'x\ny' }, { comment: 'c' }, { retry: 0 }, event({ id: '' }), stop()]
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    const { events, comments, retries } = parse((await wholeStream(peer)).text)
    assert.deepEqual([events, comments, retries], [[{ id: '0', event: 'a', data: 'x\ny' }], ['c'], [0]])
  })
})
