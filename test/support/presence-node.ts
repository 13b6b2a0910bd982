/** A node of an application with presence, on a Redis: started by tests as a process, with the url of Redis and the options. */
import {
  bootstrap,
  ConnectionRegistry,
  Controller,
  EventStream,
  Get,
  Module,
  Registry,
  Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { redisEventLog } from '../../src/logs/redis.js'

@Registry('rooms', { presence: JSON.parse(process.argv[3] ?? '{}') })
class Rooms extends ConnectionRegistry<Record<string, never>, { on: string }> {}

@Sse('/:room/:user')
class Stream {
  constructor(
    private readonly rooms: Rooms,
    private readonly stream: EventStream<'room' | 'user'>,
  ) {}
  open() {
    const { room, user } = this.stream.params
    return this.rooms.join(this.stream, room, { user, meta: { on: 'stream' }, watch: true })
  }
}

@WebSocket('/:room/:user', { heartbeat: 0 })
class Member {
  constructor(
    private readonly rooms: Rooms,
    private readonly socket: Socket<'room' | 'user'>,
  ) {}
  open() {
    const { room, user } = this.socket.params
    return this.rooms.join(this.socket, room, { user, meta: { on: 'socket' }, watch: true })
  }
}

@Controller('/')
class Counts {
  constructor(private readonly rooms: Rooms) {}
  @Get('/total')
  async total() {
    return { total: await this.rooms.total() }
  }
}

@Module({ controllers: [Stream, Member, Counts], providers: [Rooms] })
class App {}

const [, , url] = process.argv
if (process.send !== undefined && url !== undefined) {
  const quiet = () => {}
  const logger = { debug: quiet, info: quiet, warn: quiet, error: console.error }
  const app = await bootstrap(App, { port: 0, host: '127.0.0.1', logger, eventLog: redisEventLog({ url }) })
  process.send({ port: app.port })
}
