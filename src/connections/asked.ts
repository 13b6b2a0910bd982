import { makeId } from './id.js'

/** What few connections are asked for: an idle one keeps nothing for it (`idle`). */
export class Asked {
  #id: string | undefined
  #controller: AbortController | undefined
  /** Messages from inside that have not reached `info`. */
  told = 0
  /** Who waits for `close`. */
  readonly settled: (() => void)[] = []

  id(owner: object): string {
    this.#id ??= makeId(owner)
    return this.#id
  }

  /** @param reason why the connection has ended, where it has */
  signal(reason: unknown): AbortSignal {
    this.#controller ??= new AbortController()
    if (reason !== undefined) this.abort(reason)
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#controller?.abort(reason)
  }
}
