import cors from 'cors'
import { bootstrap, formatRoutes, Module } from 'palomino'
import { Assets } from '../assets.js'
import { Slides } from './slides.js'

@Module({ imports: [Slides, Assets] })
class App {}

const app = await bootstrap(App, { port: process.env.PORT ?? 3000, use: [cors()] }) // an audience on any site
console.log(`${formatRoutes(app.routes)}\n\nSlides at ${app.url}`)
