import { after, describe } from 'node:test'
import type { OpenEventLog } from '../../src/index.js'
import { natsEventLog } from '../../src/logs/nats.js'
import { testEventLog } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { NatsServer, skip } from '../support/nats-server.js'

const servers: NatsServer[] = []
after(() => Promise.all(servers.map(server => server.end())))

describe('one server', { skip }, () => {
  let started: Promise<OpenEventLog> | undefined
  const opened = () => {
    started ??= NatsServer.open().then(server => {
      servers.push(server)
      return natsEventLog({ servers: server.url })
    })
    return started
  }
  testEventLog('NatsEventLog', async (registry, retention) => (await opened())(registry, retention, new LogBook()), {
    nodes: true,
    keys: true,
  })
})
