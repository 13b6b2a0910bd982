/** Sockets from end to end, with the clients that people use. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { WebSocket as UndiciClient } from 'undici'
import { WebSocket as WsClient } from 'ws'
import {
  type CloseReason,
  ConnectionRegistry,
  Controller,
  Data,
  Get,
  Guard,
  type Middleware,
  On,
  Param,
  Registry,
  Socket,
  Sse,
  unauthorized,
  WebSocket,
} from '../../src/index.js'
import { serve } from '../support/app.js'
import { eventually } from '../support/eventually.js'

/** What a client of either kind is asked in these tests. */
interface Client {
  readonly messages: unknown[]
  readonly closed: Promise<{ readonly code: number; readonly text: string }>
  readonly protocol: string
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, text?: string): void
}

type Connect = (t: TestContext, url: string, protocols?: string[]) => Promise<Client>

const connectWs: Connect = async (t, url, protocols = []) => {
  const ws = new WsClient(url, protocols)
  t.after(() => ws.terminate())
  const messages: unknown[] = []
  ws.on('message', (data: Buffer, binary) => messages.push(binary ? [...data] : data.toString()))
  const closed = once(ws, 'close').then(([code, text]) => ({ code: code as number, text: String(text) }))
  await once(ws, 'open')
  return {
    messages,
    closed,
    protocol: ws.protocol,
    send: data => ws.send(data),
    close: (code, text) => ws.close(code, text),
  }
}

const connectUndici: Connect = async (t, url, protocols = []) => {
  const ws = new UndiciClient(url, protocols)
  ws.binaryType = 'arraybuffer'
  const messages: unknown[] = []
  ws.addEventListener('message', ({ data }) =>
    messages.push(typeof data === 'string' ? data : [...new Uint8Array(data as ArrayBuffer)]),
  )
  const closed = new Promise<{ code: number; text: string }>(resolve =>
    ws.addEventListener('close', ({ code, reason }) => resolve({ code, text: reason })),
  )
  t.after(async () => {
    if (ws.readyState === UndiciClient.OPEN) ws.close()
    await closed
  })
  await new Promise<unknown>((resolve, reject) => {
    ws.addEventListener('open', resolve)
    ws.addEventListener('error', ({ error }) => reject(error))
  })
  return {
    messages,
    closed,
    protocol: ws.protocol,
    send: data => ws.send(data),
    close: (code, text) => ws.close(code, text),
  }
}

const ended: CloseReason[] = []

@Registry('decks')
class Decks extends ConnectionRegistry<{ goto: { slide: number } }> {}

@WebSocket('/decks/:deck', { protocols: ['v1.deck'] })
class Deck {
  constructor(
    private readonly decks: Decks,
    private readonly socket: Socket<'deck'>,
  ) {}
  async open(_socket: Socket, @Param('deck') deck: string) {
    await this.decks.join(this.socket, deck)
    return `deck ${deck}`
  }
  @On('goto')
  goto(@Data() data: { slide: number }) {
    return this.decks.to(this.socket.params.deck).send('goto', data)
  }
  message(message: string | Buffer) {
    return message
  }
  close(reason: CloseReason) {
    ended.push(reason)
  }
}

for (const [name, connect] of [
  ['ws', connectWs],
  ['undici', connectUndici],
] as const) {
  describe(`with the client of ${name}`, () => {
    test('P41/P42: it opens, agrees on a subprotocol, hears what open returned, echoes text and bytes, and closes with its code', async t => {
      ended.length = 0
      const { port } = await serve(t, [Deck], { providers: [Decks] })
      const client = await connect(t, `ws://127.0.0.1:${port}/decks/a`, ['other', 'v1.deck'])
      assert.equal(client.protocol, 'v1.deck')
      await eventually('it has joined', () => client.messages.length === 2)
      assert.equal(client.messages[0], 'deck a')
      client.messages.length = 0
      client.send('héllo')
      client.send(Uint8Array.of(0, 255))
      client.send('x'.repeat(100_000))
      await eventually('it is echoed', () => client.messages.length === 3)
      assert.deepEqual(client.messages, ['héllo', [0, 255], 'x'.repeat(100_000)])
      client.close(4000, 'done')
      assert.equal((await client.closed).code, 4000)
      await eventually('close has run', () => ended.length > 0)
      assert.deepEqual(ended, [{ kind: 'peer', code: 4000, text: 'done' }])
    })

    test('a message by name reaches the whole room, and its answer the one who asked', async t => {
      const { port } = await serve(t, [Deck], { providers: [Decks] })
      const [one, two] = await Promise.all([1, 2].map(() => connect(t, `ws://127.0.0.1:${port}/decks/b`)))
      assert.ok(one && two)
      await eventually('both have joined', () => one.messages.length === 2 && two.messages.length === 2)
      one.messages.length = two.messages.length = 0
      one.send(JSON.stringify({ event: 'goto', data: { slide: 3 }, ack: 'a' }))
      await eventually('all is heard', () => one.messages.length === 2 && two.messages.length === 1)
      const [told] = two.messages.map(each => JSON.parse(String(each)))
      assert.deepEqual({ event: told.event, data: told.data }, { event: 'goto', data: { slide: 3 } })
      const heard = one.messages.map(each => JSON.parse(String(each)))
      assert.deepEqual(
        heard.find(each => 'ack' in each),
        { ack: 'a', data: told.id },
      )
      assert.deepEqual(
        heard.find(each => 'event' in each),
        told,
      )
    })

    test('a drain tells it 1012', async t => {
      const { port, app } = await serve(t, [Deck], { providers: [Decks] })
      const client = await connect(t, `ws://127.0.0.1:${port}/decks/c`)
      await app.close({ deadline: 5000 })
      assert.equal((await client.closed).code, 1012)
    })
  })
}

