import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { ConfigurationError, type OpenEventLog } from '../../src/index.js'
import { type NatsEventLogOptions, natsEventLog } from '../../src/logs/nats.js'
import { testEventLog } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { NatsServer, skip } from '../support/nats-server.js'

interface Started {
  readonly server: NatsServer
  readonly wire: CuttableWire
  readonly open: OpenEventLog
}

describe('a server behind a wire that can be cut', { skip }, () => {
  let started: Promise<Started> | undefined
  after(async () => {
    const { wire, server } = (await started) ?? {}
    await wire?.close()
    await server?.end()
  })
  const start = async () => {
    const server = await NatsServer.open()
    const wire = await CuttableWire.to(server.port)
    return { server, wire, open: natsEventLog({ servers: `127.0.0.1:${wire.port}`, patience: 15_000 }) }
  }
  const given = () => {
    started ??= start()
    return started
  }
  testEventLog('NatsEventLog', async (registry, kept) => (await given()).open(registry, kept, new LogBook()), {
    nodes: true,
    async interrupt() {
      const { wire } = await given()
      wire.cut()
      wire.mend()
    },
    async lose() {
      await (await given()).server.streams('delete')
    },
  })
})

describe('the options of natsEventLog', () => {
  const problems = (options: unknown) => {
    try {
      natsEventLog(options as NatsEventLogOptions)
    } catch (error) {
      assert.ok(error instanceof ConfigurationError)
      return error.problems
    }
    return []
  }

  test('are checked at once', () => {
    const wrong = {
      servers: 4222,
      connection: 1,
      prefix: 'a.b',
      patience: -1,
      waiting: 0,
      stream: 5,
      tail: 0,
      onHealth: 1,
    }
    assert.deepEqual(problems(wrong), [
      'natsEventLog: servers should be a text, or a list of texts, not 4222',
      'natsEventLog: connection should be an object of options for connect, not 1',
      "natsEventLog: prefix should be a text of letters, digits, _ and -, not 'a.b'",
      'natsEventLog: patience should be milliseconds, from 0 to 2147483647, not -1',
      'natsEventLog: waiting should be a whole number, above 0, not 0',
      'natsEventLog: stream should be an object { count, bytes, age, replicas }, not 5',
      'natsEventLog: tail should be a whole number, above 0, not 0',
      'natsEventLog: onHealth should be a function, not 1',
    ])
    assert.deepEqual(problems({ server: 'a' }), ['natsEventLog has no option server: did you mean servers?'])
    assert.deepEqual(problems({ stream: { bites: 1 } }), [
      'natsEventLog: stream has no option bites: did you mean bytes?',
    ])
    assert.deepEqual(problems({ connection: { servers: 'a' } }), [
      'natsEventLog: give servers beside connection, not in it',
    ])
    assert.deepEqual(problems(undefined), [])
  })

  test('what can be meant is taken', () => {
    assert.deepEqual(
      problems({ servers: ['a:4222', 'b'], connection: { user: 'u', pass: 'p' }, stream: { replicas: 3 } }),
      [],
    )
  })
})
