import type { ServerResponse } from 'node:http'
import { isClosed } from './lane.js'

/** What is left to do when an exchange is over: its response is closed, and its handler has settled. */
export class ExchangeEnd {
  readonly #runs: (() => void)[] = []
  #isClosed = false

  constructor(
    response: ServerResponse,
    private isSettled: boolean,
  ) {
    const close = () => {
      this.#isClosed = true
      this.#check()
    }
    if (isClosed(response)) close()
    else response.once('close', close)
  }

  add(run: () => void): void {
    this.#runs.push(run)
    this.#check()
  }

  settle(): void {
    this.isSettled = true
    this.#check()
  }

  #check(): void {
    if (this.#isClosed && this.isSettled) for (const run of this.#runs.splice(0)) run()
  }
}
