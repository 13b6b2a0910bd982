import { once } from 'node:events'
import { get } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** One of those that the load is spread over. */
export interface BalancedNode {
  readonly name: string
  readonly port: number
  /** Whether it said so when it was asked last. */
  readonly ready: boolean
  /** Connections that it has through this balancer. */
  readonly connections: number
}

interface Backend {
  readonly name: string
  readonly port: number
  ready: boolean
  connections: number
}

export interface BalancerOptions {
  /** @default a spare one */
  readonly port?: number
  /** Milliseconds between two questions whether a node is ready, and for its answer. @default 250 */
  readonly every?: number
  /** Hears of each change. @default nobody */
  readonly onChange?: () => void
}

/**
 * Spreads TCP connections over nodes: each goes to the one that has the fewest among those whose `/ready` says 200. It
 * looks into no bytes, so requests, event streams and sockets are all the same to it, and it ends no connection by itself:
 * a node that drains tells its peers when to come back, and those that come are given another node.
 */
export class Balancer {
  readonly #backends = new Map<string, Backend>()
  readonly #sockets = new Set<Socket>()
  readonly #timer: NodeJS.Timeout

  private constructor(
    private readonly server: Server,
    private readonly every: number,
    private readonly onChange: () => void,
  ) {
    this.#timer = setInterval(() => void this.ask(), every)
  }

  static async listen({ port = 0, every = 250, onChange = () => {} }: BalancerOptions = {}): Promise<Balancer> {
    // Half of a connection may end before the other: what was said before is still answered.
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const balancer = new Balancer(server, every, onChange)
    server.on('connection', peer => void balancer.#carry(peer))
    await once(server.listen(port), 'listening')
    return balancer
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get nodes(): readonly BalancedNode[] {
    return [...this.#backends.values()]
  }

  /** Adds a node, or says where it is now. It is given connections as soon as it says that it is ready. */
  async add(name: string, port: number): Promise<void> {
    const backend = { name, port, ready: false, connections: 0 }
    this.#backends.set(name, backend)
    await this.#ask(backend)
  }

  /** Gives a node no more connections; those that it has go on. */
  remove(name: string): void {
    this.#backends.delete(name)
    this.onChange()
  }

  /** Asks all nodes now. */
  async ask(): Promise<void> {
    await Promise.all([...this.#backends.values()].map(backend => this.#ask(backend)))
  }

  /** Ends all connections, and asks no more. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.server.close(resolve))
  }

  async #ask(backend: Backend): Promise<void> {
    this.#mark(backend, await isReady(backend.port, this.every))
  }

  #mark(backend: Backend, ready: boolean): void {
    if (backend.ready === ready) return
    backend.ready = ready
    this.onChange()
  }

  /** The node with the fewest connections among the ready; where there is none, among the others. */
  #choose(tried: ReadonlySet<Backend>): Backend | undefined {
    const left = [...this.#backends.values()].filter(backend => !tried.has(backend))
    const fewest = (one: Backend, other: Backend) => one.connections - other.connections
    return left.filter(({ ready }) => ready).sort(fewest)[0] ?? left.sort(fewest)[0]
  }

  /** Finds a node that takes the connection. Nothing was said to those that refuse, so trying the next repeats nothing. */
  async #carry(peer: Socket): Promise<void> {
    this.#keep(peer)
    const tried = new Set<Backend>()
    for (let backend = this.#choose(tried); backend !== undefined && !peer.destroyed; backend = this.#choose(tried)) {
      tried.add(backend)
      const node = connect({ port: backend.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      if (!(await hasConnected(node))) this.#mark(backend, false)
      else if (peer.destroyed) node.destroy()
      else return this.#join(peer, node, backend)
    }
    peer.resetAndDestroy()
  }

  #join(peer: Socket, node: Socket, backend: Backend): void {
    this.#keep(node)
    backend.connections++
    this.onChange()
    node.once('close', () => {
      backend.connections--
      this.onChange()
    })
    pass(peer, node)
    pass(node, peer)
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

/** Hands on what one side says, at the pace of the other; its end; and that it was cut. */
function pass(from: Socket, to: Socket): void {
  from.pipe(to)
  from.once('close', hadError => {
    if (hadError && !to.destroyed) to.resetAndDestroy()
    else if (!from.readableEnded) to.destroy()
  })
}

async function hasConnected(socket: Socket): Promise<boolean> {
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  }
}

function isReady(port: number, patience: number): Promise<boolean> {
  return new Promise(resolve => {
    const asked = get({ port, host: '127.0.0.1', path: '/ready', agent: false }, response => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.setTimeout(patience, () => asked.destroy())
    asked.on('error', () => resolve(false))
    asked.on('close', () => resolve(false))
  })
}
