import {
  Body,
  bootstrap,
  ConnectionRegistry,
  Controller,
  EventStream,
  Get,
  Module,
  type OpenEventLog,
  Param,
  Post,
  Query,
  Registry,
  RequestContext,
  Socket,
  Sse,
  WebSocket,
} from 'palomino'
import { z } from 'zod'
import { Assets, page } from '../assets.js'

const Line = z.object({
  text: z.string().trim().min(1).max(500),
  /** Names this line, so that who had no answer may say it again, to any node. */
  key: z.string().min(1).max(100).optional(),
})
const User = z.string().min(1).max(64).optional()
const ROOM = '/rooms/:room([a-z0-9-]{1,32})'

/** Who serves: a peer that comes back may find itself with another. */
const name = process.env.NODE_NAME ?? 'node'
/** Where the process listens that started this one. */
const supervisor = process.env.SUPERVISOR

/** The rooms of all nodes: what one sends, the peers of all hear, in one order. */
@Registry('rooms', {
  history: { count: 20_000, bytes: 20_000_000 },
  presence: { heartbeat: 2000, linger: 4000 },
})
export class Rooms extends ConnectionRegistry<{ line: Said }, { node: string }> {}

type Said = z.infer<typeof Line> & { from: string }

/** Whom a peer stands for, and that it is told who else is here. */
const as = (user: string | undefined) => (user === undefined ? {} : { user, meta: { node: name }, watch: true })

@Sse(`${ROOM}/events`, { retry: 500, keepAlive: 5000 })
class RoomEvents {
  constructor(private readonly rooms: Rooms) {}

  async open(stream: EventStream<'room'>, @Query('user', User) user: z.infer<typeof User>) {
    await this.rooms.join(stream, stream.params.room, as(user))
    return { event: 'node', data: { name } }
  }
}

@WebSocket(`${ROOM}/socket`, { heartbeat: 5000 })
class RoomSocket {
  constructor(private readonly rooms: Rooms) {}

  async open(socket: Socket<'room'>, @Query('user', User) user: z.infer<typeof User>) {
    await this.rooms.join(socket, socket.params.room, as(user))
    return { event: 'node', data: { name } }
  }
}

@Controller(ROOM)
class RoomPosts {
  constructor(private readonly rooms: Rooms) {}

  /** How many are here, on this node and on all, and who, wherever they are. */
  @Get('/')
  async show(@Param('room') room: string) {
    const { rooms } = this
    return { node: name, here: rooms.count(room), total: await rooms.total(room), users: rooms.presence(room) }
  }

  /** Answers when the log has taken it: from then on nobody misses it. With a key it is kept once, however often it comes. */
  @Post('/')
  async say(@Param('room') room: string, @Body(Line) line: z.infer<typeof Line>) {
    const target = line.key === undefined ? this.rooms.to(room) : this.rooms.to(room).once(line.key)
    return { node: name, id: await target.send('line', { ...line, from: name }) }
  }
}

@Controller('/')
class Pages {
  /** The page may ask the supervisor, too. */
  @Get('/')
  show(context: RequestContext) {
    return page(context, 'cluster/page.html', supervisor)
  }

  @Get('/supervisor')
  where() {
    return { address: supervisor ?? null }
  }
}

@Module({ imports: [Assets], controllers: [RoomEvents, RoomSocket, RoomPosts, Pages], providers: [Rooms] })
export class ClusterNode {}

/** Serves one node, which tells the process that started it where. */
export async function serveNode(eventLog: OpenEventLog) {
  const app = await bootstrap(ClusterNode, {
    port: process.env.PORT ?? 0,
    host: '127.0.0.1', // peers come through the balancer
    eventLog,
    health: true,
    drainDelay: 600, // two rounds of the balancer's questions
    signals: false, // see program.ts
  })
  process.send?.({ name, port: app.port })
  return app
}
