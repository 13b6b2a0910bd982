import {
  Connection,
  ConnectionRegistry,
  Controller,
  Data,
  Delete,
  EventStream,
  Get,
  Injectable,
  Module,
  noContent,
  On,
  Param,
  Query,
  Registry,
  RequestContext,
  Socket,
  Sse,
  WebSocket,
} from 'palomino'
import { z } from 'zod'
import { page } from '../assets.js'
import { deck } from './deck.js'

const Name = z.string().trim().min(1).max(40).default('Somebody')
const Goto = z.object({
  slide: z
    .int()
    .min(0)
    .max(deck.length - 1),
})
const Remark = z.object({ text: z.string().trim().min(1).max(280) })
const Call = z.object({ guest: z.string() })

/** Where each talk stands. */
@Injectable()
class Talks {
  readonly #slides = new Map<string, number>()

  at(talk: string): number {
    return this.#slides.get(talk) ?? 0
  }

  goTo(talk: string, slide: number): void {
    this.#slides.set(talk, slide)
  }

  /** A slide as the audience sees it: without the notes. */
  show(slide: number) {
    const { notes: _, ...visible } = deck[slide] ?? deck[0]!
    return { slide, of: deck.length, ...visible }
  }
}

/** The remotes. Nobody replays what they missed: a remote that comes back is told how things are. */
@Registry('presenters', { history: false })
class Presenters extends ConnectionRegistry<{ slide: { slide: number } }> {}

type Shown = ReturnType<Talks['show']>

/** Those who watch. What is sent to them is remembered, so that a dropped connection misses nothing. */
@Registry('audience', { history: { count: 200, age: 3_600_000 } })
class Audience extends ConnectionRegistry<{ slide: Shown; remark: { text: string } }> {
  constructor(private readonly presenters: Presenters) {
    super()
  }

  guests(talk: string) {
    return this.members(talk).map(asGuest)
  }

  protected override joined(connection: Connection, talk: string) {
    return this.presenters.tell(talk, { event: 'join', data: asGuest(connection) })
  }

  protected override left(connection: Connection, talk: string) {
    return this.presenters.tell(talk, { event: 'leave', data: asGuest(connection) })
  }
}

function asGuest({ id, query }: Connection) {
  return { id, name: Name.catch('Somebody').parse(query.name) }
}

/** A seat in the audience: one event stream. */
@Sse('/talks/:talk/events', { retry: 2000 })
class Seat {
  constructor(
    private readonly audience: Audience,
    private readonly talks: Talks,
  ) {}

  /** The first event is how things stand; who comes back gets what they missed instead. */
  async open(stream: EventStream, @Param('talk') talk: string, @Query('name', Name) name: string) {
    await this.audience.join(stream, talk)
    const you = { id: stream.id, name }
    if (stream.lastEventId !== undefined) return { event: 'welcome', data: { you } }
    return { event: 'welcome', data: { you, ...this.talks.show(this.talks.at(talk)) } }
  }

  info(message: unknown) {
    return message
  }
}

/** The presenter's remote: one socket. What an `@On` handler returns acknowledges its message. */
@WebSocket('/talks/:talk/remote')
class Remote {
  readonly #talk: string

  constructor(
    private readonly socket: Socket<'talk'>,
    private readonly audience: Audience,
    private readonly presenters: Presenters,
    private readonly talks: Talks,
  ) {
    this.#talk = socket.params.talk
  }

  async open() {
    await this.presenters.join(this.socket, this.#talk)
    return {
      event: 'welcome',
      data: { deck, slide: this.talks.at(this.#talk), audience: this.audience.guests(this.#talk) },
    }
  }

  @On('goto', Goto)
  async goto(@Data() { slide }: z.infer<typeof Goto>) {
    this.talks.goTo(this.#talk, slide)
    await this.audience.to(this.#talk).send('slide', this.talks.show(slide))
    await this.presenters.to(this.#talk).except(this.socket).send('slide', { slide })
  }

  @On('remark', Remark)
  async remark(@Data() remark: z.infer<typeof Remark>) {
    await this.audience.to(this.#talk).send('remark', remark)
    return { heard: this.audience.count(this.#talk) }
  }

  /** Calls on one of the audience. */
  @On('call', Call)
  async call(@Data() { guest }: z.infer<typeof Call>) {
    await this.audience.tell(guest, { event: 'call' })
  }

  info(message: unknown) {
    return message
  }
}

@Controller('/')
class Pages {
  constructor(private readonly audience: Audience) {}

  @Get('/')
  watch(context: RequestContext) {
    return page(context, 'slides/audience.html')
  }

  @Get('/presenter')
  present(context: RequestContext) {
    return page(context, 'slides/presenter.html')
  }

  /** Cuts a connection, as a tunnel would: the browser comes back by itself. */
  @Delete('/audience/:guest')
  async cut(@Param('guest') guest: string) {
    await this.audience.disconnect(guest)
    return noContent()
  }
}

@Module({ controllers: [Pages, Seat, Remote], providers: [Talks, Presenters, Audience] })
export class Slides {}
