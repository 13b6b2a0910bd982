/** Slow headers, slow bodies and slow reads at once, by slowhttptest, while others are served. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { Body, Controller, EventStream, Get, Post, Sse } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { StreamPeer } from '../support/peers.js'
import { programTest } from '../support/program.js'
import { send } from '../support/send.js'
import { serve } from '../support/serve.js'
import { ask, openSession } from '../support/wires.js'

const CONNECTIONS = 100

@Controller()
class Routes {
  @Get('/') get() {
    return 'fine'
  }
  @Post('/') post(@Body() body: unknown) {
    return { body }
  }
  @Get('/large') large() {
    return 'x'.repeat(4_000_000)
  }
}

@Sse('/events')
class Events {
  open(stream: EventStream) {
    stream.every(50, 'tick')
  }
  info() {
    return 'tick'
  }
}

describe('slow peers', () => {
  programTest('slowhttptest', 'slowhttptest', 'do not stop other requests, and are ended', async (t, run) => {
    const limits = { headersTimeout: 1000, requestTimeout: 1500 }
    const { port, log } = await serve(t, { controllers: [Routes, Events] }, { http2: true, ...limits })
    const attack = (path: string, ...rest: string[]) => {
      const many = ['-c', `${CONNECTIONS}`, '-r', `${CONNECTIONS}`, '-i', '1', '-p', '20']
      return run([...rest, ...many, '-u', `http://127.0.0.1:${port}${path}`])
    }
    const stream = await StreamPeer.open(port, '/events')
    let isOver = false
    const attacks = Promise.all([
      // Those two end when all of their connections were ended, and at the latest after half a minute.
      attack('/', '-H', '-l', '30'),
      attack('/', '-B', '-l', '30'),
      attack('/large', '-X', '-l', '4', '-w', '1', '-y', '16', '-n', '1', '-z', '5'),
    ]).finally(() => {
      isOver = true
    })
    let answered = 0
    while (!isOver) {
      assert.equal((await send(port, 'GET /')).text, 'fine')
      assert.equal((await send(port, 'POST /', { body: { a: 1 } })).status, 200)
      const session = await openSession(port, 'http')
      assert.equal((await ask(session, { ':path': '/' })).text, 'fine')
      session.destroy()
      answered++
    }
    const [headers = '', bodies = '', reads = ''] = await attacks
    assert.ok(answered > 10, `${answered} rounds of requests were answered meanwhile`)
    assert.match(headers, /Exit status: No open connections left/)
    assert.match(bodies, /Exit status: No open connections left/)
    assert.match(reads, /service available:\s+YES/)
    const heard = stream.read().data.length
    await eventually('the event stream goes on', () => stream.read().data.length > heard)
    stream.raw.destroy()
    assert.deepEqual(
      log.filter(line => line.level === 'error'),
      [],
    )
  })
})
