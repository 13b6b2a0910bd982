import { type ChildProcess, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { serveClusterLogs } from 'palomino/cluster'
import { sparePort } from './spare-port.js'

export type NodeState = 'starting' | 'serving' | 'draining' | 'frozen' | 'down'

type Environment = Record<string, string>

/** Starts the program of a node. */
export type Launch = (env: Environment) => Promise<ChildProcess>

const program = fileURLToPath(new URL('program.js', import.meta.url))

/** Nodes that have their log in Redis: processes that have nothing to do with each other. */
export function byRedis(url: string): Launch {
  return async env => fork(program, { env: { ...process.env, ...env, PORT: '0', REDIS_URL: url } })
}

/** Nodes that have their log in this process: workers of `node:cluster`, which tell it to each other through it. */
export function byIpc(): Launch {
  cluster.setupPrimary({ exec: program })
  cluster.schedulingPolicy = cluster.SCHED_NONE
  serveClusterLogs()
  // Workers that ask for port 0 would share one: each is given its own.
  return async env => cluster.fork({ ...env, PORT: `${await sparePort()}` }).process
}

/** One node: a process that is started, killed, drained and frozen. */
export class NodeProcess {
  state: NodeState = 'down'
  #child: ChildProcess | undefined
  /** Whether nobody has ended it since it was last started. */
  #wanted = false

  constructor(
    readonly name: string,
    private readonly launch: Launch,
    private readonly onChange: () => void,
  ) {}

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** @returns the port where it listens */
  async start(env: Environment): Promise<number> {
    this.#wanted = true
    for (let attempts = 3; ; attempts--) {
      try {
        return await this.#start(env)
      } catch (error) {
        if (attempts === 1 || !this.#wanted) throw error // a spare port may have been taken
      }
    }
  }

  async #start(env: Environment): Promise<number> {
    this.#turn('starting')
    const child = await this.launch({ ...env, NODE_NAME: this.name })
    this.#child = child
    const gone = new AbortController()
    child.once('exit', () => {
      gone.abort(new Error(`${this.name} ended before it served`))
      this.#child = undefined
      this.#turn('down')
    })
    if (!this.#wanted) child.kill('SIGKILL')
    const port = await portOf(child, gone.signal)
    this.#turn('serving')
    return port
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Has it say goodbye to its peers, and end. */
  async drain(): Promise<void> {
    if (this.#child !== undefined) this.#turn('draining')
    await this.#end('SIGTERM')
  }

  /** It does nothing any more, and keeps its connections. */
  freeze(): void {
    if (this.#child?.kill('SIGSTOP')) this.#turn('frozen')
  }

  thaw(): void {
    if (this.#child?.kill('SIGCONT')) this.#turn('serving')
  }

  /** For a process that is about to end. */
  killNow(): void {
    this.#child?.kill('SIGKILL')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#wanted = false
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT') // one that is frozen would not hear the other
    await exited
  }

  #turn(state: NodeState): void {
    this.state = state
    this.onChange()
  }
}

/** What a node says when it serves; a worker of `node:cluster` says other things besides. */
function portOf(child: ChildProcess, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    child.on('message', (said: { name?: string; port?: number }) => {
      if (said.name !== undefined && said.port !== undefined) resolve(said.port)
    })
  })
}