describe('one path, one router', () => {
  @Controller('/same')
  class Page {
    @Get('/')
    page() {
      return 'a page'
    }
  }
  @Sse('/same')
  class Events {
    open() {
      return 'an event'
    }
  }
  @WebSocket('/same')
  class Live {
    open() {
      return 'a message'
    }
  }

  test('B9/B10: GET, an event stream and a WebSocket share one path', async t => {
    const { port } = await serve(t, [Page, Events, Live])
    const url = `127.0.0.1:${port}/same`
    assert.equal(await (await fetch(`http://${url}`)).text(), 'a page')
    const stream = await fetch(`http://${url}`, { headers: { Accept: 'text/event-stream' } })
    const reader = stream.body?.getReader()
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'data: an event\n\n')
    await reader?.cancel()
    const client = await connectWs(t, `ws://${url}`)
    await eventually('it is told', () => client.messages.length === 1)
    assert.deepEqual(client.messages, ['a message'])
  })

  test('B11: middleware and guards run before the upgrade, and their refusal is what the client is told', async t => {
    const seen: string[] = []
    const note: Middleware = (request, _response, next) => {
      seen.push(request.url ?? '')
      next()
    }
    @WebSocket('/closed')
    @Guard(context => context.query.token === 'right' || unauthorized())
    class Closed {
      open() {}
    }
    const { port, app } = await serve(t, [Closed], { use: [note] })
    const ws = new WsClient(`ws://127.0.0.1:${port}/closed`)
    const [, response] = await once(ws, 'unexpected-response')
    assert.equal(response.statusCode, 401)
    ws.on('error', () => {}).terminate()
    await connectWs(t, `ws://127.0.0.1:${port}/closed?token=right`)
    assert.deepEqual(seen, ['/closed', '/closed?token=right'])
    await eventually('it is open', () => app.connections === 1)
  })

  test('B24: open runs behind the 101; one that throws is 1011, and has its close', async t => {
    const reasons: CloseReason[] = []
    @WebSocket('/fails')
    class Fails {
      async open() {
        throw new Error('no')
      }
      close(reason: CloseReason) {
        reasons.push(reason)
      }
    }
    const { port, log } = await serve(t, [Fails])
    const client = await connectWs(t, `ws://127.0.0.1:${port}/fails`)
    assert.equal((await client.closed).code, 1011)
    assert.deepEqual(
      reasons.map(({ kind }) => kind),
      ['failed'],
    )
    assert.deepEqual(log.messages, ['Fails failed'])
  })

  test('B28: a tick, a message from inside and a linked signal come to a socket as they do to a stream', async t => {
    const controller = new AbortController()
    @WebSocket('/ticks')
    class Ticks {
      open(socket: Socket) {
        socket.link(controller.signal)
        socket.tell('told')
        socket.after(1, 'after')
        socket.every(5, 'tick')
      }
      info(message: string) {
        return message
      }
    }
    const { port } = await serve(t, [Ticks])
    const client = await connectWs(t, `ws://127.0.0.1:${port}/ticks`)
    await eventually('it ticks', () => client.messages.filter(each => each === 'tick').length > 2)
    assert.deepEqual([client.messages[0], client.messages.includes('after')], ['told', true])
    controller.abort()
    assert.equal((await client.closed).code, 1011)
  })

  test('P45: a quiet socket without idleTimeout stays open', async t => {
    const { port } = await serve(t, [Live])
    const client = await connectWs(t, `ws://127.0.0.1:${port}/same`)
    await eventually('it is told', () => client.messages.length === 1)
    const quiet = await Promise.race([client.closed, new Promise(resolve => setTimeout(resolve, 300, 'open'))])
    assert.equal(quiet, 'open')
  })
})
