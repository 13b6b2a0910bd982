/** A worker that holds event logs for a test in its primary: started by `LogWorker`. */
import { type EventLog, MemoryEventLog } from '../../src/index.js'
import { clusterEventLog } from '../../src/logs/cluster.js'
import type { Call, Heard, Returned } from './log-workers.js'

const logs = new Map<number, EventLog>()
const openLog = clusterEventLog({ patience: 10_000 })

async function run({ log, method, args }: Call): Promise<unknown> {
  if (method === 'open') {
    const [registry, retention] = args as [string, ConstructorParameters<typeof MemoryEventLog>[0]]
    return void logs.set(log, await openLog(registry, retention, console))
  }
  const opened = logs.get(log)
  const [first, second, third] = args as [never, never, never]
  if (method === 'start') {
    const hear = (kind: Heard['kind']) => (what: unknown) => void process.send?.({ log, kind, what })
    return opened?.start({ entry: hear('entry'), notice: hear('notice'), reset: hear('reset') })
  }
  if (method === 'read') {
    const page = await opened?.read(new Map(first), second, third ?? undefined)
    return { ...page, gaps: [...(page?.gaps ?? [])] }
  }
  return opened?.[method](first, second)
}

process.on('message', (call: Call) => {
  if (typeof call.method !== 'string') return
  const answer = (returned: Omit<Returned, 'call'>) => process.send?.({ call: call.call, ...returned })
  run(call).then(
    value => answer({ value }),
    error => answer({ error: String(error) }),
  )
})
process.send?.('here')
