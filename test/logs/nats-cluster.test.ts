/** Three servers that keep each stream: one that is killed takes nothing with it. */
import assert from 'node:assert/strict'
import { natsEventLog } from '../../src/logs/nats.js'
import { message, Node } from '../contract/event-log.js'
import { LogBook } from '../support/app.js'
import { eventually } from '../support/eventually.js'
import { NatsServer, natsTest } from '../support/nats-server.js'
import { plenty } from '../support/registry-peers.js'

natsTest(
  'what was sent is heard once, in order, while each server of a cluster is killed and comes back',
  async t => {
    const cluster = await NatsServer.startCluster(t)
    const servers = cluster.map(({ url }) => url)
    const open = natsEventLog({ servers, patience: 60_000, stream: { replicas: 3 } })
    const opened = [await open('r', plenty, new LogBook()), await open('r', plenty, new LogBook())]
    t.after(() => Promise.all(opened.map(log => log.stop())))
    const nodes: Node[] = []
    for (const log of opened) nodes.push(await new Node(log).start())
    const [one, two] = nodes as [Node, Node]
    let sent = 0
    const send = async (count: number) => {
      for (const to = sent + count; sent < to; sent++) await one.log.append(message(['a'], sent))
    }
    await send(50)
    for (const server of cluster) {
      await server.stop()
      await send(50)
      await server.run()
      await send(50)
      // Of three, two must have all: one that is still behind cannot stand in for the next.
      await eventually('all have what it missed', () => server.isWhole(), { timeout: 30_000 })
    }
    for (const { entries, places } of nodes) {
      await eventually('all are heard', () => entries.length >= sent, { timeout: 30_000 })
      assert.deepEqual(
        entries.map(entry => JSON.parse(entry.data)),
        Array.from({ length: sent }, (_, n) => n),
      )
      assert.equal(new Set(places.map(place => place.epoch)).size, 1)
    }
    assert.deepEqual(two.entries, one.entries)
  },
  { timeout: 120_000 },
)
