import { Injectable, type OnStop } from 'palomino'
import { Balancer } from './balancer.js'
import { byIpc, byRedis, NodeProcess, type NodeState } from './node-process.js'
import { LocalRedis, type RedisState } from './redis.js'

const NAMES = ['one', 'two', 'three']

/** What there is, and how it is. */
export interface Status {
  readonly nodes: readonly NodeStatus[]
  /** Undefined where the log is in this process. */
  readonly redis: { readonly state: RedisState; readonly pid: number | undefined } | undefined
}

interface NodeStatus {
  readonly name: string
  readonly state: NodeState
  readonly pid: number | undefined
  /** Connections that it has through the balancer: peers, and requests. */
  readonly connections: number
}

export interface SupervisorOptions {
  /** Where peers come. */
  readonly port: number
  /** Where this process takes orders. */
  readonly address: string
  /** Whether nodes have their log in Redis, where it is installed. */
  readonly redis: boolean
}

/** Runs a Redis, three nodes and the balancer in front of them, and ends them all. */
@Injectable()
export class Supervisor implements OnStop {
  readonly #nodes = new Map<string, NodeProcess>()
  #redis: LocalRedis | undefined
  #balancer: Balancer | undefined
  #address = ''
  #port = 0
  #stopping = false
  #onChange: (status: Status) => void = () => {}
  #telling = false

  /** Settles when all nodes serve. */
  async start({ port, address, redis }: SupervisorOptions): Promise<void> {
    process.once('exit', () => this.#killNow())
    this.#address = address
    const changed = () => this.#tell()
    this.#balancer = await Balancer.listen({ port, onChange: changed })
    this.#port = this.#balancer.port
    const program = redis ? LocalRedis.find() : undefined
    if (program !== undefined) this.#redis = await LocalRedis.open(program, changed)
    const launch = this.#redis === undefined ? byIpc() : byRedis(this.#redis.url)
    for (const name of NAMES) this.#nodes.set(name, new NodeProcess(name, launch, changed))
    await Promise.all([...this.#nodes.values()].map(node => this.#run(node)))
  }

  /** Nodes first, so that they say goodbye while there is a log and a balancer. */
  async onStop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#nodes.values()].map(node => node.drain()))
    await this.#balancer?.close()
    await this.#redis?.end()
  }

  /** Where peers come. */
  get port(): number {
    return this.#port
  }

  get log(): string {
    return this.#redis === undefined ? 'this process, over IPC' : `Redis at ${this.#redis.url}`
  }

  get redis(): LocalRedis | undefined {
    return this.#redis
  }

  node(name: string): NodeProcess | undefined {
    return this.#nodes.get(name)
  }

  get status(): Status {
    const connections = new Map(this.#balancer?.nodes.map(node => [node.name, node.connections]))
    const nodes = [...this.#nodes.values()].map(({ name, state, pid }) => {
      return { name, state, pid, connections: connections.get(name) ?? 0 }
    })
    return { nodes, redis: this.#redis && { state: this.#redis.state, pid: this.#redis.pid } }
  }

  /** @param onChange hears of each change */
  watch(onChange: (status: Status) => void): void {
    this.#onChange = onChange
  }

  /** Starts a node that is down. */
  async run(name: string): Promise<void> {
    const node = this.#nodes.get(name)
    if (node !== undefined) await this.#run(node)
  }

  /** Has a node drain, and another take its place. */
  async restart(name: string): Promise<void> {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    await node.drain()
    await this.#run(node)
  }

  async #run(node: NodeProcess): Promise<void> {
    if (this.#stopping || node.state !== 'down') return
    try {
      const port = await node.start({ SUPERVISOR: this.#address })
      await this.#balancer?.add(node.name, port)
    } catch (error) {
      if (!this.#stopping) throw error
    }
  }

  /** Once for what changes at a time. */
  #tell(): void {
    if (this.#telling) return
    this.#telling = true
    setImmediate(() => {
      this.#telling = false
      this.#onChange(this.status)
    })
  }

  #killNow(): void {
    for (const node of this.#nodes.values()) node.killNow()
    this.#redis?.killNow()
  }
}
