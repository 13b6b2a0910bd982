/** The contract is strict: a log that breaks one promise does not pass, and is told which. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./broken-logs-program.js', import.meta.url))

/** The names of the tests that a broken log fails. */
async function failuresOf(broken: string): Promise<string[]> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, ['--test-reporter=tap', program, broken], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const report = await text(child.stdout)
  return [...report.matchAll(/^ {4}not ok \d+ - (.*)$/gm)].map(([, name = '']) => name)
}

const promises = {
  twice: 'what is appended at the same time has one order, in which it is heard and read',
  silence: 'what a room has forgotten is a gap, in that room alone, with all that is still known',
  place: 'an entry is heard as it was appended, with the position that the sender was told',
  pages: 'a page ends at its limit, and the next goes on behind it',
  notices: 'entries and notices are heard in the order in which they were sent',
  keys: 'what is appended with a key is kept once, and each time its place is that of the first',
  stop: 'nothing is heard after stop',
}

describe('the contract of event logs', { concurrency: 4 }, () => {
  test('a log that keeps its promises passes', async () => assert.deepEqual(await failuresOf('none'), []))

  for (const [broken, promise] of Object.entries(promises)) {
    test(`a log does not pass that breaks this: ${promise}`, async () => {
      const failures = await failuresOf(broken)
      assert.ok(failures.includes(promise), `failed are: ${failures.join('; ')}`)
    })
  }
})
