/** B3: `currentContext` reaches all that an exchange runs, and nothing else; and it keeps no request alive. */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter, once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import {
  type ApplicationOptions,
  bootstrap,
  type Context,
  Controller,
  Ctx,
  currentContext,
  EventStream,
  Get,
  MessageContext,
  On,
  Post,
  RequestContext,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { collectGarbage } from '../support/garbage.js'
import { StreamPeer } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { moduleOf, serve } from '../support/serve.js'
import { WebSocketPeer } from '../support/websocket-peer.js'

/** Where an exchange stands, as deep code would ask for it. */
const here = () => currentContext()?.path ?? 'nowhere'
const seen: string[] = []
const note = (what: string) => void seen.push(`${what} ${here()}`)
const bus = new EventEmitter()
const aborted = (signal: AbortSignal) => once(signal, 'abort')

@Controller()
class Pages {
  @Get('/plain') plain() {
    return here()
  }
  @Get('/later') async later() {
    const steps = [here()]
    await null
    steps.push(here())
    await sleep(1)
    steps.push(here())
    await new Promise<void>(resolve => queueMicrotask(resolve))
    steps.push(await new Promise(resolve => setTimeout(() => resolve(here()), 1)))
    return steps
  }
  @Get('/items/:id') async *items() {
    try {
      for (let item = 0; item < 3; item++) {
        await turn()
        yield here()
      }
    } finally {
      note('finally')
    }
  }
  @Get('/endless/:id') async *endless(signal: AbortSignal) {
    try {
      for (;;) {
        yield `${here()}\n`
        await aborted(signal)
      }
    } finally {
      note('finally')
    }
  }
  @Post('/body/:id') body(@Ctx() context: Context) {
    return { same: currentContext() === context }
  }
  @Sse('/stream/:id') async *stream(signal: AbortSignal) {
    signal.addEventListener('abort', () => note('abort'))
    try {
      yield here()
      await once(bus, 'go')
      yield here()
      await aborted(signal)
    } finally {
      note('finally')
    }
  }
}

@Sse('/actor/:id')
class Actor {
  constructor(private readonly stream: EventStream) {}
  async open(stream: EventStream) {
    stream.every(5, 'tick')
    stream.after(1, 'once')
    await turn()
    return `open ${here()}`
  }
  #ticks = 0
  async info(message: string) {
    if (message === 'tick' && ++this.#ticks > 2) return undefined
    const at = here()
    await turn()
    assert.equal(here(), at)
    assert.ok(!(currentContext() instanceof RequestContext))
    return `${message} ${at} ${currentContext()?.params.id} ${this.stream.params.id}`
  }
  close() {
    note('close')
  }
}

@WebSocket('/socket/:id')
class Sockets {
  constructor(private readonly socket: Socket) {}
  static all = new Map<string, Socket>()
  open() {
    Sockets.all.set(this.socket.params.id ?? '', this.socket)
    return `open ${here()}`
  }
  @On('where') async where() {
    const context = currentContext()
    await turn()
    return [here(), currentContext() === context, context instanceof MessageContext && context.event]
  }
  async message(frame: string | Buffer) {
    await turn()
    return `${frame} ${here()}`
  }
  @On('tell') tell() {
    const other = Sockets.all.get('other')
    other?.tell('told')
    return here()
  }
  @On('end') end() {
    Sockets.all.get('other')?.close()
    return here()
  }
  info(message: string) {
    return `${message} ${here()}`
  }
  close() {
    note('close')
  }
}

const controllers = [Pages, Actor, Sockets]
const kept: ApplicationOptions = { asyncContext: true }

test('without the option it says what it needs', async t => {
  @Controller()
  class Asking {
    @Get() ask() {
      return here()
    }
  }
  const { port, log } = await serve(t, { controllers: [Asking] })
  assert.equal((await send(port, 'GET /')).status, 500)
  assert.match(String(log[0]?.details), /currentContext\(\) needs bootstrap\(AppModule, \{ asyncContext: true \}\)/)
})

describe('currentContext', () => {
  test('is undefined outside of exchanges', async t => {
    await serve(t, { controllers }, kept)
    assert.equal(currentContext(), undefined)
  })

  test('reaches handlers, what they await, their timers and their generators', async t => {
    const { port } = await serve(t, { controllers }, kept)
    assert.equal((await send(port, 'GET /plain')).text, '/plain')
    assert.deepEqual((await send(port, 'GET /later')).json(), Array(4).fill('/later'))
    assert.equal((await send(port, 'GET /items/1')).text, '/items/1/items/1/items/1')
    assert.deepEqual((await send(port, 'POST /body/1', { body: { a: 1 } })).json(), { same: true })
    seen.length = 0
    const peer = await StreamPeer.open(port, '/endless/1')
    await peer.hears('/endless/1\n')
    peer.raw.destroy()
    await eventually('the generator was let go', () => seen.length > 0)
    assert.deepEqual(seen, ['finally /endless/1'])
  })

  test('keeps concurrent exchanges apart, and those that share a connection', async t => {
    const { port } = await serve(t, { controllers }, kept)
    const ids = Array.from({ length: 20 }, (_, index) => index)
    const answers = await Promise.all(ids.map(id => send(port, `GET /items/${id}`)))
    assert.deepEqual(
      answers.map(({ text }) => text),
      ids.map(id => `/items/${id}`.repeat(3)),
    )
    const peer = await RawPeer.connect(port)
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    for (const path of ['/later', '/plain', '/items/1']) {
      await peer.write(get(path))
      await peer.readUntil(path === '/items/1' ? '0\r\n\r\n' : `${path}${path === '/later' ? '"]' : ''}`)
    }
    await peer.write(get('/items/7') + get('/items/8'))
    const first = await peer.readUntil('0\r\n\r\n')
    const second = await peer.readUntil('0\r\n\r\n')
    assert.deepEqual(
      [first.match(/\/items\/\d/g), second.match(/\/items\/\d/g)],
      [Array(3).fill('/items/7'), Array(3).fill('/items/8')],
    )
    peer.destroy()
  })

  test('reaches an event source: open, timers, info and close', async t => {
    const { port, app } = await serve(t, { controllers }, kept)
    seen.length = 0
    const peers = await Promise.all(['a', 'b'].map(id => StreamPeer.open(port, `/actor/${id}`)))
    for (const [index, peer] of peers.entries()) {
      const id = ['a', 'b'][index]
      const path = `/actor/${id}`
      await eventually('its timers have run', () => peer.read().data.length === 4)
      assert.deepEqual([...peer.read().data].sort(), [
        `once ${path} ${id} ${id}`,
        `open ${path}`,
        `tick ${path} ${id} ${id}`,
        `tick ${path} ${id} ${id}`,
      ])
    }
    for (const peer of peers) peer.raw.destroy()
    await eventually('both are gone', () => app.connections === 0)
    assert.deepEqual(seen.sort(), ['close /actor/a', 'close /actor/b'])
  })

  test('reaches a streaming method on every next, its signal and its finally', async t => {
    const { port } = await serve(t, { controllers }, kept)
    seen.length = 0
    const peers = await Promise.all([1, 2].map(id => StreamPeer.open(port, `/stream/${id}`)))
    for (const [index, peer] of peers.entries()) await peer.hears(`/stream/${index + 1}\n\n`)
    bus.emit('go')
    for (const [index, peer] of peers.entries())
      await eventually(
        'the second came',
        () => peer.read().data.length === 2 && peer.read().data[1] === `/stream/${index + 1}`,
      )
    for (const peer of peers) peer.raw.destroy()
    await eventually('both are let go', () => seen.length === 4)
    assert.deepEqual(seen.sort(), ['abort /stream/1', 'abort /stream/2', 'finally /stream/1', 'finally /stream/2'])
  })

  test('reaches the messages of a socket, each with its own', async t => {
    const { port, app } = await serve(t, { controllers }, kept)
    seen.length = 0
    const one = await WebSocketPeer.open(port, '/socket/one')
    const other = await WebSocketPeer.open(port, '/socket/other')
    assert.equal(await one.readText(), 'open /socket/one')
    assert.equal(await other.readText(), 'open /socket/other')
    await one.send('text', '{"event":"where","ack":1}')
    assert.deepEqual(await one.readJson(), { ack: 1, data: ['/socket/one', true, 'where'] })
    await one.send('text', 'raw')
    assert.equal(await one.readText(), 'raw /socket/one')
    await one.send('text', '{"event":"tell","ack":2}')
    assert.equal(await other.readText(), 'told /socket/other', 'what one tells another runs as the other')
    assert.deepEqual(await one.readJson(), { ack: 2, data: '/socket/one' })
    await one.send('text', '{"event":"end","ack":3}')
    assert.deepEqual(await one.readJson(), { ack: 3, data: '/socket/one' })
    await other.agree()
    one.raw.destroy()
    await eventually('both are gone', () => app.connections === 0)
    assert.deepEqual(seen, ['close /socket/other', 'close /socket/one'])
  })

  test('goes along with the storage of whoever mounts the application', async t => {
    const outer = new AsyncLocalStorage<string>()
    const app = await bootstrap(moduleOf({ controllers }), { listen: false, ...kept })
    t.after(() => app.close({ deadline: 0 }))
    const { createServer } = await import('node:http')
    const server = createServer((request, response) => outer.run('outer', () => app.handler(request, response)))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    assert.equal((await send(port, 'GET /plain')).text, '/plain')
  })
})

describe('B3: a connection keeps nothing of its request', () => {
  const contexts: WeakRef<Context>[] = []
  const requests: WeakRef<IncomingMessage>[] = []
  const note = (context: Context) => {
    contexts.push(new WeakRef(context))
    requests.push(new WeakRef((context as RequestContext).request))
    return true
  }

  for (const path of ['/actor/a', '/stream/a', '/socket/a']) {
    test(path, async t => {
      contexts.length = requests.length = 0
      const { port } = await serve(t, { controllers }, { ...kept, guards: [note] })
      const isSocket = path.startsWith('/socket')
      const peer = isSocket ? await WebSocketPeer.open(port, path) : await StreamPeer.open(port, path)
      await eventually('its context is collected', () => {
        collectGarbage()
        const left = isSocket ? [...contexts, ...requests] : contexts
        return left.length > 0 && left.every(each => each.deref() === undefined)
      })
      peer.raw.destroy()
    })
  }
})
