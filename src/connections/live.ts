/** The live connections of an application: those whose `close` has not run to its end. */
export class LiveConnections<C> implements Iterable<C> {
  readonly #connections = new Set<C>()
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
    return this.#connections.size
  }

  add(connection: C): void {
    this.#connections.add(connection)
  }

  delete(connection: C): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    for (const resolve of this.#emptied.splice(0)) resolve()
  }

  /** Settles when the last one has gone. */
  emptied(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve()
    return new Promise(resolve => this.#emptied.push(resolve))
  }

  [Symbol.iterator](): Iterator<C> {
    return this.#connections[Symbol.iterator]()
  }
}
