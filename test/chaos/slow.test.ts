/** A quarter of the peers reads far less than it is sent, while nodes and broker suffer; `CHAOS_CEILING` is in MiB. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { servers } from './brokers.js'
import { checkSequence, runTrial, size } from './trial.js'

/** What a slow peer is sent besides: more than it reads, and than the buffers on the way to it hold. */
const BULK = { bytes: 65_536, aSecond: 16 }

for (const kind of servers) {
  const options = { skip: kind.skip, timeout: 600_000 }

  test(`on ${kind.name}, slow peers cost no memory, and have everything in the end`, options, async t => {
    const peers = size('CHAOS_SLOW_PEERS', 60)
    const slow = Math.ceil(peers / 4)
    const { report, cluster, told } = await runTrial(t, kind, {
      seconds: size('CHAOS_SLOW_SECONDS', 15),
      peers,
      slow,
      rate: size('CHAOS_RATE', 200) / 2,
      async meanwhile(_, running, signal) {
        while (!signal.aborted) {
          running.send('bulk', BULK.bytes)
          await sleep(1000 / BULK.aSecond, undefined, { signal }).catch(() => {})
        }
      },
    })
    assert.deepEqual(report.wrong, [], told)
    assert.deepEqual(report.behind, [], told)
    assert.equal(report.sequences.length, 1, told)
    checkSequence(report.sequences[0]?.seen ?? [], cluster.taken[0] ?? [], cluster.unknown, told)
    assert.ok(cluster.overflows > 0, `slow ones are cut, and come back: ${told}`)
    const ceiling = size('CHAOS_CEILING', 200)
    assert.ok(cluster.highest < ceiling * 2 ** 20, `a node held ${Math.round(cluster.highest / 2 ** 20)} MiB: ${told}`)
  })
}
