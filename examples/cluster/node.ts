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
  Registry,
  Socket,
  Sse,
  WebSocket,
} from 'palomino'
import { z } from 'zod'

const Line = z.object({ text: z.string().trim().min(1).max(500) })
const ROOM = '/rooms/:room([a-z0-9-]{1,32})'

/** Who serves: a peer that comes back may find itself with another. */
const name = process.env.NODE_NAME ?? 'node'

/** The rooms of all nodes: what one sends, the peers of all hear, in one order. */
@Registry('rooms', { history: { count: 20_000, bytes: 20_000_000 } })
export class Rooms extends ConnectionRegistry<{ line: { text: string; from: string } }> {}

@Sse(`${ROOM}/events`, { retry: 500, keepAlive: 5000 })
class RoomEvents {
  constructor(private readonly rooms: Rooms) {}

  async open(stream: EventStream<'room'>) {
    await this.rooms.join(stream, stream.params.room)
    return { event: 'node', data: name }
  }
}

@WebSocket(`${ROOM}/socket`, { heartbeat: 5000 })
class RoomSocket {
  constructor(private readonly rooms: Rooms) {}

  async open(socket: Socket<'room'>) {
    await this.rooms.join(socket, socket.params.room)
    return { event: 'node', data: name }
  }
}

@Controller(ROOM)
class RoomPosts {
  constructor(private readonly rooms: Rooms) {}

  /** How many are here: on this node, not on all. */
  @Get('/')
  show(@Param('room') room: string) {
    return { node: name, here: this.rooms.count(room) }
  }

  /** Answers when the log has taken it: from then on nobody misses it. */
  @Post('/')
  async say(@Param('room') room: string, @Body(Line) { text }: z.infer<typeof Line>) {
    return { node: name, id: await this.rooms.to(room).send('line', { text, from: name }) }
  }
}

@Module({ controllers: [RoomEvents, RoomSocket, RoomPosts], providers: [Rooms] })
export class ClusterNode {}

/** Serves one node, which tells the process that started it where. */
export async function serveNode(eventLog: OpenEventLog) {
  const app = await bootstrap(ClusterNode, {
    port: process.env.PORT ?? 0,
    eventLog,
    health: true,
    drainDelay: 600, // two rounds of the balancer's questions
  })
  process.send?.({ name, port: app.port })
  return app
}
