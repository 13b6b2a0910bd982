import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createClient, createSentinel } from 'redis'
import { ConfigurationError, type OpenEventLog } from '../../src/index.js'
import { type RedisEventLogOptions, redisEventLog } from '../../src/logs/redis.js'
import { type EventLogTraits, testEventLog } from '../../src/testing/index.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { RedisCluster } from '../support/redis-cluster.js'
import { RedisServer, skip } from '../support/redis-server.js'

const servers: { end(): Promise<void> }[] = []
after(() => Promise.all(servers.map(server => server.end())))

async function open(...args: Parameters<typeof RedisServer.open>): Promise<RedisServer> {
  const server = await RedisServer.open(...args)
  servers.push(server)
  return server
}

/** The contract, on servers that are started when the first test needs them. */
function contract(name: string, start: () => Promise<OpenEventLog>, faults: EventLogTraits = {}): void {
  describe(name, { skip }, () => {
    let started: Promise<OpenEventLog> | undefined
    const opened = () => {
      started ??= start()
      return started
    }
    testEventLog('RedisEventLog', async (registry, retention) => (await opened())(registry, retention, new LogBook()), {
      nodes: true,
      ...faults,
    })
  })
}

contract('one server, by its url', async () => redisEventLog({ url: (await open()).url }))

let server: RedisServer | undefined
let wire: CuttableWire | undefined
after(() => wire?.close())
contract(
  'one server, behind a wire that can be cut',
  async () => {
    server = await open()
    wire = await CuttableWire.to(server.port)
    return redisEventLog({ url: `redis://127.0.0.1:${wire.port}`, patience: 15_000 })
  },
  {
    interrupt() {
      wire?.cut()
      wire?.mend()
    },
    async lose() {
      await server?.command('FLUSHALL')
    },
  },
)

contract('one server, by a client that is not connected', async () => {
  const { port } = await open()
  return redisEventLog({ client: createClient({ socket: { host: '127.0.0.1', port }, RESP: 3 }), prefix: 'other' })
})

contract('a Cluster of three', async () => {
  const cluster = await RedisCluster.open(3)
  servers.push(cluster)
  return redisEventLog({ client: cluster.client() })
})

contract('a Sentinel', async () => {
  const { port } = await open({}, await open())
  const client = createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port }] })
  return redisEventLog({ client })
})

describe('the options of redisEventLog', () => {
  const problems = (options: unknown) => {
    try {
      redisEventLog(options as RedisEventLogOptions)
    } catch (error) {
      assert.ok(error instanceof ConfigurationError)
      return error.problems
    }
    return []
  }

  test('are checked at once', () => {
    assert.deepEqual(problems({ url: 6379, patience: -1, waiting: 0, tail: 5, client: {}, onHealth: 1, prefix: 1 }), [
      'redisEventLog: url should be a string, not 6379',
      'redisEventLog: patience should be milliseconds, from 0 to 2147483647, not -1',
      'redisEventLog: waiting should be a whole number, above 0, not 0',
      'redisEventLog: tail should be an object of options, not 5',
      'redisEventLog: client should be a client of the package redis, not an object',
      'redisEventLog: onHealth should be a function, not 1',
      'redisEventLog: prefix should be a string, not 1',
      'redisEventLog: give a url or a client, not both',
    ])
    assert.deepEqual(problems({ patients: 5 }), ['redisEventLog has no option patients: did you mean patience?'])
    assert.deepEqual(problems({ tail: { counts: 5 } }), [
      'redisEventLog: tail has no option counts: did you mean count?',
    ])
    assert.deepEqual(problems(undefined), [])
  })
})
