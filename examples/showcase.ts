import cors from 'cors'
import { Application, Controller, formatRoutes, Get, Module, mount, RequestContext } from 'palomino'
import { Assets, page } from './assets.js'
import { Chat } from './chat/chat.js'
import { Quickstart } from './quickstart/quickstart.js'
import { Slides } from './slides/slides.js'
import { Uploading } from './upload/upload.js'

@Controller('/')
class Landing {
  constructor(private readonly app: Application) {}

  @Get('/')
  index(context: RequestContext) {
    return page(context, 'landing/page.html')
  }

  /** The table that all of this came to. */
  @Get('/routes')
  routes() {
    return formatRoutes(this.app.routes)
  }
}

@Module({
  imports: [
    Assets,
    { module: Quickstart, prefix: '/quickstart' },
    { module: Slides, prefix: '/slides' },
    { module: Chat, prefix: '/chat' },
    { module: Uploading, prefix: '/upload' },
  ],
  controllers: [Landing],
})
export class Showcase {}

/** The slides' audience may sit on any site. */
export const middleware = [mount('/slides', cors())]
