import assert from 'node:assert/strict'
import { EventLogUnavailableError, type Place } from '../index.js'
import { eventually } from './eventually.js'
import { dataOf, type ListeningNode, message } from './listening-node.js'
import type { Subject } from './subject.js'
import type { EventLogTraits } from './traits.js'

/** Messages that are sent while connections are cut, and how often they are. */
const SENT = 200
const CUTS = 4

/** What is promised where the log's connections, or its data, are lost. */
export function testFaults(subject: Subject, { nodes, interrupt, lose }: EventLogTraits): void {
  if (interrupt !== undefined) {
    testSending(subject, interrupt)
    if (nodes) testTails(subject, interrupt)
  }
  if (lose !== undefined) testLoss(subject, lose)
}

function testSending(subject: Subject, interrupt: () => Promise<void> | void): void {
  subject.node('what is sent while connections are cut is kept once, or its sender is told', async node => {
    const sent = await sendWhileCut([node], interrupt)
    const kept = dataOf(await node.readAll('a'))
    assert.equal(new Set(kept).size, kept.length, 'nothing is kept twice')
    for (const [name, outcome] of sent) {
      if (typeof outcome === 'object') assert.ok(kept.includes(name), `${name} was confirmed`)
      if (outcome === 'refused') assert.ok(!kept.includes(name), `${name} was refused`)
    }
  })
}

function testTails(subject: Subject, interrupt: () => Promise<void> | void): void {
  subject.nodes(
    'nodes whose connections are cut hear each message once, in one order, with its place',
    async opened => {
      const pair = await opened.pair()
      const sent = await sendWhileCut(pair, interrupt)
      const { position } = await eventually('it can be had again', () => pair[0].log.append(message(['a'], 'last')))
      for (const node of pair) await eventually('the last', () => node.entries.at(-1)?.position === position)
      const kept = await pair[0].readAll('a')
      for (const node of pair) {
        assert.deepEqual(
          node.places.map(place => place.epoch),
          node.places.map(() => pair[0].places[0]?.epoch),
          'the data is what it was',
        )
        assert.deepEqual(node.entries, kept)
      }
      for (const entry of kept.slice(0, -1)) {
        const outcome = sent.get(String(JSON.parse(entry.data)))
        if (typeof outcome === 'object') assert.equal(outcome.position, entry.position)
      }
      await eventually('all are ready', () => pair.every(({ log }) => log.health.ready))
    },
  )
}

function testLoss(subject: Subject, lose: () => Promise<void> | void): void {
  subject.node('what was lost is another epoch, of which a node hears before all else', async node => {
    const { epoch } = await node.log.append(message(['a'], 'old'))
    await node.hears(1)
    await lose()
    const place = await eventually('it can be had again', () => node.log.append(message(['a'], 'new')))
    assert.notEqual(place.epoch, epoch)
    await node.hears(2)
    assert.deepEqual(node.heard.slice(-2), ['reset', 'entry'])
    assert.equal(node.places.at(-1)?.epoch, place.epoch)
    assert.deepEqual(dataOf(await node.readAll('a')), ['new'])
  })
}

/** What became of each message: its place, or what the sender was told. */
async function sendWhileCut(nodes: readonly ListeningNode[], interrupt: () => Promise<void> | void) {
  const sent = new Map<string, Place | 'refused' | 'unknown'>()
  const send = async ({ log }: ListeningNode, of: number) => {
    for (let n = 0; n < SENT; n++) {
      const name = `${of}:${n}`
      sent.set(name, await log.append(message(['a'], name)).catch(outcomeOf))
    }
  }
  const cut = async () => {
    for (let cuts = 1; cuts <= CUTS; cuts++) {
      await eventually('some are sent', () => sent.size >= (cuts * SENT) / (CUTS + 1))
      await interrupt()
    }
  }
  await Promise.all([...nodes.map(send), cut()])
  return sent
}

function outcomeOf(error: unknown): 'refused' | 'unknown' {
  assert.ok(error instanceof EventLogUnavailableError, String(error))
  return error.outcome
}
