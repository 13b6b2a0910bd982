/** Peers over plain TCP, cheap enough for hundreds in one process: they keep what they hear, and come back by themselves. */
import { connect, type Socket } from 'node:net'
import type { PresenceEvent } from '../../src/index.js'
import { EventReader, FrameReader, OPCODES, UPGRADE } from '../support/wire-format.js'
import type { Attendance } from './presence-peers.js'

export interface PeerOptions {
  readonly name: string
  readonly port: number
  readonly room: string
  /** Reads for a moment and stops for longer, so that it falls behind. */
  readonly slow: boolean
  /** What it says of itself, where it stands for a user. */
  readonly attendance: Attendance | undefined
  /** Counts what happens to all. */
  readonly counts: Record<'connects' | 'cuts' | 'silences' | 'goodbyes' | 'bytes', number>
}

/** Where a peer was told that something was lost: no number that is sent. */
export const GAP = -1

/** Milliseconds without a byte after which a peer looks for another node; more each time that it hears nothing new. */
const SILENCE = 4000
/** Milliseconds after which a peer comes back that was cut; twice as long each time, too: a crowd that is too much for busy nodes would stay so. */
const BACK = { least: 100, most: 8000 }
/** Bytes that a slow peer reads before it stops, and milliseconds for which it does. */
const SIP = { bytes: 16_384, pause: 5000 }

export abstract class WirePeer {
  readonly seen: number[] = []
  lastId = ''
  /** What it was sent besides ticks. */
  readonly wrong: string[] = []
  #socket: Socket | undefined
  /** What was read of it, and has no end yet. */
  #rest = ''
  #heardAt = performance.now()
  #over = false
  /** It was told to stay away for a while. */
  resting = false
  /** Its connection has said something. */
  here = false
  #returns: NodeJS.Timeout | undefined
  /** How often it came back since it heard anything new. */
  #attempts = 0
  #sip = 0
  #resumes: NodeJS.Timeout | undefined
  /** Milliseconds until it comes back, where the node said so. */
  protected retry: number | undefined

  #slow: boolean

  constructor(readonly options: PeerOptions) {
    this.#slow = options.slow
  }

