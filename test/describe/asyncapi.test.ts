import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket as Peer } from 'ws'
import { z } from 'zod'
import { asyncapi, type JsonSchema } from '../../src/describe/index.js'
import {
  ConnectionRegistry,
  type Context,
  Controller,
  Data,
  EventStream,
  Get,
  Guard,
  Header,
  notFound,
  On,
  oneOf,
  Param,
  Query,
  Registry,
  readRoutes,
  Socket,
  Sse,
  upgrade,
  WebSocket,
} from '../../src/index.js'
import { moduleOf } from '../support/apps.js'
import { checkAsync, fits } from '../support/documents.js'
import { serveSuite } from '../support/serve.js'

const info = { title: 'Boards', version: '1.0.0' }
const Stroke = z.object({ x: z.number(), y: z.number().default(0) }).meta({ id: 'Stroke' })

@Registry('boards', { events: { stroke: Stroke, cleared: z.null() } })
class Boards extends ConnectionRegistry<{ stroke: z.output<typeof Stroke>; cleared: null }> {}

@Registry('people')
class People extends ConnectionRegistry {}

class Painter {
  static readonly security = {
    token: { type: 'apiKey', in: 'query', name: 'token' },
    login: {
      type: 'oauth2',
      flows: { clientCredentials: { tokenUrl: 'https://example.org/token', scopes: { paint: 'to paint' } } },
    },
  } as const

  admit(context: Context) {
    return context.query.token === 'secret'
  }
}

@WebSocket('/boards/:board', { protocols: ['paint'], summary: 'A board', tags: ['Boards'] })
@Guard(Painter)
class Board {
  constructor(
    readonly boards: Boards,
    readonly socket: Socket<'board'>,
  ) {}

  open(@Query('token') _token: string, @Header('X-Shelf') _shelf: string) {
    return this.boards.join(this.socket, this.socket.params.board)
  }

  @On('stroke', Stroke, { summary: 'Draws', output: z.object({ id: z.string() }) })
  async stroke(@Data() stroke: z.output<typeof Stroke>) {
    return { id: await this.boards.to(this.socket.params.board).send('stroke', stroke) }
  }

  @On('chat/clear', undefined, { deprecated: true })
  clear() {
    return notFound('nothing to clear')
  }
}

@Sse('/boards/:board/:kind?')
class Watcher {
  constructor(readonly boards: Boards) {}

  open(stream: EventStream, @Param('board') board: string, @Query('kind', oneOf('a', 'b')) _kind: 'a' | 'b') {
    return this.boards.join(stream, board)
  }
}

@Sse('/people', { output: z.object({ hello: z.string() }), host: ':tenant.example.com' })
class Visitors {
  constructor(readonly people: People) {}
  open(_: EventStream) {
    return { hello: 'you' }
  }
}

@WebSocket()
class Live {
  message(frame: string | Buffer) {
    return frame
  }
}

@Controller('/')
class Doors {
  @Get('/live', { upgrade: [Live] })
  live() {
    return upgrade(Live)
  }
}

const controllers = [Board, Watcher, Visitors, Live, Doors]
const providers = [Boards, People]
const document = asyncapi(readRoutes(moduleOf({ controllers, providers })), info)
const { channels, operations } = document

/** The payload of a message, as the document has it. */
const payload = (channel: string, message: string): JsonSchema => {
  const found = channels[channel]?.messages[message]
  assert.ok(found, `no ${message} among ${Object.keys(channels[channel]?.messages ?? {})}`)
  return found.payload
}

