/** Who is there is known to all, soon after each fault; nobody is ever told of a user twice, or that one left who was not there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { few } from './brokers.js'
import { presenceIsRight } from './presence-peers.js'
import { runTrial, size } from './trial.js'

for (const kind of few) {
  const options = { skip: kind.skip, timeout: 600_000 }

  test(`on ${kind.name}, presence is right on each node and for who watches, after each fault`, options, async t => {
    const took: [string, number][] = []
    const { report, told } = await runTrial(t, kind, {
      peers: size('CHAOS_PRESENCE_PEERS', 120),
      users: true,
      rate: 20,
      faults: [],
      async until({ cluster, crowd, faults, chance }) {
        const isRight = async (when: string) => took.push([when, await presenceIsRight(cluster, crowd)])
        await isRight('at first')
        for (const fault of chance.shuffle(kind.faults)) {
          await crowd.ask({ shuffle: 0.2 })
          await faults.strike(fault, () => isRight(`${fault}, while a node is away`))
          await cluster.settled()
          await isRight(fault)
        }
      },
    })
    t.diagnostic(JSON.stringify(took))
    assert.deepEqual([report.wrong, report.behind], [[], []], told)
  })
}
