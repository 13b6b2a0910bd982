import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP way to a server under test that can be cut, as a tunnel or a closed lid does it, and mended. */
export class CuttableWire {
  readonly #sockets = new Set<Socket>()
  #cut = false

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {}

  static async to(port: number): Promise<CuttableWire> {
    const server = createServer()
    const wire = new CuttableWire(server, port)
    server.on('connection', socket => wire.#carry(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return wire
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Resets all connections; new ones are reset, too, until it is mended. */
  cut(): void {
    this.#cut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  mend(): void {
    this.#cut = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise(resolve => this.server.close(resolve))
  }

  #carry(peer: Socket): void {
    if (this.#cut) return void peer.resetAndDestroy()
    const server = connect(this.target, '127.0.0.1')
    for (const [from, to] of [
      [peer, server],
      [server, peer],
    ] as const) {
      this.#sockets.add(from)
      from.pipe(to)
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }
}
