import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventStream, Sse, stop } from '../../src/index.js'
import { rawRequest } from '../support/raw-peer.js'
import { ask, firstPacket, requestText, serve, unchunk, wholeStream } from './app.js'

describe('the head', () => {
  test('P23: B14: says event stream, no cache, no transformation, no buffering, and no connection after it', async t => {
    @Sse('/')
    class Source {
      open() {}
    }
    const { port } = await serve(t, [Source])
    const { peer, head } = await ask(port, '/')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    for (const field of [
      'Content-Type: text/event-stream; charset=utf-8',
      'Cache-Control: no-cache, no-transform',
      'X-Accel-Buffering: no',
      'Connection: close',
      'Transfer-Encoding: chunked',
    ])
      assert.ok(head.includes(`${field}\r\n`), `${field} in ${head}`)
    assert.doesNotMatch(head, /Content-Length|Content-Encoding/i)
    peer.destroy()
  })

  test('B13: open may set a status and header fields, also those that streams have, until the head is out', async t => {
    let late: unknown
    @Sse('/')
    class Source {
      async open(stream: EventStream) {
        stream.status(201).setHeader('X-Kind', 'news').setHeader('cache-control', 'no-store')
        assert.throws(() => stream.status(204), RangeError)
        assert.throws(() => stream.setHeader('X', 'a\r\nb'), TypeError)
        await null
        stream.start()
        assert.throws(() => stream.status(200), /status: the head of the event stream is out/)
        assert.throws(() => stream.setHeader('X', 'y'), /setHeader: the head of the event stream is out/)
        late = stream.started
      }
    }
    const { port, errors } = await serve(t, [Source])
    const { peer, head } = await ask(port, '/')
    assert.match(head, /^HTTP\/1\.1 201 /)
    assert.match(head, /X-Kind: news\r\n/)
    assert.match(head, /cache-control: no-store\r\n/)
    assert.doesNotMatch(head, /no-cache/)
    assert.equal(late, true)
    assert.deepEqual(errors, [])
    peer.destroy()
  })

  test('a Connection that open asks for is not kept: nothing would be answered on it', async t => {
    @Sse('/')
    class Source {
      open(stream: EventStream) {
        stream.setHeader('connection', 'keep-alive')
        return ['last', stop()]
      }
    }
    const { port } = await serve(t, [Source])
    const all = await rawRequest(port, requestText('/'))
    assert.match(all, /\r\nConnection: close\r\n/)
    assert.doesNotMatch(all, /keep-alive/i)
  })

  test('P25: the first event is in the same packet as the head', async t => {
    @Sse('/', { retry: 250 })
    class Source {
      open() {
        return ['one', { event: 'second', data: 2 }]
      }
    }
    const { port } = await serve(t, [Source])
    const packet = await firstPacket(port, '/')
    assert.match(packet, /^HTTP\/1\.1 200 /)
    assert.equal(
      unchunk(packet.slice(packet.indexOf('\r\n\r\n') + 4)).text,
      'retry: 250\n\ndata: one\n\nevent: second\ndata: 2\n\n',
    )
  })

  test('P13: P25: P37: what open returns comes first, then what was sent meanwhile, in order and without delay', async t => {
    const sent: boolean[] = []
    @Sse('/')
    class Source {
      async open(stream: EventStream) {
        sent.push(await stream.send('sent 1'))
        stream.tell('told')
        sent.push(await stream.send('sent 2'))
        await sleep(5)
        return 'first'
      }
      info(message: string) {
        return message
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    await peer.readUntil('told')
    assert.deepEqual(sent, [true, true])
    peer.destroy()
    const packet = await firstPacket(port, '/')
    const texts = [...packet.matchAll(/data: (.*)\n/g)].map(match => match[1])
    assert.deepEqual(texts.slice(0, 3), ['first', 'sent 1', 'sent 2'])
  })

  test('what open returns and what was sent before it both arrive when stop() ends them', async t => {
    @Sse('/')
    class Source {
      open(stream: EventStream) {
        void stream.send('sent')
        return ['first', stop(), 'never']
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    assert.deepEqual(await wholeStream(peer), { text: 'data: first\n\ndata: sent\n\n', complete: true })
  })

  test('start() sends the head before open has settled, and keeps the order', async t => {
    let resolve = () => {}
    const promise = new Promise<void>(done => (resolve = done))
    @Sse('/')
    class Source {
      async open(stream: EventStream) {
        void stream.send('before')
        stream.start()
        stream.start()
        void stream.send('after')
        await promise
        return 'returned'
      }
    }
    const { port } = await serve(t, [Source])
    const { peer } = await ask(port, '/')
    await peer.readUntil('data: after')
    resolve()
    await peer.readUntil('data: returned')
    peer.destroy()
  })

  test('P14: HTTP/1.0 gets no chunks, even where it says that it takes them, and the end of the connection', async t => {
    @Sse('/')
    class Source {
      open() {
        return [1, { id: '2', data: 'é' }, stop()]
      }
    }
    const { port } = await serve(t, [Source])
    for (const headers of [{}, { TE: 'chunked' }, { Connection: 'keep-alive' }]) {
      const answer = await rawRequest(port, requestText('/', { version: '1.0', headers }))
      const [head = '', content] = answer.split('\r\n\r\n')
      assert.doesNotMatch(head, /Transfer-Encoding/)
      assert.match(head, /Connection: close/)
      assert.equal(Buffer.from(content ?? '', 'latin1').toString(), 'data: 1\n\nid: 2\ndata: é\n\n')
    }
  })
})
