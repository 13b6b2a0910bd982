import { describe } from 'node:test'
import type { OpenEventLog } from '../index.js'
import { testDelivery } from './delivery.js'
import { testFaults } from './faults.js'
import { testKeys } from './keys.js'
import { testManyNodes } from './many-nodes.js'
import { testReading } from './reading.js'
import { Subject } from './subject.js'
import type { EventLogTraits } from './traits.js'

/**
 * Declares the tests that each event log passes, with `node:test`: what a registry relies on. Call it where the tests of
 * your log are.
 * @param name the log's, for the report
 * @param open opens the log of a registry for one node. Each test has registries of its own, and stops what it opened
 */
export function testEventLog(name: string, open: OpenEventLog, traits: EventLogTraits = {}): void {
  const { nodes = false, keys = true } = traits
  const subject = new Subject(open)
  describe(name, () => {
    testDelivery(subject)
    testReading(subject)
    if (nodes) testManyNodes(subject)
    if (keys) testKeys(subject, nodes)
    testFaults(subject, traits)
  })
}
