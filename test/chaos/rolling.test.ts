/** All nodes are restarted one after another, again and again, under load; `CHAOS_ROLLS` says how often. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokers } from './brokers.js'
import { Requesters } from './rolling-peers.js'
import { checkSequence, runTrial, size } from './trial.js'

for (const kind of brokers) {
  const rolls = size('CHAOS_ROLLS', kind.rolls)
  const options = { skip: kind.skip, timeout: 800_000 }

  test(`on ${kind.name}, ${rolls} rolling restarts fail no request, and no peer misses an event`, options, async t => {
    let requesters: Requesters | undefined
    let restarts = 0
    const { report, cluster, told } = await runTrial(t, kind, {
      peers: size('CHAOS_ROLLING_PEERS', 100),
      rate: 50,
      faults: [],
      async until({ cluster: running }) {
        requesters = new Requesters(running.balancer.port, 12)
        for (let roll = 0; roll < rolls; roll++) {
          for (const name of ['one', 'two', 'three']) {
            await running.drain(name)
            await running.start(name)
            await running.settled()
            restarts++
          }
        }
        await requesters.end()
      },
    })
    const { answered = 0, failed = [], reused = 0 } = requesters ?? {}
    t.diagnostic(JSON.stringify({ restarts, answered, failed: failed.length, reused }))
    assert.deepEqual(failed, [])
    assert.ok(answered > 100 && reused > 50, `${answered} answered, ${reused} on kept connections`)
    assert.deepEqual(cluster.exits, Array(3 * rolls).fill(0))
    assert.deepEqual([report.wrong, report.behind], [[], []], told)
    assert.equal(report.sequences.length, 1, told)
    assert.equal(cluster.unknown.size, 0, told)
    checkSequence(report.sequences[0]?.seen ?? [], cluster.taken[0] ?? [], cluster.unknown, told)
    assert.ok(report.counts.goodbyes > restarts, `peers are told when to come back: ${told}`)
  })
}
