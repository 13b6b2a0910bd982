import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { Body, Controller, type Fields, File, Files, Post, type Upload, type Uploads } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { activeHandles, noHandlesLeft } from '../support/handles.js'
import { BOUNDARY, body, field, postHead, temporaryDirectory, upload } from '../support/multipart.js'
import { serve } from '../support/serve.js'

const MUTATIONS = 10_000
const SEED = 0x9a10_0140
const CONNECTIONS = 16

const temporary = await temporaryDirectory()

@Controller()
class Fuzzed {
  @Post('/memory')
  async memory(@Body() fields: Fields, @Files({ to: 'memory' }) files: Upload[]) {
    return { fields, sizes: await Promise.all(files.map(async each => (await each.bytes()).length)) }
  }
  @Post('/file')
  file(@File('f', { maxSize: 300 }) f: Upload, @Files() others: Upload[]) {
    return { size: f.size, others: others.length }
  }
  @Post('/stream')
  async stream(@Files({ to: 'stream' }) uploads: Uploads) {
    const sizes = []
    for await (const each of uploads) sizes.push((await each.bytes()).length)
    return { sizes, fields: uploads.fields }
  }
}

/** Random numbers that are the same each time (mulberry32). */
function randoms(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b_79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) % below
  }
}

const good = [
  body([field('a', 'b'), upload('f', 'x.txt', 'content of it'), field('c', '')]),
  body([
    upload('f', 'ünï.bin', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), 'application/octet-stream'),
  ]),
  body([
    field('a', '1'),
    field('a', '2'),
    upload('f', 'x', 'x'),
    upload('g', '../y', 'y\r\n--a-bound'),
    upload('h', '', ''),
  ]),
]

/** What tells parsers apart: pieces that mean something where they stand. */
const pieces = [
  '\r\n',
  '\r',
  '\n',
  '--',
  `--${BOUNDARY}`,
  `\r\n--${BOUNDARY}\r\n`,
  `--${BOUNDARY}--`,
  ':',
  '"',
  ';',
  '=',
  '\0',
  '%',
  "filename*=utf-8''%",
  ' ',
  '\r\n\r\n',
].map(piece => Buffer.from(piece))

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length + 1)
  const to = Math.min(bytes.length, at + random(random(4) === 0 ? bytes.length : 8))
  const before = bytes.subarray(0, at)
  switch (random(6)) {
    case 0:
      return Buffer.concat([before, bytes.subarray(to)])
    case 1:
      return Buffer.concat([before, pieces[random(pieces.length)] as Buffer, bytes.subarray(at)])
    case 2:
      return Buffer.concat([before, pieces[random(pieces.length)] as Buffer, bytes.subarray(to)])
    case 3:
      return Buffer.concat([before, bytes.subarray(at, to), bytes.subarray(at)])
    case 4:
      return Buffer.concat([before, Buffer.from([random(256)]), bytes.subarray(at + 1)])
    default:
      return before
  }
}

const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)

/** A connection that stays, and is opened again where the server has closed it. */
class Peer {
  #heard = ''
  #wake = () => {}

  private constructor(
    private readonly port: number,
    private socket: Socket,
  ) {
    this.#listen()
  }

  static async connect(port: number): Promise<Peer> {
    return new Peer(port, await open(port))
  }

  /** Answers the status of the reply, when all of it has come. */
  async post(path: string, form: Buffer, cut: number): Promise<number> {
    if (this.socket.destroyed || this.socket.readableEnded) {
      this.socket = await open(this.port)
      this.#listen()
    }
    const head = Buffer.from(postHead(path, `Content-Length: ${form.length}`))
    this.socket.write(Buffer.concat([head, form.subarray(0, cut)]))
    if (cut < form.length) this.socket.write(form.subarray(cut))
    for (;;) {
      const [, status, length] = /^HTTP\/1\.1 (\d+) .*?content-length: (\d+)\r\n/is.exec(this.#heard) ?? []
      const end = this.#heard.indexOf('\r\n\r\n') + 4 + Number(length)
      if (status !== undefined && this.#heard.length >= end) {
        this.#heard = this.#heard.slice(end)
        return Number(status)
      }
      if (this.socket.destroyed) throw new Error(`no reply to ${JSON.stringify(form.toString('latin1'))}`)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close')
    this.socket.end()
    await closed
  }

  #listen(): void {
    this.#heard = ''
    this.socket
      .setEncoding('latin1')
      .on('data', text => {
        this.#heard += text
        this.#wake()
      })
      .on('close', () => this.#wake())
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

test('P18: 10,000 mutations of good forms are read or refused, and leave nothing', async t => {
  const { port, log } = await serve(t, { controllers: [Fuzzed] }, { uploads: { directory: temporary.path } })
  const random = randoms(SEED)
  const statuses = new Map<number, number>()
  const send = async (peer: Peer, path: string, form: Buffer, cut: number) => {
    const status = await peer.post(path, form, cut)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const first = await Peer.connect(port)
  for (const form of good) await send(first, '/file', form, 0)
  assert.deepEqual([...statuses], [[200, good.length]])
  statuses.clear()
  await first.close()
  const before = { handles: activeHandles(), descriptors: descriptors(), exits: process.listenerCount('exit') }

  let made = 0
  const worker = async () => {
    const peer = await Peer.connect(port)
    while (made < MUTATIONS) {
      made++
      let form = good[random(good.length)] as Buffer
      for (let times = 1 + random(3); times > 0; times--) form = mutate(form, random)
      await send(peer, ['/memory', '/file', '/stream'][random(3)] as string, form, random(2) * random(form.length + 1))
    }
    await peer.close()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))

  t.diagnostic(`statuses: ${JSON.stringify(Object.fromEntries([...statuses].sort(([a], [b]) => a - b)))}`)
  const refusals = [200, 400, 413, 415, 422]
  assert.deepEqual(
    [...statuses.keys()].filter(status => !refusals.includes(status)),
    [],
  )
  for (const status of [200, 400, 422]) assert.ok((statuses.get(status) ?? 0) > 100, `${status} is seen`)
  assert.deepEqual(log, [])
  await eventually('no temporary file', () => temporary.list().length === 0)
  await noHandlesLeft(before.handles)
  await eventually('no descriptor left open', () => descriptors() <= before.descriptors)
  await eventually('no listener', () => process.listenerCount('exit') <= before.exits)
})
