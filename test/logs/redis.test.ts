import { after, describe } from 'node:test'
import { redisEventLog } from '../../src/logs/redis.js'
import { testEventLog } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { RedisServer, skip } from '../support/redis-server.js'

describe('the contract', { skip }, () => {
  let server: Promise<RedisServer> | undefined
  after(async () => (await server)?.end())

  testEventLog(
    'RedisEventLog',
    async (registry, retention) => {
      server ??= RedisServer.open()
      const open = redisEventLog({ url: (await server).url })
      return open(registry, retention, new LogBook())
    },
    { nodes: true },
  )
})