describe('asyncapi', () => {
  test('is a valid document, also of nothing', () => {
    checkAsync(document)
    checkAsync(asyncapi([], info))
  })

  test('tells sockets and event streams where they stand: requests have no place in it', () => {
    const addresses = Object.entries(channels).map(([name, { address }]) => [name, address])
    assert.deepEqual(addresses, [
      ['Board', '/boards/{board}'],
      ['Watcher', '/boards/{board}/{kind}'],
      ['Watcher.2', '/boards/{board}'],
      ['Visitors', '/people'],
      ['Live', '/live'],
    ])
    assert.deepEqual([channels.Board?.summary, channels.Board?.tags], ['A board', [{ name: 'Boards' }]])
    assert.deepEqual(channels.Visitors?.servers, [{ $ref: '#/servers/http.tenant.example.com' }])
    assert.deepEqual(document.servers, {
      'http.tenant.example.com': {
        host: '{tenant}.example.com',
        protocol: 'http',
        variables: { tenant: { default: 'tenant' } },
      },
    })
  })

  test('tells what peers send by the @On handlers, and what acknowledges it', () => {
    const { 'Board.stroke': stroke, 'Board.clear': clear } = operations
    assert.deepEqual(stroke, {
      action: 'receive',
      channel: { $ref: '#/channels/Board' },
      security: [{ $ref: '#/components/securitySchemes/token' }, { $ref: '#/components/securitySchemes/login' }],
      summary: 'Draws',
      messages: [{ $ref: '#/channels/Board/messages/stroke' }],
      reply: {
        channel: { $ref: '#/channels/Board' },
        messages: [{ $ref: '#/channels/Board/messages/stroke.ack' }],
      },
    })
    assert.deepEqual(clear?.messages, [{ $ref: '#/channels/Board/messages/chat_clear' }])
    const { required } = payload('Board', 'stroke')
    assert.deepEqual([required, payload('Board', 'chat_clear').required], [['event', 'data'], ['event']])
    const { name, deprecated } = channels.Board?.messages.chat_clear ?? {}
    assert.deepEqual([name, deprecated], ['chat/clear', true])
    assert.deepEqual(operations['Live.message']?.messages, [{ $ref: '#/channels/Live/messages/frame' }])
  })

  test('tells what they are sent: by registries, by handlers, and of where they stand', () => {
    const sent = (name: string) => operations[name]?.messages.map(({ $ref }) => $ref.split('/').at(-1))
    assert.deepEqual(sent('Board'), ['stroke.2', 'cleared', 'gap', 'place', 'error'])
    assert.deepEqual(sent('Watcher'), ['stroke', 'cleared', 'gap', 'place', 'error'])
    assert.deepEqual(sent('Visitors'), ['people', 'event', 'gap', 'place', 'error'])
    assert.deepEqual(sent('Live'), ['answer'])
  })

  test('tells of events their type and their id as headers, and their data as what they are', () => {
    const { stroke, gap } = channels.Watcher?.messages ?? {}
    assert.deepEqual(stroke?.headers, {
      type: 'object',
      properties: { event: { type: 'string', const: 'stroke' }, id: { type: 'string' } },
      required: ['event'],
    })
    assert.deepEqual(stroke?.payload, { $ref: '#/components/schemas/StrokeOutput' })
    assert.deepEqual(gap?.headers?.properties, { event: { type: 'string', const: 'gap' } })
  })

  test('tells what opens a connection', () => {
    const text = { type: 'string' }
    const last = channels.Board?.bindings?.ws.query as { properties: { lastEventId: { type: string } } }
    assert.equal(last.properties.lastEventId.type, 'string')
    assert.deepEqual(channels.Board?.bindings?.ws.headers, {
      type: 'object',
      properties: { 'x-shelf': text, 'Sec-WebSocket-Protocol': { ...text, enum: ['paint'] } },
    })
    const { query } = (operations.Watcher?.bindings?.http ?? {}) as { query?: { required: string[] } }
    assert.deepEqual(query?.required, ['kind'])
  })
})

describe('what goes over a wire is what asyncapi tells', () => {
  const served = serveSuite({ controllers, providers })

  test('of a socket, both ways', async t => {
    const peer = new Peer(`ws://127.0.0.1:${served.port}/boards/a?token=secret`, 'paint')
    t.after(() => peer.terminate())
    const frames = on(peer, 'message')
    await once(peer, 'open')
    for (const [key, message] of [
      ['stroke', { event: 'stroke', data: { x: 1 }, ack: 7 }],
      ['chat_clear', { event: 'chat/clear', ack: 'b' }],
      ['chat_clear', { event: 'chat/clear' }],
    ] as const) {
      assert.ok(fits(document, payload('Board', key), message))
      peer.send(JSON.stringify(message))
    }
    const heard: string[] = []
    for await (const [data] of frames) {
      const message = JSON.parse(String(data))
      const keys = ['stroke.2', 'stroke.ack', 'chat_clear.ack', 'gap', 'place', 'error']
      heard.push(keys.filter(key => fits(document, payload('Board', key), message)).join(' '))
      if (heard.length === 5) break
    }
    const anyAck = 'stroke.ack chat_clear.ack' // an error may acknowledge both, and what `clear` answers may be anything
    assert.deepEqual(heard.sort(), ['error', 'place', 'stroke.2', anyAck, anyAck])
    assert.ok(!fits(document, payload('Board', 'stroke'), { event: 'stroke', data: { x: 'far' } }))
  })

  test('of an event stream', async t => {
    const ended = new AbortController()
    t.after(() => ended.abort())
    const response = await fetch(`http://127.0.0.1:${served.port}/boards/b?kind=a`, { signal: ended.signal })
    assert.equal(response.status, 200)
    const boards = served.app.get(Boards)
    await boards.to('b').send('stroke', { x: 1, y: 2 })
    await boards.to('b').send('cleared')
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true })
      if (text.includes('cleared') && text.endsWith('\n\n')) break
    }
    const events = [...text.matchAll(/^event: (\w+)\n(?:id: .*\n)?data:(.*)$/gm)]
    assert.deepEqual(
      events.map(([, event]) => event),
      ['place', 'stroke', 'cleared'],
    )
    for (const [, event = '', data = ''] of events.slice(1))
      assert.ok(fits(document, payload('Watcher', event), JSON.parse(data)), `${event} ${data}`)
  })
})
