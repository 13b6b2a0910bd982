/** Many requests over HTTP/2, on many streams of several connections, by nghttp2's own load generator. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Body, Controller, Get, Post } from '../../src/index.js'
import { folderOf } from '../support/folder.js'
import { programTest } from '../support/program.js'
import { serve } from '../support/serve.js'
import { tls } from '../support/wires.js'

const CONNECTIONS = 8
const STREAMS = 100
const REQUESTS = 4000

@Controller()
class Routes {
  @Get('/small') small() {
    return { hello: 'world' }
  }
  @Get('/later') async later() {
    await new Promise(resolve => setImmediate(resolve))
    return 'later'
  }
  @Get('/large') large() {
    return 'x'.repeat(100_000)
  }
  @Get('/streamed') async *streamed() {
    for (let n = 0; n < 20; n++) yield { n, filler: 'x'.repeat(1000) }
  }
  @Post('/posted') posted(@Body({ as: 'text' }) body: string) {
    return String(body.length)
  }
}

const upload = join(folderOf({ 'body.txt': 'x'.repeat(20_000) }), 'body.txt')

for (const scheme of ['http', 'https'] as const)
  programTest('h2load', 'nghttp2-client', `h2load over ${scheme}: every request is answered`, async (t, run) => {
    const options = { http2: true, ...(scheme === 'https' ? { tls } : {}) }
    const { app, port, log } = await serve(t, { controllers: [Routes] }, options)
    const load = async (requests: number, ...rest: string[]) => {
      const many = ['-n', `${requests}`, '-c', `${CONNECTIONS}`, '-m', `${STREAMS}`]
      const said = await run([...many, ...rest])
      assert.match(said, new RegExp(`${requests} succeeded, 0 failed, 0 errored, 0 timeout`), said)
      assert.match(said, new RegExp(`status codes: ${requests} 2xx`), said)
    }
    const url = (path: string) => `${scheme}://127.0.0.1:${port}${path}`
    await load(REQUESTS, url('/small'), url('/later'))
    await load(REQUESTS / 8, url('/large'), url('/streamed'))
    await load(REQUESTS / 8, '-H', 'content-type: text/plain', '-d', upload, url('/posted'))
    assert.deepEqual(log, [])
    assert.equal(app.connections, 0)
  })
