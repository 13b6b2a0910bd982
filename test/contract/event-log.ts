/** What tests of event logs use beside the contract, which is published: `src/testing`. */
import assert from 'node:assert/strict'
import { type EventLog, EventLogUnavailableError, type LogEntry } from '../../src/index.js'
import { message } from '../../src/testing/index.js'

export { ListeningNode as Node, message, testEventLog } from '../../src/testing/index.js'

export const at = (positions: Readonly<Record<string, number>>) => new Map(Object.entries(positions))

export const dataOf = (entries: readonly LogEntry[]) => entries.map(entry => JSON.parse(entry.data))

/** Sends numbers to the room `a`, one after another. */
export async function appendAll(log: EventLog, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await log.append(message(['a'], n))
}

export const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

/** For `assert.rejects`: what the log `r` rejects with that could not be had, and why. */
export function isUnavailable(outcome: 'refused' | 'unknown', cause = /(?:)/) {
  return (error: unknown) => {
    assert.ok(error instanceof EventLogUnavailableError, String(error))
    assert.deepEqual([error.outcome, error.registry, error.status], [outcome, 'r', 503])
    assert.match(String(error.cause), cause)
    return true
  }
}

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
