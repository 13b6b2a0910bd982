/** Frames that cost a peer nothing, many thousands of them: whoever sends them is ended or does no harm, and others are served meanwhile. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Body, Controller, Get, Post, Sse } from '../../src/index.js'
import { start } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { block, flags, frame, Http2Peer, requestFields } from '../support/http2-frames.js'
import { send } from '../support/send.js'
import { ask, openSession } from '../support/wires.js'

@Controller()
class Plain {
  @Get('/') get() {
    return 'fine'
  }
  @Post('/') post(@Body({ as: 'text' }) body: string) {
    return String(body.length)
  }
}

@Sse('/events')
class Events {
  open() {
    return 'hello'
  }
}

const MIB = 1_048_576
const ROUNDS = 20
const IN_A_ROUND = 1000

const get = (stream: number, path = '/') =>
  frame('headers', flags.endHeaders | flags.endStream, stream, block(requestFields(path)))
const post = frame(
  'headers',
  flags.endHeaders,
  1,
  block([...requestFields('/', 'POST'), ['content-type', 'text/plain']]),
)
const number = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

interface Flood {
  readonly what: string
  /** What comes first: a stream that is open meanwhile. */
  readonly first?: Buffer
  readonly frame: (index: number) => Buffer
  /** Whether it ends its connection; undefined where versions of Node.js differ in that. */
  readonly ends: boolean | undefined
}

const floods: readonly Flood[] = [
  { what: 'WINDOW_UPDATE of the connection', frame: () => frame('windowUpdate', 0, 0, number(1)), ends: false },
  {
    what: 'WINDOW_UPDATE of a stream',
    first: get(1, '/events'),
    frame: () => frame('windowUpdate', 0, 1, number(1)),
    ends: false,
  },
  {
    what: 'WINDOW_UPDATE past the largest window (RFC 9113 §6.9.1)',
    frame: () => frame('windowUpdate', 0, 0, number(2 ** 31 - 1)),
    ends: true,
  },
  {
    what: 'PRIORITY of a stream (CVE-2019-9513)',
    first: get(1, '/events'),
    frame: index => frame('priority', 0, 1, Buffer.concat([number(0), Buffer.from([index % 256])])),
    ends: undefined,
  },
  {
    what: 'PRIORITY of streams that are not there',
    frame: index => frame('priority', 0, 2 * index + 3, Buffer.concat([number(1), Buffer.from([0])])),
    ends: undefined,
  },
  { what: 'empty DATA (CVE-2019-9518)', first: post, frame: () => frame('data', 0, 1), ends: true },
  {
    what: 'empty CONTINUATION (CVE-2024-27316)',
    first: frame('headers', flags.endStream, 1, block(requestFields('/'))),
    frame: () => frame('continuation', 0, 1),
    ends: true,
  },
  {
    what: 'CONTINUATION of a header section without an end',
    first: frame('headers', flags.endStream, 1, block(requestFields('/'))),
    frame: index => frame('continuation', 0, 1, block([[`x-${index}`, 'y'.repeat(100)]])),
    ends: true,
  },
  {
    what: 'header sections that are refused',
    frame: index => frame('headers', flags.endHeaders | flags.endStream, 2 * index + 3, block([[':path', '/']])),
    ends: true,
  },
]

async function serve(t: TestContext) {
  const served = await start([Plain, Events], { http2: { heartbeat: 3000 }, headersTimeout: 3000 })
  t.after(() => served.app.close({ deadline: 0 }))
  return served
}

describe('floods of frames', () => {
  for (const { what, first, frame: make, ends } of floods)
    test(`${what}: ${ends === true ? 'ends its connection' : 'does no harm'}`, async t => {
      const { app, port, log } = await serve(t)
      const other = await openSession(port, 'http')
      const peer = await Http2Peer.open(port)
      let isOver = false
      void peer.raw.closed.then(() => {
        isOver = true
      })
      if (first !== undefined) await peer.write(first)
      const before = process.memoryUsage().rss
      for (let round = 0; round < ROUNDS && !isOver; round++) {
        const frames = Array.from({ length: IN_A_ROUND }, (_, index) => make(round * IN_A_ROUND + index))
        await peer.write(...frames).catch(() => {})
        assert.equal((await ask(other, { ':path': '/' })).text, 'fine')
        assert.equal((await send(port, 'GET /')).text, 'fine')
      }
      if (ends === undefined) peer.raw.destroy()
      else if (ends) await peer.raw.closed
      else {
        await peer.write(get(2 * ROUNDS * IN_A_ROUND + 5))
        assert.equal((await peer.until('data', 2 * ROUNDS * IN_A_ROUND + 5)).payload.toString(), 'fine')
        peer.raw.destroy()
      }
      assert.ok(process.memoryUsage().rss - before < 64 * MIB)
      await eventually('nothing is left of it', () => app.connections === 0)
      assert.deepEqual(log.errors, [])
      other.close()
    })
})
