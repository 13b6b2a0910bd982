import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import { Application } from './application.js'
import type { AbstractClass } from './declare/metadata.js'
import { clusterEventLog, serveClusterLogs } from './logs/cluster.js'
import type { ApplicationOptions } from './options.js'
import { sharing } from './server/shared-address.js'
import { removeStaleSocket } from './server/unix-socket.js'
import { reportFailure, reportReady } from './workers/worker.js'
import { Workers } from './workers/workers.js'

type Serve = (app: Application, options: ApplicationOptions) => Promise<Application>

/** An application in many processes: this one is their primary, or one of them. */
export function serveByWorkers(module: AbstractClass, options: ApplicationOptions, serve: Serve): Promise<Application> {
  return cluster.isPrimary ? lead(module, options) : work(module, options, serve)
}

/** Whether this process has workers. */
let leads = false

/** Finds what is wrong with the declarations before there is any worker. Nothing is made here. */
async function lead(module: AbstractClass, options: ApplicationOptions): Promise<Application> {
  const app = new Application(module, options)
  if (leads) throw new Error('bootstrap: this process has workers already: close them first')
  leads = true
  const logs = serveClusterLogs()
  const over = () => {
    logs.close()
    leads = false
  }
  try {
    if (options.path !== undefined) await removeStaleSocket(options.path)
    // Each worker accepts for itself. In Node's round robin a connection that waits for a worker which is killed hangs.
    if (process.env.NODE_CLUSTER_SCHED_POLICY === undefined) cluster.schedulingPolicy = cluster.SCHED_NONE
    const count = options.workers === 'auto' ? availableParallelism() : Number(options.workers)
    app.leaveTo(await Workers.start({ count, logger: app.logger, leaving: app.leaving, env: sharing }), over)
  } catch (error) {
    over()
    throw error
  }
  if (options.signals ?? options.listen !== false) app.closeOnSignals()
  return app
}

/** What is wrong is told to the primary, which ends this process. */
async function work(module: AbstractClass, given: ApplicationOptions, serve: Serve): Promise<Application> {
  try {
    const options = { ...given, eventLog: given.eventLog ?? clusterEventLog() }
    const app = await serve(new Application(module, options), options)
    reportReady(app)
    return app
  } catch (error) {
    return reportFailure(error)
  }
}
