import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConnectionRegistry,
  Controller,
  createPublisher,
  EventLogUnavailableError,
  EventStream,
  MemoryEventLog,
  Param,
  Post,
  Registry,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { type LogLine, serve } from '../support/serve.js'
import { WebSocketPeer } from '../support/websocket-peer.js'

@Registry('news')
class News extends ConnectionRegistry<{ said: unknown }> {}

/** A log whose server is away for good. */
class AwayLog extends MemoryEventLog {
  override append = () => this.#away()
  override notify = () => this.#away()

  async #away(): Promise<never> {
    throw new EventLogUnavailableError('news', 'refused')
  }
}

const unsayable = { n: 1n } as unknown as string

const ways: Record<string, (news: News) => Promise<unknown>> = {
  send: news => news.to('a').send('said', 1),
  'volatile send': news => news.to('a').volatile().send('said', 1),
  broadcast: news => news.broadcast('said', 1),
  tell: news => news.tell('a', 1),
  'tell of a target': news => news.to('a').tell(1),
  disconnect: news => news.disconnect('a'),
  'send of what has no JSON form': news => news.to('a').send('said', unsayable),
  'tell of what has no JSON form': news => news.tell('a', unsayable),
  'join of nobody': news => news.join(undefined as never, 'a'),
}

@Controller()
class Desk {
  constructor(private readonly news: News) {}

  @Post('/unawaited/:way')
  unawaited(@Param('way') way: string) {
    void ways[way]?.(this.news)
    return 'on'
  }

  @Post('/awaited/:way')
  async awaited(@Param('way') way: string) {
    await ways[way]?.(this.news)
    return 'never'
  }

  @Post('/caught/:way')
  async caught(@Param('way') way: string) {
    return ways[way]?.(this.news).catch(() => 'caught')
  }
}

/** An unhandled rejection fails this file. */
describe('a send that nobody waits for ends nothing', () => {
  for (const way of Object.keys(ways)) {
    test(`${way}: it is logged, once; who waits for it hears of it`, async t => {
      const options = { eventLog: (_name: string, retention: never) => new AwayLog(retention) }
      const { port, log } = await serve(t, { controllers: [Desk], providers: [News] }, options as never)
      const path = encodeURIComponent(way)
      assert.equal((await send(port, `POST /unawaited/${path}`)).text, 'on')
      await eventually('one line in the log', () => log.length === 1)
      assert.equal(log[0]?.message, 'News: what nobody waited for failed')
      const awaited = await send(port, `POST /awaited/${path}`)
      assert.ok(awaited.status >= 500)
      assert.equal((await send(port, `POST /caught/${path}`)).text, 'caught')
      const told = log.filter(({ message }) => message.startsWith('News'))
      assert.equal(told.length, 1)
    })
  }

  test('by an event stream, which goes on', async t => {
    @Sse('/unsayable')
    class Unsayable {
      open(stream: EventStream) {
        void stream.send(undefined)
        void stream.send({ data: unsayable })
        return 'on'
      }
    }
    const { port, log } = await serve(t, { controllers: [Unsayable] })
    const peer = await RawPeer.connect(port)
    t.after(() => peer.destroy())
    await peer.write('GET /unsayable HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.readUntil('data: on')
    await eventually('both in the log', () => log.length === 2)
    for (const line of log) assert.equal(line.message, 'Unsayable sent what cannot be sent')
    assert.match(String(log[0]?.details), /undefined/)
  })

  test('by a socket, which goes on', async t => {
    @WebSocket('/unsayable')
    class Unsayable {
      constructor(private readonly socket: Socket) {}
      message() {
        void this.socket.send(unsayable)
        return 'on'
      }
    }
    const { port, log } = await serve(t, { controllers: [Unsayable] })
    const peer = await WebSocketPeer.open(port, '/unsayable')
    t.after(() => peer.raw.destroy())
    await peer.send('text', 'x')
    assert.equal(await peer.readText(), 'on')
    await eventually('it in the log', () => log.length === 1)
    assert.match(log[0]?.message ?? '', /^\w* ?Unsayable sent what cannot be sent$/)
  })

  test('by a publisher', async () => {
    const log: LogLine[] = []
    const note = (level: LogLine['level']) => (message: string, details: unknown) =>
      log.push({ level, message, details })
    const logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
    const retention = { count: 1, bytes: 1, age: 1 }
    const publisher = await createPublisher(News, new AwayLog(retention as never), { logger })
    void publisher.to('a').send('said', 1)
    void publisher.tell('a', 1)
    void publisher.disconnect('a')
    await eventually('all in the log', () => log.length === 3)
    await assert.rejects(publisher.broadcast('said', 1), EventLogUnavailableError)
  })
})

test('what is no connection, and what is no time, is told with its cure', async t => {
  @Sse('/times')
  class Times {
    open(stream: EventStream) {
      stream.every(Number.NaN, 'tick')
    }
  }
  const { app, port, log } = await serve(t, { controllers: [Times], providers: [News] })
  await assert.rejects(app.get(News).join({} as never, 'a'), {
    name: 'TypeError',
    message: 'join takes a connection first, and an object is none: give it the EventStream or the Socket',
  })
  assert.equal((await send(port, 'GET /times', { headers: { Accept: 'text/event-stream' } })).status, 500)
  assert.equal(
    String(log[0]?.details),
    'TypeError: every takes milliseconds first, and NaN are none: write every(1000, message)',
  )
})
