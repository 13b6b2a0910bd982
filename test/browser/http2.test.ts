/** HTTP/2 as Chromium speaks it: pages, event streams and WebSockets share one connection. */
import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import {
  type CloseReason,
  Controller,
  EventStream,
  Get,
  html,
  type Middleware,
  type RequestContext,
  Socket,
  Sse,
  unauthorized,
  WebSocket,
} from '../../src/index.js'
import { type Served, start } from '../support/app.js'
import { browserTest } from '../support/chromium.js'
import { eventually } from '../support/eventually.js'
import { tls } from '../support/wires.js'

const reasons: CloseReason['kind'][] = []

@Controller()
class Page {
  @Get('/') page() {
    return html('<title>HTTP/2</title>')
  }
}

@Sse('/events/:name')
class Events {
  open(stream: EventStream) {
    return `hello ${stream.params.name}`
  }
  close({ kind }: CloseReason) {
    reasons.push(kind)
  }
}

@WebSocket('/echo/:name', { protocols: ['chat'], perMessageDeflate: true })
class Echo {
  constructor(private readonly socket: Socket) {}
  message(frame: string | Buffer) {
    return typeof frame === 'string' ? `${this.socket.params.name}: ${frame}` : frame
  }
  close({ kind }: CloseReason) {
    reasons.push(kind)
  }
}

const protocols = new Set<string>()
const connections = new Set<number | undefined>()
const noteConnection: Middleware = (request, _response, next) => {
  protocols.add(request.httpVersion)
  connections.add(request.socket.remotePort)
  next()
}
const guarded = ({ query }: RequestContext) => query.refuse === undefined || unauthorized()

let served: Served
let url: string
before(async () => {
  const controllers = [Page, Events, Echo]
  const guards = [guarded as never]
  served = await start(controllers, { tls, http2: true, use: [noteConnection], guards })
  url = `https://127.0.0.1:${served.port}`
})
after(() => served.app.close())

browserTest(
  'P4: 100 event streams and 100 WebSockets share one connection of Chromium with their page',
  async page => {
    connections.clear()
    protocols.clear()
    reasons.splice(0)
    await page.goto(url)
    const protocol = await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert.equal(protocol, 'h2')
    const heard = await page.evaluate(`(() => {
      const indexes = [...Array(100).keys()]
      streams = indexes.map(index => new EventSource('/events/e' + index))
      sockets = indexes.map(index => new WebSocket('wss://' + location.host + '/echo/s' + index, 'chat'))
      const events = streams.map(stream => new Promise(resolve => {
        stream.onmessage = event => resolve(event.data)
      }))
      const messages = sockets.map(socket => new Promise((resolve, reject) => {
        socket.onopen = () => socket.send('hi')
        socket.onmessage = event => resolve(socket.protocol + ' ' + event.data)
        socket.onclose = ({ code }) => reject(new Error('closed with ' + code))
      }))
      return Promise.all([...events, ...messages])
    })()`)
    const numbers = Array.from({ length: 100 }, (_, index) => index)
    assert.deepEqual(heard, [...numbers.map(index => `hello e${index}`), ...numbers.map(index => `chat s${index}: hi`)])
    assert.equal(served.app.connections, 200)
    assert.deepEqual([...protocols], ['2.0'])
    assert.equal(connections.size, 1)

    const closed = await page.evaluate(`(() => {
      for (const stream of streams) stream.close()
      const ends = sockets.map(socket => new Promise(resolve => {
        socket.onclose = ({ code, wasClean }) => resolve([code, wasClean])
      }))
      for (const socket of sockets) socket.close(4000, 'bye')
      return Promise.all(ends)
    })()`)
    assert.deepEqual(
      closed,
      numbers.map(() => [4000, true]),
    )
    await eventually('all have left', () => served.app.connections === 0)
    assert.deepEqual(new Set(reasons), new Set(['peer']))
  },
  { ignoreHTTPSErrors: true },
)

browserTest(
  'large messages go both ways compressed, and a refused WebSocket is closed with 1006',
  async page => {
    await page.goto(url)
    const heard = (await page.evaluate(`(async () => {
      const socket = new WebSocket('wss://' + location.host + '/echo/large')
      socket.binaryType = 'arraybuffer'
      await new Promise(resolve => { socket.onopen = resolve })
      const bytes = new Uint8Array(900_000).map((_, index) => index % 251)
      const answer = new Promise(resolve => { socket.onmessage = event => resolve(new Uint8Array(event.data)) })
      socket.send(bytes)
      const heard = await answer
      const same = heard.length === bytes.length && heard.every((byte, index) => byte === bytes[index])
      const refused = new WebSocket('wss://' + location.host + '/echo/refused?refuse=1')
      const code = await new Promise(resolve => { refused.onclose = event => resolve(event.code) })
      return { extensions: socket.extensions, same, code }
    })()`)) as { extensions: string; same: boolean; code: number }
    assert.match(heard.extensions, /permessage-deflate/)
    assert.deepEqual([heard.same, heard.code], [true, 1006])
  },
  { ignoreHTTPSErrors: true, allow: [/WebSocket connection to .* failed/] },
)
