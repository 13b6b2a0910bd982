/** What is sent from an outbox of PostgreSQL: what was committed reaches each peer once, in order; what was rolled back, nobody. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PGlite } from '@electric-sql/pglite'
import { MemoryEventLog, type OpenEventLog } from '../../src/index.js'
import { redisEventLog } from '../../src/logs/redis.js'
import { LogBook } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { fc } from '../support/properties.js'
import { RedisServer, skip } from '../support/redis-server.js'
import { plenty, startRegistry, TestConnection, type TestRegistry } from '../support/registry-peers.js'

let database: PGlite
before(async () => {
  database = await PGlite.create()
  await database.exec('CREATE TABLE outbox (id bigserial PRIMARY KEY, key uuid DEFAULT gen_random_uuid(), data jsonb)')
})
after(() => database.close())

class Died extends Error {}

/** Writes numbers to the outbox in one transaction, and takes them back. */
async function write(numbers: readonly number[], commits: boolean): Promise<void> {
  const written = database.transaction(async each => {
    for (const n of numbers) await each.query('INSERT INTO outbox (data) VALUES ($1)', [n])
    if (!commits) throw new Died()
  })
  await written.catch(error => assert.ok(error instanceof Died))
}

/** Sends what is in the outbox, and forgets it. @param life how many it sends before it dies, the last of them not being forgotten */
async function relay(registry: TestRegistry, life = Number.POSITIVE_INFINITY): Promise<void> {
  const { rows } = await database.query<{ id: number; key: string; data: number }>('SELECT * FROM outbox ORDER BY id')
  for (const [n, { id, key, data }] of rows.entries()) {
    await registry.to('a').once(key).send('said', data)
    if (n + 1 >= life) return
    await database.query('DELETE FROM outbox WHERE id = $1', [id])
  }
}

const command = fc.oneof(
  fc.record({ write: fc.integer({ min: 1, max: 3 }), commits: fc.boolean() }),
  fc.record({
    relays: fc.array(fc.record({ node: fc.nat(1), life: fc.integer({ min: 1, max: 3 }) }), { maxLength: 3 }),
  }),
)

/** @param nodes how many nodes there may be */
function proves(nodes: number, open: () => OpenEventLog): void {
  test('each peer gets what was committed, once and in order, whatever the relays die of', {
    timeout: 120_000,
  }, async () => {
    let registries = 0
    const property = fc.asyncProperty(fc.array(command, { maxLength: 8 }), async commands => {
      const name = `outbox${registries++}`
      const logs = await Promise.all(Array.from({ length: nodes }, () => open()(name, plenty, new LogBook())))
      const homes = await Promise.all(logs.map(log => startRegistry({ log })))
      const peers = homes.map(() => new TestConnection())
      for (const [n, peer] of peers.entries()) await homes[n]?.join(peer, 'a')
      const home = (n: number) => homes[n % nodes] as TestRegistry
      const committed: number[] = []
      let written = 0
      for (const each of commands) {
        if ('relays' in each) await Promise.all(each.relays.map(({ node, life }) => relay(home(node), life)))
        else {
          const numbers = Array.from({ length: each.write }, () => written++)
          await write(numbers, each.commits)
          if (each.commits) committed.push(...numbers)
        }
      }
      await relay(home(0))
      await home(0).to('a').send('said', 'end')
      await eventually('all have heard', () => peers.every(({ data }) => data.at(-1) === 'end'))
      for (const { data } of peers) assert.deepEqual(data, [...committed, 'end'])
      await Promise.all(logs.map(log => log.stop()))
    })
    await fc.assert(property, { numRuns: 30 })
  })
}

describe('an outbox, and the log of this process', () => proves(1, () => (_name, kept) => new MemoryEventLog(kept)))

describe('an outbox, and the log of two nodes in Redis', { skip }, () => {
  let server: RedisServer
  before(async () => {
    server = await RedisServer.open()
  })
  after(() => server.end())
  proves(2, () => redisEventLog({ url: server.url }))
})
