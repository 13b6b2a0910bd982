/**
 * Nodes are killed, drained and frozen, their broker's connections are cut and the broker is restarted, while peers
 * listen; `CHAOS_FULL`, `CHAOS_SECONDS`, `CHAOS_PEERS`, `CHAOS_RATE` and `CHAOS_SEED` say how long, how many, how fast, and how.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokers } from './brokers.js'
import { checkSequence, runTrial, size } from './trial.js'

const peers = size('CHAOS_PEERS', 300)
const rate = size('CHAOS_RATE', 200)

for (const kind of brokers) {
  const seconds = size('CHAOS_SECONDS', kind.seconds)
  const options = { skip: kind.skip, timeout: 600_000 }

  test(
    `on ${kind.name}, whatever befalls nodes and broker, each peer sees what was sent once and in order`,
    options,
    async t => {
      const { report, cluster, told } = await runTrial(t, kind, { seconds, peers, rate, users: true })
      assert.deepEqual(report.wrong, [], told)
      assert.deepEqual(report.behind, [], told)
      const [taken = [], ...others] = cluster.taken
      assert.deepEqual(others, [], `the log began anew: ${told}`)
      assert.equal(report.sequences.length, 1, `peers saw different things: ${told}`)
      checkSequence(report.sequences[0]?.seen ?? [], taken, cluster.unknown, told)
      assert.ok(cluster.sent > 0.95 * rate * seconds, `all that was due was sent: ${told}`)
      assert.ok(taken.length > 0.8 * cluster.sent, `most is taken: ${told}`)
      assert.deepEqual(
        [...new Set(cluster.exits)].filter(code => code !== 0),
        [],
        told,
      )
    },
  )
}
