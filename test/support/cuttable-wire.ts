import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP way to a server under test that can be cut, as a tunnel or a closed lid does it, and mended. */
export class CuttableWire {
  readonly #sockets = new Set<Socket>()
  #cut = false
  #hushed = false

  private constructor(
    private readonly server: Server,
    private target: number,
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
    // Node never lets go of the handle of one that is reset while it is shut down.
    for (const socket of this.#sockets)
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
  }

  mend(): void {
    this.#cut = false
    this.#hushed = false
  }

  /** Leads to another server, as an address does that a failover moved. */
  lead(port: number): void {
    this.turn(port)
    this.cut()
    this.mend()
  }

  /** Leads new connections to another server; those that are open stay where they are. */
  turn(port: number): void {
    this.target = port
  }

  /** What peers say still arrives, but they hear no answer. */
  hush(): void {
    this.#hushed = true
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
      from.on('data', (bytes: Buffer) => {
        if (from === server && this.#hushed) return
        if (!to.write(bytes)) from.pause()
      })
      to.on('drain', () => from.resume())
      from.on('end', () => to.end())
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }
}
