/** Opens one socket, and tells what of its opening can be collected while it is open. Run with --expose-gc. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket as Client } from 'ws'
import { Controller, Get, Guard, On, Param, RequestContext, upgrade, WebSocket } from '../../src/index.js'
import { start } from '../support/app.js'

const refs = new Map<string, WeakRef<object>>()

function watch(context: unknown): boolean {
  if (!(context instanceof RequestContext)) return true
  refs.set('request', new WeakRef(context.request))
  refs.set('response', new WeakRef(context.response))
  refs.set('context', new WeakRef(context))
  return true
}

@WebSocket('/sync')
@Guard(watch)
class Sync {
  open() {}
  message(message: string) {
    return message
  }
}

@WebSocket('/async')
@Guard(async context => watch(context))
class Async {
  async open() {}
  async message(message: string) {
    return message
  }
}

@WebSocket('/messages')
@Guard(watch)
class Messages {
  open(@Param() _params: unknown) {}
  @On('named') named() {}
  message(message: string) {
    return message
  }
}

@WebSocket()
class Live {
  open() {}
  message(message: string) {
    return message
  }
}

@Controller('/')
class Pages {
  @Get('/upgraded', { upgrade: [Live] })
  @Guard(watch)
  upgraded() {
    return upgrade(Live)
  }
}

const { app, port } = await start([Sync, Async, Messages, Live, Pages])
const client = new Client(`ws://127.0.0.1:${port}${process.argv[2]}`)
await once(client, 'open')
const echo = async () => {
  client.send('x')
  const [data] = await once(client, 'message')
  return String(data) === 'x'
}
await echo()
for (let round = 0; round < 20 && [...refs.values()].some(ref => ref.deref() !== undefined); round++) {
  await sleep(10)
  globalThis.gc?.()
}
const seen = [...refs].map(([what, ref]) => `${what} ${ref.deref() === undefined ? 'collected' : 'kept'}`)
console.log(`${seen.join(', ')}; the socket ${(await echo()) ? 'echoes' : 'is dumb'}`)
client.terminate()
await app.close({ deadline: 0 })
