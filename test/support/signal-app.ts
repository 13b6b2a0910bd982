/** A program with two applications that close on signals: started by tests, told apart by their ports. */
import { bootstrap, Controller, Get, Module, Sse, WebSocket } from '../../src/index.js'

@Sse('/events')
class Events {
  open() {}
}

@WebSocket('/socket')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

@Controller('/')
class Slow {
  @Get('slow')
  async slow() {
    // Until the signal has come, and the streams and sockets have heard goodbye.
    const signal = new Promise(resolve => process.once('SIGTERM', resolve).once('SIGINT', resolve))
    process.send?.({ slow: true })
    await signal
    while (apps.some(app => app.connections > 0)) await new Promise(resolve => setImmediate(resolve))
    return 'slow but sure'
  }

  @Get('never')
  never() {
    process.send?.({ never: true })
    return new Promise(() => {})
  }
}

@Module({ controllers: [Events, Echo, Slow] })
class App {}

const options = { port: 0, host: '127.0.0.1' }
const apps = [await bootstrap(App, options), await bootstrap(App, options)]
process.send?.({ ports: apps.map(app => app.port) })
