import { bootstrap, formatRoutes, Module } from 'palomino'
import { Assets } from '../assets.js'
import { Quickstart } from './quickstart.js'

@Module({ imports: [Quickstart, Assets] })
class App {}

const app = await bootstrap(App, { port: process.env.PORT ?? 3000 })
console.log(`${formatRoutes(app.routes)}\n\nQuickstart at ${app.url}`)
