/** How a node of the chaos tests opens its log. */
import type { OpenEventLog } from '../../src/index.js'
import { clusterEventLog } from '../../src/logs/cluster.js'
import { natsEventLog } from '../../src/logs/nats.js'
import { redisEventLog } from '../../src/logs/redis.js'

/** What a node's program is told of its log; it has a JSON form. */
export interface LogSpec {
  readonly kind: keyof typeof OPENERS
  readonly url: string
}

/** As far as the registry of the nodes remembers. */
const STREAM = { count: 200_000, bytes: 500_000_000 }

const OPENERS = {
  redis: ({ url }: LogSpec): OpenEventLog => redisEventLog({ url, patience: 30_000 }),
  nats: ({ url }: LogSpec): OpenEventLog => natsEventLog({ servers: url, patience: 30_000, stream: STREAM }),
  ipc: (_: LogSpec): OpenEventLog => clusterEventLog({ patience: 30_000 }),
}

export function openerOf(spec: LogSpec): OpenEventLog {
  return OPENERS[spec.kind](spec)
}
