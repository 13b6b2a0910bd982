import { once } from 'node:events'
import { type Socket as NetSocket, connect as netConnect } from 'node:net'
import type { TestContext } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import {
  type Application,
  type ApplicationOptions,
  bootstrap,
  type Class,
  type CloseReason,
  Module,
  type Provider,
} from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'

export interface Served {
  readonly app: Application
  readonly port: number
  readonly origin: string
  /** What was logged as an error: the message and the error. */
  readonly errors: [message: string, error: unknown][]
}

export type ServeOptions = ApplicationOptions & { readonly providers?: readonly Provider[] }

/** Serves controllers and event sources on a port of their own, until the test ends. */
export async function serve(t: TestContext, controllers: Class[], options: ServeOptions = {}): Promise<Served> {
  const { providers = [], ...rest } = options
  @Module({ controllers, providers: [...providers] })
  class App {}
  const errors: Served['errors'] = []
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message: string, error: unknown) => void errors.push([message, error]),
  }
  const app = await bootstrap(App, {
    port: 0,
    host: '127.0.0.1',
    signals: false,
    logger,
    ...rest,
  } as ApplicationOptions)
  t.after(() => app.close({ deadline: 100 }))
  return { app, port: app.port, origin: `http://127.0.0.1:${app.port}`, errors }
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly version?: '1.0' | '1.1'
  readonly body?: string
}

/** The bytes of a request. */
export function requestText(path: string, { method = 'GET', headers = {}, version = '1.1', body }: Asked = {}): string {
  const fields = { Host: 'test', ...(body === undefined ? {} : { 'Content-Length': `${body.length}` }), ...headers }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n${body ?? ''}`
}

/** A raw peer that has asked for a path and read the head of the answer. */
export async function ask(port: number, path: string, asked: Asked = {}): Promise<{ peer: RawPeer; head: string }> {
  const peer = await RawPeer.connect(port)
  await peer.write(requestText(path, asked))
  return { peer, head: await peer.readUntil('\r\n\r\n') }
}

/** The content of a chunked message, and whether its final chunk has come (RFC 9112 §7.1). */
export function unchunk(received: string): { readonly text: string; readonly complete: boolean } {
  let text = ''
  let at = 0
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd === -1) return { text, complete: false }
    const size = Number.parseInt(received.slice(at, lineEnd), 16)
    if (Number.isNaN(size)) throw new Error(`no chunk: ${JSON.stringify(received.slice(at, at + 40))}`)
    const end = lineEnd + 2 + size
    if (received.length < end + 2) return { text, complete: false }
    if (size === 0) return { text, complete: true }
    text += received.slice(lineEnd + 2, end)
    at = end + 2
  }
}

/** Everything of a chunked stream, when its final chunk has come, or its connection has closed. */
export async function wholeStream(peer: RawPeer): Promise<{ readonly text: string; readonly complete: boolean }> {
  let isClosed = false
  peer.closed.then(() => {
    isClosed = true
  })
  return eventually('the stream is over', () => {
    const heard = unchunk(peer.received)
    return heard.complete || isClosed ? heard : undefined
  })
}

/** What a real parser makes of an event stream. */
export function parse(text: string): { events: EventSourceMessage[]; comments: string[]; retries: number[] } {
  const events: EventSourceMessage[] = []
  const comments: string[] = []
  const retries: number[] = []
  const parser = createParser({
    onEvent: event => events.push(event),
    onComment: comment => comments.push(comment),
    onRetry: retry => retries.push(retry),
    onError(error) {
      throw error
    },
  })
  parser.feed(text)
  return { events, comments, retries }
}

/** A connection that has sent a request: what it gets first, as the kernel hands it over. */
export async function firstPacket(port: number, path: string, asked: Asked = {}): Promise<string> {
  const socket: NetSocket = netConnect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write(requestText(path, asked))
  const [packet] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return packet.toString('latin1')
}

/** Keeps what `close` was called with. */
export class Closes {
  readonly reasons: CloseReason[] = []

  note(reason: CloseReason): void {
    this.reasons.push(reason)
  }

  /** The kind of the first reason, when it has come. */
  async first(): Promise<CloseReason['kind']> {
    const { kind } = await eventually('close was called', () => this.reasons[0])
    return kind
  }
}
