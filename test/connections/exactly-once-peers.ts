/** The peers of the exactly-once test, in a process of their own: event streams and sockets over plain TCP. */
import { connect, type Socket } from 'node:net'
import { EventReader, FrameReader, OPCODES, UPGRADE } from '../support/wire-format.js'

export interface Order {
  readonly port: number
  readonly streams: number
  readonly sockets: number
}

export interface Report {
  readonly reconnects: number
  readonly events: number
  /** Peers that have not seen the last event. */
  readonly behind: number
  /** How the connections of the first of these are. */
  readonly stuck: readonly string[]
  /** The first things that went wrong. */
  readonly wrong: readonly string[]
}

let reconnects = 0
let events = 0
const wrong: string[] = []

abstract class Peer {
  /** The number of the last event it saw. */
  seen = -1
  lastId = ''
  #socket: Socket | undefined
  /** What was read of it, and has no end yet. */
  #rest = ''

  constructor(
    readonly name: string,
    private readonly port: number,
  ) {}

  connect(): void {
    this.#rest = ''
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.write(this.request())
    socket.on('data', (text: unknown) => {
      this.#rest = this.read(`${this.#rest}${text}`)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      setTimeout(() => {
        if (this.#socket === socket) this.connect()
      }, 10)
    })
  }

  /**
   * Vanishes at once, whatever is on its way, and comes back with the id of what it saw last. Only where the server has
   * answered: connections that are given up before fill the line of those that wait to be accepted, and the kernel lets
   * who comes then believe that it is connected, for half a minute or more.
   */
  reconnect(): void {
    if (!this.#socket?.bytesRead) return
    reconnects++
    this.leave()
    this.connect()
  }

  leave(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.removeAllListeners('data').destroy()
  }

  /** Where it stands, and how its connection is. */
  get state(): string {
    const { readyState = 'left', localPort, bytesRead, bytesWritten, pending } = this.#socket ?? {}
    const read = `${bytesWritten} bytes written, ${bytesRead} read${pending ? ', pending' : ''}`
    return `${this.name} on port ${localPort}: ${this.seen} with ${this.lastId}, ${readyState}, ${read}`
  }

  protected took(event: string, data: unknown, id: string): void {
    if (id !== '') this.lastId = id
    if (event === 'tick') {
      events++
      if (data !== this.seen + 1) this.complain(`${data} after ${this.seen}`)
      this.seen = Number(data)
    } else if (event !== '') this.complain(`an event ${event}: ${JSON.stringify(data)}`)
  }

  protected complain(what: string): void {
    if (wrong.length < 20) wrong.push(`${this.name}: ${what}`)
  }

  protected abstract request(): string
  /** Answers what has no end yet. */
  protected abstract read(text: string): string
}

class StreamPeer extends Peer {
  readonly #reader = new EventReader(({ event, data, id }) => {
    this.took(event === 'place' ? '' : event, data === '' ? '' : JSON.parse(data), id)
  })

  protected request(): string {
    this.#reader.begin()
    const id = this.lastId === '' ? '' : `Last-Event-ID: ${this.lastId}\r\n`
    return `GET /ticks HTTP/1.1\r\nHost: localhost\r\n${id}\r\n`
  }

  protected read(text: string): string {
    return this.#reader.read(text)
  }
}

/** What is no text, as a close frame, says nothing of interest. */
class SocketPeer extends Peer {
  readonly #reader = new FrameReader((opcode, payload) => {
    const { event = '', data, id = '' } = opcode === OPCODES.text ? JSON.parse(payload) : {}
    this.took(event, data, id)
  })

  protected request(): string {
    this.#reader.begin()
    const query = this.lastId === '' ? '' : `?lastEventId=${encodeURIComponent(this.lastId)}`
    return `GET /ticks${query} HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`
  }

  protected read(text: string): string {
    return this.#reader.read(text)
  }
}

let peers: Peer[] = []
let restless: NodeJS.Timeout | undefined

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!condition() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 20))
}

async function begin({ port, streams, sockets }: Order): Promise<void> {
  peers = [
    ...Array.from({ length: streams }, (_, n) => new StreamPeer(`stream ${n}`, port)),
    ...Array.from({ length: sockets }, (_, n) => new SocketPeer(`socket ${n}`, port)),
  ]
  for (const peer of peers) peer.connect()
  await until(() => peers.every(peer => peer.lastId !== ''))
  const tenth = peers.filter((_, n) => n % 10 === 0)
  restless = setInterval(() => {
    for (let left = 10; left > 0; left--) tenth[Math.floor(Math.random() * tenth.length)]?.reconnect()
  }, 50)
  process.send?.('ready')
}

async function finish(last: number): Promise<void> {
  // A busy server answers late: then it is over before enough of them have come back.
  await until(() => reconnects > peers.length / 5)
  clearInterval(restless)
  const isBehind = (peer: Peer) => peer.seen !== last
  await until(() => !peers.some(isBehind))
  const behind = peers.filter(isBehind)
  const stuck = behind.slice(0, 20).map(peer => peer.state)
  const report: Report = { reconnects, events, behind: behind.length, stuck, wrong }
  process.send?.(report)
}

process.on('message', (message: Order | { readonly last: number } | 'leave') => {
  if (message === 'leave') {
    for (const peer of peers) peer.leave()
    process.disconnect()
  } else if ('last' in message) finish(message.last)
  else begin(message)
})
