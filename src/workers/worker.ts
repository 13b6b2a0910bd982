/** What a worker does that its primary started. */
import cluster from 'node:cluster'
import type { AddressInfo } from 'node:net'
import type { LeaveOptions } from '../server/leave.js'
import { failureOf, type Order, type Report } from './orders.js'

/** What is closed when the worker is to end. */
interface Closable {
  readonly addresses: readonly (AddressInfo | string)[]
  close(options?: Partial<LeaveOptions>): Promise<void>
}

/** Tells the primary that this worker serves; from then on it drains and ends when it is told to, and when the primary is gone. */
export function reportReady(app: Closable): void {
  const end = (options: Partial<LeaveOptions> = {}) =>
    app.close(options).then(
      () => process.exit(0),
      () => process.exit(1),
    )
  process.on('message', (order: Order) => {
    if (order?.palomino === 'close') end(order.options)
  })
  cluster.worker?.on('disconnect', () => {
    // Else Node.js ends the process at once.
    if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
    end()
  })
  // What keeps the process is its server, as it would without a primary.
  process.channel?.unref()
  report({ palomino: 'ready', addresses: app.addresses })
}

/** Tells the primary why this worker does not serve, and ends it: the primary is who says so. */
export function reportFailure(error: unknown): Promise<never> {
  const failed = () => process.exit(1)
  report({ palomino: 'failed', failure: failureOf(error) }, failed)
  return new Promise(() => {})
}

function report(report: Report, done: () => void = () => {}): void {
  if (process.connected) process.send?.(report, undefined, undefined, done)
  else done()
}
