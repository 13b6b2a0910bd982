/** The broker is restarted without its data, while nodes are killed and drained. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { servers } from './brokers.js'
import { checkSequence, parts, runTrial, size } from './trial.js'

const peers = size('CHAOS_PEERS', 300)
const rate = size('CHAOS_RATE', 200)

for (const kind of servers) {
  const options = { skip: kind.skip, timeout: 600_000 }

  test(
    `on ${kind.name} that is restarted without its data, each peer has one gap and is whole from there`,
    options,
    async t => {
      const lasts = Math.max(8, Math.ceil(size('CHAOS_SECONDS', kind.seconds) / 4))
      const { report, cluster, told } = await runTrial(t, kind, {
        seconds: lasts,
        peers,
        rate,
        users: true,
        faults: ['kill', 'drain'],
        async meanwhile(broker, _, signal) {
          await sleep((lasts / 2) * 1000, undefined, { signal })
          await broker.lose()
        },
      })
      assert.deepEqual(report.wrong, [], told)
      assert.deepEqual(report.behind, [], told)
      const [before = [], after = [], ...others] = cluster.taken
      assert.ok(others.length === 0 && after.length > 0, `the log began anew once: ${told}`)
      for (const { seen } of report.sequences) {
        const [first = [], second = [], ...rest] = parts(seen)
        assert.deepEqual(rest, [], `one gap: ${told}`)
        checkSequence(second, after, cluster.unknown, told)
        const known = first.filter(n => !cluster.unknown.has(n))
        checkSequence(first, before.slice(0, known.length), cluster.unknown, told)
      }
    },
  )
}
