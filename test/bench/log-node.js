/** One of the nodes that share a log: `node log-node.js <log> <port of what holds it> <its own port>`. */
import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { answerQuestions } from './child.js'
import { now } from './clock.js'
import { decorateClass } from './decorate.js'
import { door } from './door.js'
import { HOST } from './fixtures.js'

/** Sends that wait for the log at a time. */
const AT_ONCE = 64
/** Far more than is ever unread. */
const LENGTH = 1_000_000

const [, , log, brokerPort, ownPort] = process.argv
const url = `redis://${HOST}:${brokerPort}`

/** The log of a node of Palomino; by default, that of its own process. */
const LOGS = {
  memory: async () => ({}),
  ipc: async () => ({ eventLog: (await door('cluster')).clusterEventLog() }),
  redis: async () => ({ eventLog: (await door('redis')).redisEventLog({ url }) }),
  nats: async () => ({ eventLog: (await door('nats')).natsEventLog({ servers: `${HOST}:${brokerPort}` }) }),
}

const { send, dialect } = await (log === 'socket.io' ? socketIo() : palomino())

answerQuestions(
  {
    cpu() {
      const { user, system } = process.cpuUsage()
      return user + system
    },
    /** Answers when the first was sent, once the log has taken all. */
    async send({ data, times }) {
      const at = now()
      let left = times
      const sendOn = async () => {
        while (left-- > 0) await send(data)
      }
      await Promise.all(Array.from({ length: Math.min(times, AT_ONCE) }, sendOn))
      return at
    },
  },
  { port: Number(ownPort), dialect },
)

async function palomino() {
  const { bootstrap, ConnectionRegistry, Module, Registry, Socket, WebSocket } = await import(process.env.PALOMINO)
  class Updates extends ConnectionRegistry {}
  decorateClass(Updates, [Registry('updates', { history: 1000 })])
  class Peer {
    constructor(updates, socket) {
      this.updates = updates
      this.socket = socket
    }
    open() {
      return this.updates.join(this.socket, 'all')
    }
  }
  decorateClass(Peer, [WebSocket('/ws', { sendLimit: 1e9 })], [Updates, Socket])
  const AppModule = decorateClass(class {}, [Module({ controllers: [Peer], providers: [Updates] })])
  const app = await bootstrap(AppModule, { port: Number(ownPort), host: HOST, signals: false, ...(await LOGS[log]()) })
  const room = app.get(Updates).to('all')
  return { send: data => room.send('update', data) }
}

/** It tells nobody when Redis has taken what was sent: so many go in each turn of the event loop. */
async function socketIo() {
  const [{ Server }, { createAdapter }, { createClient }] = await Promise.all([
    import('socket.io'),
    import('@socket.io/redis-streams-adapter'),
    import('redis'),
  ])
  const client = createClient({ url })
  await client.connect()
  const server = createServer()
  const io = new Server(server, { transports: ['websocket'], adapter: createAdapter(client, { maxLen: LENGTH }) })
  io.on('connection', socket => socket.join('all'))
  await new Promise(resolve => server.listen(Number(ownPort), HOST, resolve))
  const send = async data => {
    io.to('all').emit('update', data)
    await turn()
  }
  return { send, dialect: 'socket.io' }
}
