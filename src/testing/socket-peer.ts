import type { IncomingMessage } from 'node:http'
import { HttpError } from '../errors.js'
import { connectPeer, type PeerSocket } from '../websocket/wire.js'
import { type Addressed, addressOf, Inbox, type PeerOptions, type Received, readData } from './inbox.js'

/** What a `SocketPeer` asks with. */
export interface SocketPeerOptions extends PeerOptions {
  /** Subprotocols that it offers (RFC 6455 §1.9). @default none */
  readonly protocols?: readonly string[]
}

interface Waiting {
  resolve(data: unknown): void
  reject(error: Error): void
}

/** A peer of a socket, for tests: it asks for the next message, waits for answers, and does not come back by itself. (RFC 6455) */
export class SocketPeer implements AsyncDisposable {
  /** The close code and text that it heard; 1006 where it heard none (RFC 6455 §7.1.5). */
  readonly closed: Promise<{ readonly code: number; readonly text: string }>
  readonly #socket: PeerSocket
  readonly #inbox: Inbox
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  /** @internal */
  constructor(socket: PeerSocket, inbox: Inbox) {
    this.#socket = socket
    this.#inbox = inbox
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#hear(data, isBinary))
    socket.on('error', () => {}) // it closes, too
    this.closed = new Promise(resolve => {
      socket.on('close', (code: number, text: Buffer) => {
        inbox.end(`the socket was closed (${code})`)
        for (const { reject } of this.#waiting.values()) reject(new Error(`the socket was closed (${code}) unanswered`))
        resolve({ code, text: String(text) })
      })
    })
  }

  /** The id of the last message that carried one: for `lastEventId`, when it comes back. */
  get lastEventId(): string | undefined {
    return this.#inbox.lastEventId
  }

  /** The subprotocol that was agreed on; empty where there is none. */
  get protocol(): string {
    return this.#socket.protocol
  }

  /**
   * Says an event to its `@On` handler; answers what that acknowledges.
   * @throws HttpError where the handler refused, Error where no answer comes in time, or the socket is closed
   */
  async ask(event: string, data?: unknown): Promise<unknown> {
    if (this.#inbox.over !== undefined) throw new Error(`${this.#inbox.over} before ${event} was asked`)
    const ack = ++this.#asked
    const answer = new Promise((resolve, reject) => this.#waiting.set(ack, { resolve, reject }))
    try {
      this.send(JSON.stringify({ event, data, ack }))
      return await this.#inbox.inTime(answer, `${event} was not answered`)
    } finally {
      this.#waiting.delete(ack)
    }
  }

  /** Sends a frame as it is: text, or bytes. */
  send(frame: string | Uint8Array): void {
    this.#socket.send(frame)
  }

  /** The next message of this name, or whatever comes next; what came before is passed over. @throws Error where it does not come in time */
  next(event?: string): Promise<Received> {
    return this.#inbox.next(event)
  }

  /** Says goodbye, and waits for the answer. */
  async close(code = 1000, text = ''): Promise<void> {
    this.#socket.close(code, text)
    await this.closed
  }

  /** Goes without a word, as a peer that has lost its network. */
  async vanish(): Promise<void> {
    this.#socket.terminate()
    await this.closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #hear(bytes: Buffer, isBinary: boolean): void {
    if (isBinary) return this.#inbox.add({ event: undefined, data: bytes, id: undefined })
    const data = readData(String(bytes))
    const message = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>
    const { event, ack, id } = message as { event?: string; ack?: number; id?: string }
    const waiting = ack === undefined ? undefined : this.#waiting.get(ack)
    if (waiting !== undefined) return answer(waiting, message)
    if (event !== undefined) return this.#inbox.add({ event, data: message.data, id })
    const isPlace = typeof id === 'string' && Object.keys(message).length === 1
    if (isPlace) this.#inbox.lastEventId = id
    else this.#inbox.add({ event: undefined, data, id: undefined })
  }
}

function answer({ resolve, reject }: Waiting, { data, error }: Record<string, unknown>): void {
  if (error === undefined) return resolve(data)
  const {
    status,
    title,
    detail,
    type: _,
    ...extensions
  } = error as { status: number; title: string; detail?: string; type: string }
  reject(new HttpError(status, detail ?? title, { extensions }))
}

/**
 * Opens a socket of an application.
 * @throws Error where the handshake is refused, with its status and what it says
 */
export async function openSocket(app: Addressed, path: string, options: SocketPeerOptions = {}): Promise<SocketPeer> {
  const { headers = {}, lastEventId, patience = 5000, protocols = [] } = options
  const address = addressOf(app, path)
  address.protocol = address.protocol.replace('http', 'ws')
  if (lastEventId !== undefined) address.searchParams.set('lastEventId', lastEventId)
  const socket = connectPeer(address, protocols, headers)
  const peer = new SocketPeer(socket, new Inbox(`the socket of ${path}`, patience))
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve).on('error', reject)
    socket.on('unexpected-response', (_: unknown, response: IncomingMessage) => {
      let said = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      response.on('close', () => reject(new Error(`the socket of ${path} was refused: ${response.statusCode} ${said}`)))
    })
  })
  return peer
}
