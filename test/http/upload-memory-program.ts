/** Run by a test: takes a large upload in each of the ways that keep it out of memory, and tells what that cost. */
import 'reflect-metadata'
import { statSync } from 'node:fs'
import {
  bootstrap,
  Controller,
  File,
  Files,
  Guard,
  Module,
  Post,
  type RequestContext,
  type Upload,
  type Uploads,
} from '../../src/index.js'

let peak = 0
let idle = 0
const watch = () => {
  peak = Math.max(peak, process.memoryUsage.rss())
}

/** Where it was asked for: what is held is measured then, and not what waits to be collected. */
const { gc } = globalThis as { readonly gc?: () => void }
function collect(context: RequestContext) {
  let last = 0
  context.onProgress(({ received }) => {
    if (received - last < 2 ** 23) return
    last = received
    gc?.()
  })
  return true
}

@Controller('/')
@Guard(collect)
class Large {
  @Post('/file')
  file(@File('f') f: Upload) {
    return { size: f.size, onDisk: statSync(f.path ?? '').size }
  }

  @Post('/stream')
  async stream(@Files({ to: 'stream' }) uploads: Uploads) {
    let size = 0
    for await (const each of uploads) for await (const chunk of each) size += chunk.length
    return { size }
  }
}

@Module({ controllers: [Large] })
class App {}

const limit = 2 ** 31
const uploads = { fileSize: limit, totalSize: limit, directory: process.argv[2] ?? '' }
const app = await bootstrap(App, { port: 0, host: '127.0.0.1', signals: false, uploads })

process.on('message', async message => {
  if (message === 'end') {
    await app.close({ deadline: 0 })
    process.disconnect()
  } else if (message === 'begin') {
    idle ||= process.memoryUsage.rss()
    const timer = setInterval(watch, 5)
    process.once('message', () => {
      clearInterval(timer)
      watch()
      process.send?.({ idle, peak })
      peak = 0
    })
    process.send?.('begun')
  }
})
process.send?.({ port: app.port })
