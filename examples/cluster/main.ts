/** `npm run cluster`: a log, three nodes, a balancer, and this process, which runs them and takes orders from the page. */
import cors from 'cors'
import { bootstrap } from 'palomino'
import { Control } from './control.js'
import { Supervisor } from './supervisor.js'

const { PORT = '3000', LOG } = process.env

const app = await bootstrap(Control, {
  port: 0,
  host: '127.0.0.1', // who kills processes is of this machine
  use: [cors({ origin: /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]):\d+$/ })],
  deadline: 20_000, // nodes have 10 s to drain
})
const supervisor = app.get(Supervisor)
await supervisor.start({ port: Number(PORT), address: app.url ?? '', redis: LOG !== 'ipc' })
console.log(`The log is in ${supervisor.log}.\n\nCluster at http://localhost:${supervisor.port}`)
