/** Requests on connections that are kept alive, one in flight on each. */
import { now } from '../clock.js'
import { HOST, MARKER } from '../fixtures.js'
import { manyAtOnce, open, percentiles } from './connection.js'

const HEAD_END = Buffer.from('\r\n\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

export function formatRequest({ method = 'GET', path, body = '', fields = '' }) {
  const content = body && `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${fields}${content}\r\n${body}`)
}

class Requester {
  #socket
  #bytes = 0
  #total
  #chunked = false
  #tail = Buffer.alloc(0)
  #sentAt = 0
  #isWaiting = false
  #closes = false

  constructor(port, load) {
    this.port = port
    this.load = load
  }

  async connect() {
    let socket
    socket = await open(
      this.port,
      (buffer, length) => this.#received(buffer, length),
      () => this.#closed(socket),
      { secure: this.load.secure },
    )
    this.#socket = socket
    return this
  }

  send() {
    this.#isWaiting = true
    this.#sentAt = now()
    this.#bytes = 0
    this.#total = undefined
    if (this.#socket !== undefined) this.#socket.write(this.load.request)
    else this.#sendAnew()
  }

  async #sendAnew() {
    await this.connect()
    this.#socket.write(this.load.request)
  }

  end() {
    this.#socket?.destroy()
  }

  /** What comes whole in one read and is as long as the response before needs no parsing. */
  #received(buffer, length) {
    if (!this.#isWaiting) return this.#leave() // 408: nothing was asked for in time
    if (this.#bytes === 0) {
      if (length === this.load.usual && buffer[9] === this.load.status) return this.#done()
      this.#readHead(buffer.subarray(0, length))
    }
    this.#bytes += length
    const isWhole = this.#chunked ? this.#endsChunked(buffer.subarray(0, length)) : this.#bytes >= this.#total
    if (!isWhole) return
    if (!this.#chunked) this.load.usual = this.#bytes
    this.#done()
  }

  #readHead(bytes) {
    const end = bytes.indexOf(HEAD_END)
    if (end < 0) throw new Error(`a head in parts: ${bytes.toString('latin1', 0, 200)}`)
    const head = bytes.toString('latin1', 0, end)
    if (bytes[9] !== this.load.status) throw new Error(`not what was asked for: ${head}`)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    this.#chunked = /\r\ntransfer-encoding: *chunked/i.test(head)
    this.#closes = /\r\nconnection: *close/i.test(head)
    if (length === undefined && !this.#chunked) throw new Error(`a response without an end: ${head}`)
    this.#total = end + HEAD_END.length + Number(length)
    this.#tail = Buffer.alloc(0)
  }

  #endsChunked(bytes) {
    const last = bytes.length >= 5 ? bytes.subarray(-5) : Buffer.concat([this.#tail, bytes]).subarray(-5)
    this.#tail = Buffer.from(last)
    return last.equals(LAST_CHUNK)
  }

  #done() {
    this.#isWaiting = false
    if (this.#closes || this.load.renew) this.#leave()
    this.load.took.push(now() - this.#sentAt)
    if (now() < this.load.until) return this.send()
    this.load.finished()
  }

  #leave() {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  /** The next request goes on another connection, opened when there is one, as it would be in a browser. */
  #closed(socket) {
    if (socket !== this.#socket) return
    this.#socket = undefined
    if (this.#isWaiting && !this.load.over) this.send()
  }
}

export class Requests {
  took = []
  usual = -1
  until = 0
  over = false

  /** @param status the first digit of the status that is expected; `renew` takes a new connection for each request */
  constructor(port, { request, status = 2, renew = false, secure = false }) {
    this.secure = secure
    this.renew = renew
    this.port = port
    this.request = formatRequest(request)
    this.status = 48 + status
  }

  async connect(count) {
    this.requesters = await manyAtOnce(count, () => new Requester(this.port, this).connect())
  }

  /** As many requests as are answered in that time. */
  async run(milliseconds) {
    this.took = []
    const began = now()
    this.until = began + milliseconds
    let left = this.requesters.length
    const { promise, resolve } = withResolvers()
    this.finished = () => {
      if (--left === 0) resolve()
    }
    for (const requester of this.requesters) requester.send()
    await promise
    return { operations: this.took.length, milliseconds: now() - began, ...percentiles(this.took) }
  }

  end() {
    this.over = true
    for (const requester of this.requesters) requester.end()
  }
}

function withResolvers() {
  let resolve
  const promise = new Promise(done => {
    resolve = done
  })
  return { promise, resolve }
}

/** One request; answers the whole response, body decoded from its chunks. */
export async function askOnce(port, request, secure) {
  let text = ''
  const { promise, resolve } = withResolvers()
  const socket = await open(
    port,
    (buffer, length) => {
      text += buffer.toString('utf8', 0, length)
      if (isWhole(text)) resolve()
    },
    resolve,
    { secure },
  )
  socket.write(formatRequest({ ...request, fields: `${request.fields ?? ''}Connection: close\r\n` }))
  await promise
  socket.destroy()
  const [head, ...rest] = text.split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  const plain = /transfer-encoding: *chunked/i.test(head) ? body.replace(/(^|\r\n)[0-9a-f]+\r\n/gi, '') : body
  return { status: Number(head.slice(9, 12)), body: plain.trim(), markers: text.split(MARKER).length - 1 }
}

/** Not everybody closes the connection when asked to. */
function isWhole(text) {
  if (/^transfer-encoding: *chunked/im.test(text)) return text.endsWith('0\r\n\r\n')
  const length = /^content-length: *(\d+)/im.exec(text)?.[1]
  return length !== undefined && Buffer.byteLength(text.slice(text.indexOf('\r\n\r\n') + 4)) >= Number(length)
}
