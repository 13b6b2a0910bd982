/** Two nodes that share a log, each a process, and what holds the log: `log` names it. */
import { fork } from 'node:child_process'
import cluster from 'node:cluster'
import { Child } from '../child.js'
import { door } from '../door.js'
import { sparePort, startProgram } from '../programs.js'

const PROGRAM = new URL('../log-node.js', import.meta.url).pathname
const forkNode = argv => fork(PROGRAM, argv)

export const packages = ['redis', 'socket.io', '@socket.io/redis-streams-adapter']

/** How each is set up: what the nodes are told, and the CPU time of what holds the log. */
const SETUPS = {
  async memory() {
    return { start: forkNode, count: 1 }
  },
  async ipc() {
    const { serveClusterLogs } = await door('cluster')
    serveClusterLogs()
    cluster.setupPrimary({ exec: PROGRAM })
    const start = argv => {
      cluster.settings.args = argv
      return cluster.fork().process
    }
    return { start, cpu: ownCpu }
  },
  redis: () => withProgram('redis-server'),
  nats: () => withProgram('nats-server'),
  'socket.io': () => withProgram('redis-server'),
}

async function withProgram(program) {
  const { port, cpu } = await startProgram(program)
  return { start: forkNode, port, cpu }
}

function ownCpu() {
  const { user, system } = process.cpuUsage()
  return user + system
}

export async function logs({ log }) {
  const { start, count = 2, port = 0, cpu } = await SETUPS[log]()
  const nodes = []
  for (let node = 0; node < count; node++) {
    const argv = [log, port, await sparePort()].map(String)
    nodes.push(await Child.of(start(argv), `a node of ${log}`))
  }
  const [sender, hearer] = [nodes[0], nodes.at(-1)]
  const cpus = async () => {
    const used = await Promise.all(nodes.map(node => node.ask('cpu')))
    return { nodes: used.reduce((sum, each) => sum + each), broker: cpu?.() }
  }
  return {
    port: hearer.ready.port,
    dialect: hearer.ready.dialect,
    answers: { cpus, send: asks => sender.ask('send', asks) },
  }
}