  connect(): void {
    if (this.#over || this.resting) return
    this.here = false
    this.#rest = ''
    this.retry = undefined
    this.#heardAt = performance.now()
    const { counts, port } = this.options
    counts.connects++
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.write(this.request())
    socket.on('data', (text: unknown) => {
      counts.bytes += String(text).length
      this.#heardAt = performance.now()
      this.#rest = this.read(`${this.#rest}${text}`)
      if (this.#slow) this.#pause(socket, String(text).length)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.here = false
      if (this.retry === undefined) counts.cuts++
      else counts.goodbyes++
      this.#returns = setTimeout(() => this.connect(), this.retry ?? this.#patience())
    })
  }

  #patience(): number {
    return Math.min(BACK.most, BACK.least * 2 ** this.#attempts++) * (0.5 + Math.random())
  }

  /** Gives up on a node that says nothing any more. */
  watch(): void {
    if (
      this.#socket === undefined ||
      this.#socket.isPaused() ||
      performance.now() - this.#heardAt < SILENCE * (1 + this.#attempts)
    )
      return
    this.options.counts.silences++
    this.#attempts++
    this.#leave()
    this.connect()
  }

  /** Reads at full speed from here on. */
  hurry(): void {
    this.#slow = false
    clearTimeout(this.#resumes)
    this.#heardAt = performance.now()
    this.#socket?.resume()
  }

  get attendance(): Attendance | undefined {
    return this.options.attendance
  }

  /** Leaves, and comes back only when it is told to. */
  stayAway(): void {
    this.resting = true
    clearTimeout(this.#returns)
    this.#leave()
  }

  comeBack(): void {
    if (!this.resting) return
    this.resting = false
    this.connect()
  }

  #leave(): void {
    const socket = this.#socket
    this.#socket = undefined
    this.here = false
    socket?.removeAllListeners('data').destroy()
  }

  end(): void {
    this.#over = true
    clearTimeout(this.#resumes)
    this.#leave()
  }

  protected say(bytes: Buffer): void {
    this.#socket?.write(bytes)
  }

  protected took(event: string, data: unknown, id: string): void {
    if (id !== '') this.lastId = id
    if (event !== '') this.here = true
    if (event === 'presence') this.#watch(data)
    else if (event === 'tick') {
      this.#attempts = 0
      this.seen.push(Number(data))
    } else if (event === 'gap') this.seen.push(GAP)
    else if (event !== '' && event !== 'bulk' && event !== 'place' && !isAway(event, data) && this.wrong.length < 5)
      this.wrong.push(`${this.options.name}: an event ${event}: ${JSON.stringify(data)}`)
  }

  #watch(data: unknown): void {
    try {
      this.attendance?.view?.take((typeof data === 'string' ? JSON.parse(data) : data) as PresenceEvent)
    } catch (error) {
      this.wrong.push(`${this.options.name}: ${error}`)
    }
  }

  /** What it asks for, after the path. */
  protected query(): string {
    return this.attendance === undefined ? '' : `as=${encodeURIComponent(this.attendance.next())}`
  }

  #pause(socket: Socket, bytes: number): void {
    this.#sip += bytes
    if (this.#sip < SIP.bytes) return
    this.#sip = 0
    socket.pause()
    this.#resumes = setTimeout(() => {
      this.#heardAt = performance.now()
      socket.resume()
    }, SIP.pause)
  }

  protected abstract request(): string
  /** Answers what has no end yet. */
  protected abstract read(text: string): string
}

/** The log could not be had for so long that the stream was cut: its peer comes back. */
function isAway(event: string, data: unknown): boolean {
  return event === 'error' && String(data).includes('"status":503')
}

export class WireStream extends WirePeer {
  readonly #reader = new EventReader(
    ({ event, data, id }) => this.took(event, event === 'bulk' ? '' : data, id),
    ms => {
      this.retry = ms
    },
  )

  protected request(): string {
    this.#reader.begin()
    const id = this.lastId === '' ? '' : `Last-Event-ID: ${this.lastId}\r\n`
    const { room } = this.options
    return `GET /rooms/${room}?${this.query()} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n${id}\r\n`
  }

  protected read(text: string): string {
    return this.#reader.read(text)
  }
}

/** It answers pings, and knows why it was closed. */
export class WireSocket extends WirePeer {
  readonly #reader = new FrameReader((opcode, payload) => this.#frame(opcode, payload))

  protected request(): string {
    this.#reader.begin()
    const query = `?${this.query()}${this.lastId === '' ? '' : `&lastEventId=${encodeURIComponent(this.lastId)}`}`
    return `GET /rooms/${this.options.room}${query} HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`
  }

  protected read(text: string): string {
    return this.#reader.read(text)
  }

  #frame(opcode: number, payload: string): void {
    if (opcode === OPCODES.ping) {
      const bytes = Buffer.from(payload, 'latin1')
      this.say(Buffer.concat([Buffer.from([0x8a, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]))
    } else if (opcode === OPCODES.close) {
      const code = (payload.charCodeAt(0) << 8) | payload.charCodeAt(1)
      if (code === 1012) this.retry = 200 + Math.random() * 1500
      this.say(Buffer.from([0x88, 0x82, 0, 0, 0, 0, payload.charCodeAt(0), payload.charCodeAt(1)]))
    } else if (opcode === OPCODES.text && !payload.startsWith('{"event":"bulk"')) {
      const { event = '', data, id = '' } = JSON.parse(payload)
      this.took(event, data, id)
    } else if (opcode === OPCODES.text) {
      this.took('bulk', '', /"id":"([^"]*)"\}$/.exec(payload.slice(-200))?.[1] ?? '')
    } else if (this.wrong.length < 5) this.wrong.push(`${this.options.name}: a frame 0x${opcode.toString(16)}`)
  }
}
