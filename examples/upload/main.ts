import { bootstrap, formatRoutes, Module } from 'palomino'
import { Assets } from '../assets.js'
import { Uploading } from './upload.js'

@Module({ imports: [Uploading, Assets] })
class App {}

const app = await bootstrap(App, { port: process.env.PORT ?? 3000, requestTimeout: 600_000 }) // large files take their time
console.log(`${formatRoutes(app.routes)}\n\nUpload at ${app.url}`)
