/** The ways in which an exchange can reach an application, each with its peers. */
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ApplicationOptions } from '../../src/index.js'
import { type Certificate, makeCertificate } from './certificate.js'
import { StreamPeer } from './peers.js'
import { RawPeer } from './raw-peer.js'
import { handshake, WebSocketPeer } from './websocket-peer.js'

type Fields = Readonly<Record<string, string | undefined>>

/** What a peer of an event stream hears. */
export interface EventPeer {
  readonly raw: RawPeer
  hears(mark: string): Promise<void>
  /** Waits for the end: all of the text, and whether it came to its end, in place of being cut. */
  end(): Promise<{ readonly text: string; readonly whole: boolean }>
}

export interface Refused {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** One way. */
export interface Wire {
  readonly name: string
  readonly options: ApplicationOptions
  openStream(port: number, path: string): Promise<EventPeer>
  openSocket(port: number, path: string, fields?: Fields): Promise<WebSocketPeer>
  /** A handshake that is answered with something else. */
  refused(port: number, path: string, fields?: Fields): Promise<Refused>
}

const certificate = await makeCertificate()
export const tls: Certificate = certificate

const connectSecure = async (port: number): Promise<RawPeer> => {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
  const secure = connectTls({ socket, ca: tls.cert, ALPNProtocols: ['http/1.1'] })
  await once(secure, 'secureConnect')
  return RawPeer.over(secure, () => socket.resetAndDestroy())
}

function http1(name: string, options: ApplicationOptions, connect: (port: number) => Promise<RawPeer>): Wire {
  return {
    name,
    options,
    async openStream(port, path) {
      const peer = await StreamPeer.askOn(await connect(port), path)
      await peer.hears('\r\n\r\n')
      return peer
    },
    openSocket: async (port, path, fields = {}) => WebSocketPeer.upgrade(await connect(port), path, { fields }),
    async refused(port, path, fields = {}) {
      const raw = await connect(port)
      await raw.write(handshake(path, fields))
      await raw.closed
      const [head = '', text = ''] = raw.received.split('\r\n\r\n')
      const [line = '', ...lines] = head.split('\r\n')
      const headers = Object.fromEntries(
        lines.map(each => [each.split(': ')[0]?.toLowerCase(), each.split(': ')[1]]),
      ) as IncomingHttpHeaders
      return { status: Number(line.split(' ')[1]), headers, text }
    },
  }
}

/** A connection of HTTP/2 that has heard the server's settings; `socket` is the one that it goes over. */
export async function openSession(
  port: number,
  scheme = 'https',
  socket = connectTcp({ port, host: '127.0.0.1', noDelay: true }),
): Promise<ClientHttp2Session> {
  const secure = () => connectTls({ socket, ca: tls.cert, ALPNProtocols: ['h2'] })
  const createConnection = () => (scheme === 'https' ? secure() : socket)
  const session = connectHttp2(`${scheme}://127.0.0.1:${port}`, { createConnection })
  session.on('error', () => {})
  sockets.set(session, socket)
  await once(session, 'remoteSettings')
  return session
}

const sockets = new WeakMap<ClientHttp2Session, Socket>()

/** An answer of HTTP/2, read to its end. */
export async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Buffer) {
  return read(session.request(headers, { endStream: body === undefined }), body)
}

/** Reads what a stream answers. */
export async function read(stream: ClientHttp2Stream, body?: string | Buffer) {
  let text = ''
  let answered: IncomingHttpHeaders = {}
  stream.setEncoding('utf8')
  stream.on('response', headers => {
    answered = headers
  })
  stream.on('data', chunk => {
    text += chunk
  })
  stream.on('error', () => {})
  if (body !== undefined) stream.end(body)
  await new Promise(resolve => stream.once('close', resolve))
  return { status: Number(answered[':status']), headers: answered, text, code: stream.rstCode }
}

/** The fields of an extended CONNECT (RFC 8441 §5.1). */
export function extendedConnect(path: string, fields: Fields = {}): OutgoingHttpHeaders {
  return {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': path,
    'sec-websocket-version': '13',
    ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value])),
  }
}

/** Opens a WebSocket on a connection that may have others. */
export async function openSocketOn(
  session: ClientHttp2Session,
  path: string,
  fields: Fields = {},
  { endsItsHalf = true } = {},
): Promise<WebSocketPeer> {
  const stream = session.request(extendedConnect(path, fields), { endStream: false })
  const raw = RawPeer.over(stream, () => stream.close(constants.NGHTTP2_CANCEL))
  if (endsItsHalf) stream.once('end', () => stream.end())
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  if (Number(headers[':status']) !== 200) throw new Error(`the handshake was answered with ${headers[':status']}`)
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map(each => `${name}: ${each}\r\n`))
  return WebSocketPeer.over(raw, lines.join(''))
}

function http2(name: string, options: ApplicationOptions, scheme: string): Wire {
  const alone = async <T>(port: number, open: (session: ClientHttp2Session) => Promise<{ raw: RawPeer } & T>) => {
    const session = await openSession(port, scheme)
    const peer = await open(session)
    void peer.raw.closed.then(() => session.close())
    return peer
  }
  return {
    name,
    options,
    openStream: (port, path) => alone(port, session => openEvents(session, path)),
    openSocket: (port, path, fields) => alone(port, session => openSocketOn(session, path, fields)),
    async refused(port, path, fields) {
      const session = await openSession(port, scheme)
      const answer = await read(session.request(extendedConnect(path, fields), { endStream: false }))
      session.close()
      return answer
    },
  }
}

/** Opens an event stream on a connection that may have others. */
export async function openEvents(session: ClientHttp2Session, path: string): Promise<EventPeer> {
  const stream = session.request({ ':path': path, accept: 'text/event-stream' })
  const raw = RawPeer.over(stream, () => sockets.get(session)?.resetAndDestroy())
  await once(stream, 'response')
  return {
    raw,
    async hears(mark) {
      const taken = await raw.readUntil(mark)
      raw.received = taken + raw.received
    },
    async end() {
      await raw.closed
      return { text: raw.received, whole: stream.rstCode === constants.NGHTTP2_NO_ERROR }
    },
  }
}

export const wires: readonly Wire[] = [
  http1('HTTP/1.1', {}, port => RawPeer.connect(port)),
  http1('HTTP/1.1 with TLS', { tls, http2: true }, connectSecure),
  http2('HTTP/2 with TLS', { tls, http2: true }, 'https'),
  http2('HTTP/2 without TLS', { http2: true }, 'http'),
]
