/** What connections are told by a timer that they share. */
export interface Beats<C> {
  /** There are some; each beat comes to those that are among them then. */
  start(connections: Iterable<C>): void
  /** There are none any more. */
  stop(): void
}

/** The live connections of one route, in one set, which is what beats for them goes through. */
export class LiveOfRoute<C> implements Iterable<C> {
  readonly #connections = new Set<C>()

  constructor(
    readonly all: LiveConnections<C>,
    private readonly pulses: readonly Beats<C>[],
  ) {}

  get size(): number {
    return this.#connections.size
  }

  add(connection: C): void {
    this.#connections.add(connection)
    if (this.size === 1) for (const pulse of this.pulses) pulse.start(this.#connections)
  }

  delete(connection: C): void {
    if (!this.#connections.delete(connection) || this.size > 0) return
    for (const pulse of this.pulses) pulse.stop()
    this.all.lost()
  }

  [Symbol.iterator](): Iterator<C> {
    return this.#connections[Symbol.iterator]()
  }
}

/** The live connections of an application: those whose `close` has not run to its end. */
export class LiveConnections<C> implements Iterable<C> {
  readonly #routes: LiveOfRoute<C>[] = []
  #emptied: (() => void)[] = []
  /** The application is about to go away: balancers are told, and connections that are kept; all else goes on. */
  leaving = false
  /** Another process has taken over at the same address: balancers need not turn away. */
  replaced = false
  /** It is going away: nothing opens any more. */
  draining = false
  /** It has gone: what its handlers need is being stopped, and a server of somebody else may still ask them. */
  gone = false

  get size(): number {
    return this.#routes.reduce((sum, { size }) => sum + size, 0)
  }

  /** Those of one more route, with what is to beat for them. */
  ofRoute(pulses: readonly Beats<C>[]): LiveOfRoute<C> {
    const route = new LiveOfRoute(this, pulses)
    this.#routes.push(route)
    return route
  }

  /** A route has lost its last one. */
  lost(): void {
    if (this.size > 0) return
    for (const resolve of this.#emptied.splice(0)) resolve()
  }

  /** Settles when the last one has gone. */
  emptied(): Promise<void> {
    if (this.size === 0) return Promise.resolve()
    return new Promise(resolve => this.#emptied.push(resolve))
  }

  *[Symbol.iterator](): Iterator<C> {
    for (const route of this.#routes) yield* route
  }
}
