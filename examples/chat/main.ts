import { bootstrap, formatRoutes, Module } from 'palomino'
import { Assets } from '../assets.js'
import { Chat } from './chat.js'

@Module({ imports: [Chat, Assets] })
class App {}

const app = await bootstrap(App, { port: process.env.PORT ?? 3000 })
console.log(`${formatRoutes(app.routes)}\n\nChat at ${app.url}`)
