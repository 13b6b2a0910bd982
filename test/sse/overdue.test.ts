import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Controller, EventStream, Sse } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { RawPeer } from '../support/raw-peer.js'
import { serve } from '../support/serve.js'

/** What many write first: a loop that sends, and so never settles. */
async function loop(stream: EventStream) {
  for (let n = 0; !stream.closed; n++) {
    await stream.send(n)
    await sleep(50)
  }
}

@Sse('/source')
class Source {
  open(stream: EventStream) {
    return loop(stream)
  }
}

@Controller()
class Methods {
  @Sse('/method')
  loop(stream: EventStream) {
    return loop(stream)
  }

  @Sse('/started')
  started(stream: EventStream) {
    stream.start()
    return loop(stream)
  }
}

test('a loop that sends before the head is out is told of, once for each route', async t => {
  const { port, log } = await serve(t, { controllers: [Source, Methods] })
  const peers: RawPeer[] = []
  for (const path of ['/source', '/source', '/method', '/started']) {
    const peer = await RawPeer.connect(port)
    await peer.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`)
    peers.push(peer)
  }
  const [first, , , started] = peers
  await started?.readUntil('data: 25')
  await eventually('a warning for each', () => log.length >= 2)
  await first?.readUntil('data: 40', 200).catch(() => {}) // nothing has come, and nobody is told again
  const cure = 'call stream.start() first, yield from a generator, or return and send by stream.every'
  assert.deepEqual(log.map(({ level, message }) => `${level}: ${message}`).sort(), [
    `warn: Methods.loop sends, and nothing goes out before loop has settled: ${cure}`,
    `warn: Source sends, and nothing goes out before open has settled: ${cure}`,
  ])
  assert.equal(first?.received, '')
  for (const peer of peers) peer.destroy()
})
