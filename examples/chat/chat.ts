import {
  Body,
  Controller,
  Data,
  EventStream,
  Get,
  Guard,
  Module,
  noContent,
  On,
  Param,
  Post,
  RequestContext,
  Socket,
  Sse,
  WebSocket,
} from 'palomino'
import { z } from 'zod'
import { page } from '../assets.js'
import { Me, People, type Person, SignedIn } from './people.js'
import { Inboxes, Rooms, type Told, whoIs } from './rooms.js'

const Text = z.string().trim().min(1).max(2000)
const SignIn = z.object({ name: z.string().trim().min(1).max(32) })
const Say = z.object({ text: Text })
const Whisper = z.object({ to: z.string(), text: Text })

const ROOM = '/rooms/:room([a-z0-9-]{1,32})'

@Controller('/')
class Door {
  constructor(private readonly people: People) {}

  @Get('/')
  index(context: RequestContext) {
    return page(context, 'chat/page.html')
  }

  @Post('/sign-in')
  signIn(@Body(SignIn) { name }: z.infer<typeof SignIn>) {
    return this.people.signIn(name)
  }

  @Get('/me')
  @Guard(SignedIn)
  me(@Me() me: Person) {
    return me
  }
}

/** In a room over a WebSocket: typed messages, each acknowledged. */
@WebSocket(`${ROOM}/socket`)
@Guard(SignedIn)
class RoomSocket {
  constructor(
    private readonly socket: Socket<'room'>,
    private readonly rooms: Rooms,
  ) {}

  open() {
    return this.rooms.enter(this.socket)
  }

  @On('say', Say)
  say(@Data() { text }: z.infer<typeof Say>) {
    return this.rooms.say(this.socket.params.room, whoIs(this.socket), text)
  }

  @On('typing')
  typing() {
    return this.rooms.typing(this.socket.params.room, whoIs(this.socket))
  }

  @On('whisper', Whisper)
  whisper(@Data() { to, text }: z.infer<typeof Whisper>) {
    return this.rooms.whisper(this.socket.params.room, whoIs(this.socket), to, text)
  }

  info(told: Told) {
    return told
  }
}

/** In the same room over an event stream, for networks that let no socket through. */
@Sse(`${ROOM}/events`, { retry: 1000 })
@Guard(SignedIn)
class RoomEvents {
  constructor(private readonly rooms: Rooms) {}

  open(stream: EventStream) {
    return this.rooms.enter(stream)
  }

  info(told: Told) {
    return told
  }
}

/** … which speaks by POST. */
@Controller(ROOM)
@Guard(SignedIn)
class RoomPosts {
  constructor(private readonly rooms: Rooms) {}

  @Post('/say')
  async say(@Param('room') room: string, @Me() me: Person, @Body(Say) { text }: z.infer<typeof Say>) {
    return { id: await this.rooms.say(room, me, text) }
  }

  @Post('/typing')
  async typing(@Param('room') room: string, @Me() me: Person) {
    await this.rooms.typing(room, me)
    return noContent()
  }

  @Post('/whisper')
  async whisper(@Param('room') room: string, @Me() me: Person, @Body(Whisper) { to, text }: z.infer<typeof Whisper>) {
    await this.rooms.whisper(room, me, to, text)
    return noContent()
  }
}

@Module({ controllers: [Door, RoomSocket, RoomEvents, RoomPosts], providers: [People, Inboxes, Rooms] })
export class Chat {}
