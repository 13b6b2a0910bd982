/** The only file that knows the `ws` package: it does the handshake, receives, and speaks control frames. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { corkForTurn } from '../connections/sink.js'
import type { WebSocketOptions } from '../declare/routes.js'
import { badRequest } from '../errors.js'
import { isOver, isShared, type Lane, laneOf } from '../pipeline/lane.js'
import { unwatch } from '../pipeline/lane-watch.js'
import { ANY_KEY, closeBothWays, onSocket, onStream } from './answer.js'
import { windowOf } from './deflate.js'
import { DeflatedWire } from './deflated-wire.js'
import { DirectWire, type Ws } from './direct-wire.js'
import type { Wire, WireEvents } from './open-wire.js'

/** The peer's side, for tests: as much of it as they need. */
export interface PeerSocket {
  readonly protocol: string
  on(event: string, listener: (...args: never[]) => void): this
  send(frame: string | Uint8Array): void
  close(code: number, text: string): void
  terminate(): void
}

export function connectPeer(
  address: URL,
  protocols: readonly string[],
  headers: Readonly<Record<string, string>>,
): PeerSocket {
  return new WebSocket(address, [...protocols], { headers })
}

/**
 * Answers the opening handshake with 101, or 200 on HTTP/2, and takes the lane over from the response; `head` is what
 * the peer sent right behind its request. Undefined where the peer has gone meanwhile.
 * @throws HttpError 400 for header fields that cannot be accepted, before anything was answered
 */
export type Accept = (response: ServerResponse, head: Buffer, events: WireEvents) => Wire | undefined

const MAX_PAYLOAD = 1_048_576
const CLOSE_TIMEOUT = 5000
const NOTHING = Buffer.alloc(0)
/** Of a socket that was accepted; the types of `ws` know only of those that connect. */
const NO_ADDRESS = null as unknown as string

export function makeAccept(options: WebSocketOptions): Accept {
  const { protocols = [], maxPayload = MAX_PAYLOAD, perMessageDeflate = false } = options
  const settings = {
    noServer: true,
    clientTracking: false,
    maxPayload,
    maxFragments: 1024,
    maxBufferedChunks: 16_384,
    closeTimeout: CLOSE_TIMEOUT,
    perMessageDeflate: perMessageDeflate && {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      threshold: 1024,
    },
    handleProtocols: (offered: ReadonlySet<string>) => protocols.find(protocol => offered.has(protocol)) ?? false,
  }
  const server = perMessageDeflate === false && isWired() ? wiredServer(settings) : heardServer(settings)
  /** For the handshake that is being answered: `ws` tells of its lines before `handleUpgrade` returns. */
  let answering: ((lines: string[]) => void) | undefined
  server.on('headers', lines => answering?.(lines))
  server.on('wsClientError', error => {
    throw badRequest(error.message)
  })
  return (response, head, events) => {
    if (isOver(response)) return undefined
    const lane = laneOf(response)
    const { request, answer } = isShared(lane) ? onStream(response, lane) : onSocket(response)
    let window = 0
    answering = lines => {
      if (perMessageDeflate) window = windowOf(lines)
      answer(lines)
      // Before `ws` listens: a list that had three listeners keeps room for nineteen.
      unwatch(lane)
      if (isShared(lane)) return
      response.detachSocket(lane)
      // What `open` sends, and the place in a room that it joins, leave with the 101: one system call of two (`scale-ws`).
      corkForTurn(lane)
    }
    let wire: DirectWire | undefined
    try {
      server.handleUpgrade(request, lane as Socket, head, (made: unknown) => {
        if (isShared(lane)) closeBothWays(lane)
        wire = made instanceof DirectWire ? made : adopt(made as HeardWebSocket, lane, window)
      })
    } finally {
      answering = undefined
    }
    wire?.tell(events)
    return wire
  }
}

function heardServer(settings: ServerOptions): WebSocketServer {
  return new WebSocketServer({ ...settings, WebSocket: HeardWebSocket })
}

function adopt(ws: HeardWebSocket, lane: Lane, window: number): DirectWire {
  const wire = ws.extensions === '' ? new DirectWire() : new DeflatedWire(window)
  ws.wire = wire
  wire.adopt(ws, lane)
  return wire
}

/** What `ws` does when it has answered a handshake: its documentation promises nothing of it. */
interface Wired {
  setSocket(lane: Lane, head: Buffer, options: ServerOptions): void
}

/** A server whose sockets read by themselves what they can, and make a `WebSocket` of `ws` when they cannot. */
function wiredServer(settings: ServerOptions): WebSocketServer {
  const server: WebSocketServer = new WebSocketServer({
    ...settings,
    WebSocket: class extends DirectWire {
      protected override get maxPayload(): number {
        return settings.maxPayload ?? MAX_PAYLOAD
      }

      protected override takeOver(lane: Lane): Ws {
        const ws = new HeardWebSocket(NO_ADDRESS, undefined, server.options as object)
        ws.wire = this
        ;(ws as unknown as Wired).setSocket(lane, NOTHING, server.options)
        return ws
      }
    } as unknown as typeof WebSocket,
  })
  return server
}

let works: boolean | undefined

/** Whether this version of `ws` does what is expected of it, on a lane that leads nowhere: found out once. */
function isWired(): boolean {
  works ??= tryOut()
  return works
}

function tryOut(): boolean {
  const lane = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const headers = { upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': ANY_KEY }
  const heard: string[] = []
  try {
    const server = wiredServer({ noServer: true, clientTracking: false, maxPayload: 8 })
    server.handleUpgrade({ method: 'GET', headers } as IncomingMessage, lane, NOTHING, (made: unknown) => {
      const wire = made as DirectWire
      wire.tell({ ...deaf, received: data => heard.push(data.toString()) })
      wire.read(Buffer.concat([frameOf(0x81, 'a'), frameOf(0x01, 'b'), frameOf(0x80, 'c'), frameOf(0x81, 'd')]))
    })
  } catch {
    return false
  }
  lane.destroy()
  return heard.join() === 'a,bc,d'
}

const deaf: WireEvents = { received() {}, pinged() {}, ponged() {}, broken() {}, wireClosed() {} }

/** A frame of a peer, masked with zeros. */
function frameOf(head: number, text: string): Buffer {
  return Buffer.from([head, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)])
}

/** Tells its socket, and nobody else: an idle one has no table of listeners, and each message is one call. */
class HeardWebSocket extends WebSocket {
  wire: DirectWire | undefined

  override emit(name: string | symbol, ...given: readonly unknown[]): boolean {
    const events = this.wire?.events
    if (events === undefined) return false
    if (name === 'message') events.received(given[0] as Buffer, given[1] as boolean)
    else if (name === 'ping') events.pinged(given[0] as Buffer)
    else if (name === 'pong') events.ponged(given[0] as Buffer)
    else if (name === 'error') tellBroken(events, given[0] as NodeJS.ErrnoException)
    else if (name === 'close') events.wireClosed(given[0] as number, String(given[1]))
    return true
  }
}

function tellBroken(events: WireEvents, { code }: NodeJS.ErrnoException): void {
  const closeCode = closeCodeOf(code)
  if (closeCode !== undefined) events.broken(closeCode)
}

/** The close codes of what `ws` finds wrong with a message, where it is not 1002 (RFC 6455 §7.4.1). */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
}

/** Undefined for what is no fault of the peer's; zlib's codes tell of a message that cannot be inflated. */
function closeCodeOf(code = ''): number | undefined {
  return CLOSE_CODES[code] ?? (code.startsWith('WS_ERR_') ? 1002 : code.startsWith('Z_') ? 1007 : undefined)
}
