/** Run by a test: ends as soon as an upload is in its temporary file. */
import 'reflect-metadata'
import { existsSync } from 'node:fs'
import { bootstrap, Controller, File, Module, Post, type Upload } from '../../src/index.js'

@Controller('/')
class Ending {
  @Post('/')
  take(@File('f') { path = '' }: Upload) {
    process.exit(existsSync(path) ? 7 : 1)
  }
}

@Module({ controllers: [Ending] })
class App {}

const uploads = { directory: process.argv[2] ?? '' }
const app = await bootstrap(App, { port: 0, host: '127.0.0.1', signals: false, uploads })
process.send?.(app.port)
