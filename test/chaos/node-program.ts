/** One node of the chaos tests: `LOG` says what log it has. It sends what it is told to, and says what came of it. */
import {
  bootstrap,
  type CloseReason,
  ConnectionRegistry,
  Controller,
  EventLogUnavailableError,
  type EventStream,
  Get,
  Module,
  Param,
  type Presence,
  Query,
  Registry,
  type Socket,
  Sse,
  WebSocket,
} from '../../src/index.js'
import { openerOf } from './log-spec.js'
import { HEARTBEAT, LINGER } from './presence-peers.js'

/** What a node is told. */
export type Told =
  | { readonly send: number; readonly room: string; readonly padding?: number }
  | { readonly measure: true }
  | { readonly presence: true }

/** What it answers. */
export type Answered =
  | { readonly port: number }
  | { readonly sent: number; readonly id: string }
  | { readonly sent: number; readonly outcome: 'refused' | 'unknown'; readonly why: string }
  | { readonly rss: number; readonly overflows: number }
  | { readonly present: readonly Presence[] }

@Registry('ticks', {
  history: { count: 50_000, bytes: 500_000_000 },
  presence: { heartbeat: HEARTBEAT, linger: LINGER },
})
class Ticks extends ConnectionRegistry<{ tick: number; bulk: string }, string> {}

/** Connections that ended since it was asked last, since their peers did not keep up. */
let overflows = 0
const count = ({ kind }: CloseReason) => {
  if (kind === 'overflow') overflows++
}

/** Everybody is in `all`; who says so in another room besides. A peer may stand for a user, and watch who else is there. */
function enter(ticks: Ticks, connection: EventStream | Socket, room: string, as: string): Promise<void> {
  const [user = '', meta = '', watch = ''] = as.split(',')
  const tracked = user === '' ? {} : { user, meta, watch: watch !== '' }
  return ticks.join(connection, room === 'all' ? ['all'] : ['all', room], tracked)
}

@Sse('/rooms/:room', { keepAlive: 2000, sendLimit: 262_144 })
class Stream {
  constructor(private readonly ticks: Ticks) {}
  open(stream: EventStream, @Param('room') room: string, @Query('as') as = '') {
    return enter(this.ticks, stream, room, as)
  }
  close(reason: CloseReason) {
    count(reason)
  }
}

@WebSocket('/rooms/:room', { heartbeat: 2000, sendLimit: 262_144 })
class Member {
  constructor(private readonly ticks: Ticks) {}
  open(socket: Socket, @Param('room') room: string, @Query('as') as = '') {
    return enter(this.ticks, socket, room, as)
  }
  close(reason: CloseReason) {
    count(reason)
  }
}

@Controller('/')
class Requests {
  @Get('quick')
  quick() {
    return 'quick'
  }

  @Get('slow')
  async slow() {
    await new Promise(resolve => setTimeout(resolve, 100))
    return 'slow'
  }
}

@Module({ controllers: [Stream, Member, Requests], providers: [Ticks] })
class App {}

/** Faults make warnings; nothing may make an error but a log that is away. */
const logger = { debug() {}, info() {}, warn() {}, error: console.error }

const app = await bootstrap(App, {
  logger,
  port: Number(process.env.PORT ?? 0),
  host: '127.0.0.1',
  eventLog: openerOf(JSON.parse(process.env.LOG ?? '')),
  health: true,
  drainDelay: Number(process.env.DRAIN_DELAY ?? 450),
  deadline: 5000,
})
const ticks = app.get(Ticks)
const answer = (answered: Answered) => void (process.connected && process.send?.(answered))

process.on('message', async (told: Told) => {
  if ('measure' in told) {
    answer({ rss: process.memoryUsage.rss(), overflows })
    overflows = 0
    return
  }
  if ('presence' in told) return answer({ present: ticks.presence('all') })
  if (!('send' in told)) return // the primary speaks to the log on the same channel
  const { send, room, padding = 0 } = told
  try {
    const target = ticks.to(room)
    const id = padding > 0 ? await target.send('bulk', 'x'.repeat(padding)) : await target.send('tick', send)
    answer({ sent: send, id: String(id) })
  } catch (error) {
    const outcome = error instanceof EventLogUnavailableError ? error.outcome : 'unknown'
    answer({ sent: send, outcome, why: String(error) })
  }
})
// Its end is asked for by signals; whoever started it is gone where the channel is.
process.on('disconnect', () => process.exit(1))
answer({ port: app.port })
