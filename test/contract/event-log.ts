/** What tests of event logs use beside the contract, which is published: `src/testing`. */
import assert from 'node:assert/strict'
import type { EventLog } from '../../src/index.js'
import { message } from '../../src/testing/index.js'

export { ListeningNode as Node, message, testEventLog } from '../../src/testing/index.js'

/** Ten thousand keys are remembered, and no more. */
export async function outlivesKeys(log: EventLog): Promise<void> {
  const first = await log.append(message(['a'], 1), 'key')
  for (let n = 0; n < 9999; n += 33) {
    await Promise.all(Array.from({ length: 33 }, (_, i) => log.append(message(['b'], n), `${n + i}`)))
  }
  assert.deepEqual(await log.append(message(['a'], 2), 'key'), first)
  await log.append(message(['b'], 0), 'one more')
  const second = await log.append(message(['a'], 2), 'key')
  assert.ok(second.position > first.position)
}
