/** The peers' process, as the test sees it. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Order } from './peers-program.js'

export class Crowd {
  readonly #gone = new AbortController()

  private constructor(private readonly child: ChildProcess) {
    child.once('exit', code => this.#gone.abort(new Error(`the peers' process ended with ${code}`)))
  }

  static async open(t: TestContext, order: Order): Promise<Crowd> {
    const child = fork(join(import.meta.dirname, 'peers-program.js'))
    t.after(() => child.kill('SIGKILL'))
    const crowd = new Crowd(child)
    assert.equal(await crowd.ask(order), 'ready')
    return crowd
  }

  async ask(order: Order): Promise<unknown> {
    const [answer] = await Promise.all([once(this.child, 'message', { signal: this.#gone.signal }), this.tell(order)])
    return answer[0]
  }

  async tell(order: Order): Promise<void> {
    this.child.send(order)
  }
}
