import { bootstrap, formatRoutes } from 'palomino'
import { middleware, Showcase } from './showcase.js'

const app = await bootstrap(Showcase, { port: process.env.PORT ?? 3000, use: middleware, requestTimeout: 600_000 })
console.log(`${formatRoutes(app.routes)}\n\nPalomino at ${app.url}`)
