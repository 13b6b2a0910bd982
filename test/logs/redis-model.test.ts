/** What Redis answers is what the embedded log answers, whatever was sent, and forgotten, before. */

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { type EventLog, type LogEntry, MemoryEventLog } from '../../src/index.js'
import { redisEventLog } from '../../src/logs/redis.js'
import { message } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { fc } from '../support/properties.js'
import { RedisServer, skip } from '../support/redis-server.js'
import { append, bounds, question } from './model.js'

let server: Promise<RedisServer> | undefined
after(async () => (await server)?.end())

/** All that follows, page by page, with where each page began to know. */
async function readAll(log: EventLog, positions: Readonly<Record<string, number>>, limit: number) {
  const entries: LogEntry[] = []
  const at = new Map(Object.entries(positions))
  const { gaps } = await log.read(at, limit)
  for (const [room, known] of gaps) at.set(room, known)
  for (let turn = 0; turn < 100; turn++) {
    const page = await log.read(at, limit)
    assert.equal(page.gaps.size, 0)
    assert.ok(page.entries.length <= limit)
    assert.ok(page.entries.every(entry => entry.position <= page.upTo))
    entries.push(...page.entries)
    for (const [room, position] of at) at.set(room, Math.max(position, page.upTo))
    if (page.entries.length === 0 && page.upTo === (await log.before('a', 0))) break
  }
  return { entries, gaps }
}

describe('RedisEventLog and MemoryEventLog', { skip }, () => {
  test('answer alike', { timeout: 120_000 }, async () => {
    server ??= RedisServer.open()
    const open = redisEventLog({ url: (await server).url })
    let logs = 0
    const property = fc.asyncProperty(
      fc.array(append, { maxLength: 30, size: 'max' }),
      fc.array(question(35), { maxLength: 5, size: 'max' }),
      bounds,
      async (appends, questions, bound) => {
        const kept = { ...bound, age: 3_600_000 }
        const redis = await open(`model${logs++}`, kept, new LogBook())
        const memory = new MemoryEventLog(kept)
        try {
          for (const [n, { rooms: to, size }] of appends.entries()) {
            const sent = message(to, `${n} ${'x'.repeat(size)}`)
            const places = await Promise.all([redis.append(sent), memory.append(sent)])
            assert.equal(places[0].position, places[1].position)
          }
          for (const { after: positions, limit } of questions) {
            const answers = await Promise.all([redis, memory].map(log => readAll(log, positions, limit)))
            assert.deepEqual(answers[0], answers[1])
            const before = await Promise.all([redis, memory].map(log => log.before('a', limit)))
            assert.equal(before[0], before[1])
          }
        } finally {
          await redis.stop()
        }
      },
    )
    await fc.assert(property, { numRuns: 150 })
  })
})
