import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { withDefaults } from '../declare/options.js'
import type { LeaveOptions } from '../server/leave.js'
import { errorOf, type Order, type Report } from './orders.js'

/** How a process ended: its exit code, or the signal that killed it. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Milliseconds beyond its deadline until a worker that does not end is killed; longer where its deadline is. */
const STOP_PATIENCE = 5000

/** One worker, as its primary sees it. */
export class Forked {
  readonly #worker: Worker
  readonly ended: Promise<Ended>
  /** Where it listens, once it does. Rejects with what its `bootstrap` threw, and where it ends before. */
  readonly ready: Promise<readonly (AddressInfo | string)[]>
  /** Whether its end is wanted, so that nobody takes its place. */
  retiring = false
  /** When it was ready. */
  since = 0

  /** Runs the main module once more. @param failed hears what is wrong with the channel to it */
  constructor(env: Readonly<Record<string, string>>, failed: (error: unknown) => void) {
    const worker = cluster.fork(env)
    this.#worker = worker
    worker.on('error', failed)
    this.ended = once(worker.process, 'exit').then(([code, signal]) => ({ code, signal }))
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (report: Report) => {
        if (report?.palomino === 'failed') reject(errorOf(report.failure))
        if (report?.palomino !== 'ready') return
        this.since = performance.now()
        resolve(report.addresses)
      })
      this.ended.then(ended => reject(new Error(`a worker ended ${tell(ended)} before it was ready`)))
    })
    this.ready.catch(() => {})
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#worker.process.kill(signal)
  }

  /** Has it drain and end. Rejects where it did not do so cleanly. @param own how it does where `options` say nothing */
  async close(options: Partial<LeaveOptions>, own: LeaveOptions): Promise<void> {
    this.retiring = true
    const { deadline, drainDelay } = withDefaults(own, options)
    const order: Order = { palomino: 'close', options }
    if (this.since === 0) this.kill('SIGTERM')
    else this.#worker.process.send(order, undefined, undefined, () => {})
    const timer = setTimeout(() => this.kill(), drainDelay + deadline + Math.max(deadline, STOP_PATIENCE))
    const ended = await this.ended
    clearTimeout(timer)
    if (this.since > 0 && ended.code !== 0) throw new Error(`the worker ${this.pid} ended ${tell(ended)}`)
  }
}

export function tell({ code, signal }: Ended): string {
  return signal === null ? `with ${code}` : `by ${signal}`
}
