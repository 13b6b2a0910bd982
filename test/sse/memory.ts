/** Run by a test with --expose-gc: what an open stream keeps. */
import 'reflect-metadata'
import { setImmediate as turn } from 'node:timers/promises'
import { Body, bootstrap, Controller, Ctx, Module, RequestContext, Sse } from '../../src/index.js'

declare const gc: () => void

let context: WeakRef<object> | undefined
let body: WeakRef<object> | undefined
let items = 0
const sizes: number[] = []

@Controller('/')
class Streams {
  @Sse('/context', { method: 'POST' })
  async context(@Ctx() asked: RequestContext, @Body() read: object) {
    context = new WeakRef(asked)
    body = new WeakRef(read)
  }

  @Sse('/generator')
  async *generator() {
    for (items = 1; ; items++) {
      if (items === 20_000 || items === 320_000) {
        gc()
        sizes.push(process.memoryUsage().heapUsed)
        yield { event: 'size', data: '' }
      }
      yield 'x'
    }
  }
}

@Module({ controllers: [Streams] })
class App {}

const app = await bootstrap(App, { port: 0, host: '127.0.0.1', signals: false })
const origin = `http://127.0.0.1:${app.port}`
const controller = new AbortController()

if (process.argv[2] === 'context') {
  const response = await fetch(`${origin}/context`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"a":1}',
    signal: controller.signal,
  })
  for (let round = 0; round < 20; round++) {
    await turn()
    gc()
  }
  const kept = { context: context?.deref() !== undefined, body: body?.deref() !== undefined }
  console.log(JSON.stringify({ ...kept, ...(response.ok ? {} : { failed: response.status }) }))
} else {
  const response = await fetch(`${origin}/generator`, { signal: controller.signal })
  for await (const _ of response.body ?? []) if (sizes.length === 2) break
  const [first = 0, second = 0] = sizes
  console.log(JSON.stringify({ grown: second - first }))
}
controller.abort()
await app.close({ deadline: 0 })
