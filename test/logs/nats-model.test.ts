/** What a node of NATS answers is what the embedded log answers, whatever was sent, and forgotten, before it started. */

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { MemoryEventLog } from '../../src/index.js'
import { natsEventLog } from '../../src/logs/nats.js'
import { message } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { NatsServer, skip } from '../support/nats-server.js'
import { fc } from '../support/properties.js'
import { append, bounds, question } from './model.js'

let server: Promise<NatsServer> | undefined
after(async () => (await server)?.end())

describe('NatsEventLog and MemoryEventLog', { skip }, () => {
  test('answer alike', { timeout: 120_000 }, async () => {
    server ??= NatsServer.open()
    // The stream drops as soon as it may.
    const open = natsEventLog({ servers: (await server).url, tail: 1 })
    let logs = 0
    const property = fc.asyncProperty(
      fc.array(append, { maxLength: 60, size: 'max' }),
      fc.array(question(65), { maxLength: 8, size: 'max' }),
      bounds,
      async (appends, questions, bound) => {
        const kept = { ...bound, age: 3_600_000 }
        const nats = await open(`model${logs++}`, kept, new LogBook())
        const memory = new MemoryEventLog(kept)
        try {
          await memory.append(message(['in place of the pin'], 0))
          for (const [n, { rooms: to, size }] of appends.entries()) {
            const sent = message(to, `${n} ${'x'.repeat(size)}`)
            const places = await Promise.all([nats.append(sent), memory.append(sent)])
            assert.equal(places[0].position, places[1].position)
          }
          await nats.start({ entry() {}, notice() {}, reset() {} })
          for (const { after: positions, limit } of questions) {
            const asked = new Map(Object.entries(positions))
            const answers = await Promise.all([nats, memory].map(log => log.read(asked, limit)))
            assert.deepEqual(answers[0], answers[1])
            const before = await Promise.all([nats, memory].map(log => log.before('a', limit)))
            assert.equal(before[0], before[1])
          }
        } finally {
          await nats.stop()
        }
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })
})
