/** The formats of event streams and of WebSockets as far as peers need them that share a process by hundreds: one character stands for a byte. */

/** One event of a stream, as far as its peers look at it. */
export interface WireEvent {
  event: string
  data: string
  id: string
}

/** Reads event streams. Each event is one chunk of the body, so its lines can be told from those of the framing. */
export class EventReader {
  #event: WireEvent = { event: '', data: '', id: '' }

  /** @param retried hears of milliseconds until the peer is to come back */
  constructor(
    private readonly took: (event: WireEvent) => void,
    private readonly retried: (ms: number) => void = () => {},
  ) {}

  /** Forgets an event that has not ended. */
  begin(): void {
    this.#event = { event: '', data: '', id: '' }
  }

  /** Answers what is left: a line that has not ended. */
  read(text: string): string {
    let at = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', at)) {
      this.#line(text.slice(at, end))
      at = end + 1
    }
    return text.slice(at)
  }

  #line(line: string): void {
    if (line.startsWith('event: ')) this.#event.event = line.slice(7)
    else if (line.startsWith('id: ')) this.#event.id = line.slice(4)
    else if (line.startsWith('data: ')) this.#event.data = line.slice(6)
    else if (line.startsWith('retry: ')) this.retried(Number(line.slice(7)))
    else if (line === '') {
      this.took(this.#event)
      this.begin()
    }
  }
}

/** The first bytes of unmasked frames that are whole messages (RFC 6455 §5.2). */
export const OPCODES = { text: 0x81, close: 0x88, ping: 0x89 }

/** Reads the unmasked frames of a WebSocket (RFC 6455 §5), the head in front of them included. */
export class FrameReader {
  #open = false

  /** @param took hears of the first byte of each frame, and of what is in it */
  constructor(private readonly took: (opcode: number, payload: string) => void) {}

  /** The next is a head. */
  begin(): void {
    this.#open = false
  }

  /** Answers what is left: a frame that has not ended. */
  read(text: string): string {
    let at = 0
    if (!this.#open) {
      at = text.indexOf('\r\n\r\n') + 4
      // A refusal, such as that of a node that goes away, closes the connection.
      this.#open = at >= 4 && text.startsWith('HTTP/1.1 101 ')
      if (!this.#open) return text
    }
    for (;;) {
      const short = text.charCodeAt(at + 1)
      const wide = short === 126 ? 2 : short === 127 ? 8 : 0
      const start = at + 2 + wide
      let length = wide === 0 ? short : 0
      for (let index = at + 2; index < start; index++) length = length * 256 + text.charCodeAt(index)
      if (Number.isNaN(length) || text.length < start + length) return text.slice(at)
      this.took(text.charCodeAt(at), text.slice(start, start + length))
      at = start + length
    }
  }
}

/** The lines that ask for a WebSocket (RFC 6455 §4.1). */
export const UPGRADE = [
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
].join('')
