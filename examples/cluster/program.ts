/** One node, as a process of its own. `REDIS_URL` says where its log is; without, the process that started it has it. */
import { clusterEventLog } from 'palomino/cluster'
import { redisEventLog } from 'palomino/redis'
import { serveNode } from './node.js'

const url = process.env.REDIS_URL
const app = await serveNode(url === undefined ? clusterEventLog() : redisEventLog({ url }))

const leave = () =>
  app.close().then(
    () => process.exit(0),
    () => process.exit(1),
  )

process.on('SIGTERM', leave)
process.on('disconnect', leave) // the supervisor is gone
process.on('SIGINT', () => {}) // a terminal sends it to all: the supervisor ends this process when its turn has come
