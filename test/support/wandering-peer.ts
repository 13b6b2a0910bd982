import { request } from 'node:http'
import { createParser } from 'eventsource-parser'
import { WebSocket as Client } from 'ws'

/** Keeps what it hears, and remembers its last id, wherever it is. */
export class Peer {
  readonly ticks: unknown[] = []
  readonly told: unknown[] = []
  readonly others: string[] = []
  closed: number | undefined
  lastId = ''
  #end = () => {}

  constructor(
    readonly kind: 'stream' | 'socket',
    readonly room: string,
  ) {}

  connect(port: number): void {
    const id = this.lastId === '' ? '' : `?lastEventId=${encodeURIComponent(this.lastId)}`
    const path = `127.0.0.1:${port}/${this.room}${id}`
    this.#end = this.kind === 'socket' ? this.#openSocket(`ws://${path}`) : this.#openStream(`http://${path}`)
  }

  leave(): void {
    this.#end()
  }

  #openSocket(url: string): () => void {
    const client = new Client(url)
    let here = true
    client.on('message', text => {
      const { event = '', data, id = '' } = JSON.parse(String(text))
      if (here) this.#took(event, data, id)
    })
    client.on('error', () => {})
    client.on('close', code => {
      if (here) this.closed = code
    })
    return () => {
      here = false
      client.terminate()
    }
  }

  #openStream(url: string): () => void {
    let here = true
    const parser = createParser({
      onEvent: ({ event = '', data, id = '' }) => here && this.#took(event, data === '' ? '' : JSON.parse(data), id),
    })
    const asked = request(url, { headers: { Accept: 'text/event-stream' } }, response => {
      response.setEncoding('utf8').on('data', text => parser.feed(text))
      response.on('error', () => {})
      response.on('close', () => {
        if (here) this.closed = 0
      })
    })
    asked.on('error', () => {})
    asked.end()
    return () => {
      here = false
      asked.destroy()
    }
  }

  #took(event: string, data: unknown, id: string): void {
    if (id !== '') this.lastId = id
    if (event === 'tick') this.ticks.push(data)
    else if (event === 'told') this.told.push(data)
    else if (event !== '' && event !== 'place') this.others.push(event)
  }
}
