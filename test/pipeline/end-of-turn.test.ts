import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atEndOfTurn } from '../../src/pipeline/end-of-turn.js'

test('one that throws takes nobody with it: those behind it run, in order, and before those that come later', async t => {
  const thrown: unknown[] = []
  process.setUncaughtExceptionCaptureCallback(error => thrown.push(error))
  t.after(() => process.setUncaughtExceptionCaptureCallback(null))
  const ran: number[] = []
  const failure = new Error('one of them')
  atEndOfTurn(() => void ran.push(1))
  for (const last of [2, 3]) {
    atEndOfTurn(() => {
      if (last === 2) atEndOfTurn(() => void ran.push(5))
      throw failure
    })
    atEndOfTurn(() => void ran.push(last))
  }
  atEndOfTurn(() => void ran.push(4))
  while (ran.length < 5) await new Promise(setImmediate)
  assert.deepEqual(
    [ran, thrown],
    [
      [1, 2, 3, 4, 5],
      [failure, failure],
    ],
  )
})
