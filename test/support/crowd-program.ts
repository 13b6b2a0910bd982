/** A program that opens connections, says when it has them, and waits to be killed: `port count`. */
import { many, openingOf, sayAndHear } from './crowd.js'

const [port = 0, count = 0] = process.argv.slice(2).map(Number)
await many(count, 50, async index => {
  const kind = index % 2 === 0 ? 'stream' : 'socket'
  await sayAndHear(port, openingOf(kind, `/${kind}/idle`))
})
process.send?.('ready')
setInterval(() => {}, 60_000)
