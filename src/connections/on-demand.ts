import type { AskedFor, Handshake } from '../pipeline/context.js'
import { makeId } from './id.js'

/** Messages from inside that may wait for a busy handler. */
const INBOX_LIMIT = 1024

/** What few connections are asked for: an idle one keeps nothing for it (`idle`). */
export class OnDemand {
  #id: string | undefined
  #controller: AbortController | undefined
  #handshake: Handshake | undefined
  /** Messages from inside that have not reached `info`. */
  told = 0
  /** Who waits for `close`. */
  readonly settled: (() => void)[] = []

  get isFull(): boolean {
    return this.told >= INBOX_LIMIT
  }

  id(owner: object): string {
    this.#id ??= makeId(owner)
    return this.#id
  }

  isNamedIn(ids: readonly string[]): boolean {
    return this.#id !== undefined && ids.includes(this.#id)
  }

  handshake(asked: AskedFor, remoteAddress: string | undefined): Handshake {
    this.#handshake ??= Object.freeze({ ...asked, remoteAddress })
    return this.#handshake
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
