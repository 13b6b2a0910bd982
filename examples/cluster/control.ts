/** What the page asks of the supervisor: how things are, as an event stream, and orders. */
import {
  ConnectionRegistry,
  type Context,
  Controller,
  conflict,
  EventStream,
  forbidden,
  Guard,
  Injectable,
  Module,
  noContent,
  notFound,
  Param,
  Post,
  Registry,
  Sse,
} from 'palomino'
import { z } from 'zod'
import { type Status, Supervisor } from './supervisor.js'

const NodeOrder = z.enum(['kill', 'restart', 'freeze', 'thaw', 'start'])
const RedisOrder = z.enum(['stop', 'start'])

/** In which states of a node an order makes sense. */
const fitting: Record<z.infer<typeof NodeOrder>, readonly string[]> = {
  kill: ['serving', 'frozen', 'draining'],
  restart: ['serving'],
  freeze: ['serving'],
  thaw: ['frozen'],
  start: ['down'],
}

/** No page but ours gives orders, wherever it says that we are. */
@Injectable()
class OfThisMachine {
  constructor(private readonly supervisor: Supervisor) {}

  admit(context: Context) {
    const origin = context.header('origin')
    const names = ['localhost', '127.0.0.1', '[::1]']
    const isOurs = origin === undefined || names.some(name => origin === `http://${name}:${this.supervisor.port}`)
    const host = context.header('host')?.replace(/:\d+$/, '') ?? ''
    return (isOurs && names.includes(host)) || forbidden('only the page of this cluster gives orders here')
  }
}

/** Those who watch. They need what is, and nothing of what was. */
@Registry('watchers', { history: false })
class Watchers extends ConnectionRegistry<{ status: Status }> {
  constructor(supervisor: Supervisor) {
    super()
    supervisor.watch(status => void this.broadcast('status', status))
  }
}

@Sse('/status')
@Guard(OfThisMachine)
class Watching {
  constructor(
    private readonly watchers: Watchers,
    private readonly supervisor: Supervisor,
  ) {}

  async open(stream: EventStream) {
    await this.watchers.join(stream, 'all')
    return { event: 'status', data: this.supervisor.status }
  }
}

@Controller('/')
@Guard(OfThisMachine)
class Orders {
  constructor(private readonly supervisor: Supervisor) {}

  @Post('/nodes/:name/:order')
  async node(@Param('name') name: string, @Param('order', NodeOrder) order: z.infer<typeof NodeOrder>) {
    const node = this.supervisor.node(name)
    if (node === undefined) throw notFound(`no node ${name}`)
    if (!fitting[order].includes(node.state)) throw conflict(`${name} is ${node.state}`)
    if (order === 'start') await this.supervisor.run(name)
    else if (order === 'restart') await this.supervisor.restart(name)
    else await node[order]()
    return noContent()
  }

  @Post('/redis/:order')
  async redis(@Param('order', RedisOrder) order: z.infer<typeof RedisOrder>) {
    const { redis } = this.supervisor
    if (redis === undefined) throw notFound('there is no Redis')
    if (redis.state !== (order === 'stop' ? 'up' : 'down')) throw conflict(`Redis is ${redis.state}`)
    await redis[order]()
    return noContent()
  }
}

@Module({ controllers: [Watching, Orders], providers: [Supervisor, Watchers, OfThisMachine] })
export class Control {}
