import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { eventually } from './eventually.js'

const setup = pathToFileURL(join(import.meta.dirname, '../setup.js')).href

/** Whether a process runs, or could; one that has ended, and that nobody has asked about, does not. */
function runs(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

for (const [fate, end] of [
  ['is killed', (file: ReturnType<typeof fork>) => file.kill('SIGKILL')],
  ['gives up, as the watchdog does', (file: ReturnType<typeof fork>) => file.send('go')],
] as const) {
  test(`a test file that ${fate} leaves no process behind`, { skip: process.platform !== 'linux' }, async () => {
    const file = fork(join(import.meta.dirname, 'leftovers-program.js'), { execArgv: ['--import', setup] })
    const [pids] = (await once(file, 'message')) as [number[]]
    assert.deepEqual(pids.map(runs), [true, true])
    end(file)
    await once(file, 'exit')
    await eventually('all have ended', () => !pids.some(runs))
  })
}
