import { Context, Controller, EventStream, Get, Module, Param, RequestContext, Sse, WebSocket } from 'palomino'
import { page } from '../assets.js'

@Controller('/')
class Welcome {
  @Get('/')
  index(context: RequestContext) {
    return page(context, 'quickstart/page.html')
  }

  @Get('/welcome/:name')
  welcome(@Param('name') name: string, context: Context) {
    return { welcome: name, route: context.route.name }
  }
}

/** An event source: one instance per connection. */
@Sse('/time')
class TimeEvents {
  open(stream: EventStream) {
    stream.every(1000, 'time') // dies with the connection
    return this.info()
  }

  info() {
    return { event: 'time', data: new Date() }
  }
}

/** A socket: what a handler returns is sent. */
@WebSocket('/echo')
class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}

@Module({ controllers: [Welcome, TimeEvents, Echo] })
export class Quickstart {}
