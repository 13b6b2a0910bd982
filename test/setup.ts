/**
 * Preloaded into every test file. A process warning or an unhandled rejection makes the file fail, even where no test
 * is running any more; so does a file that is still alive after `SECONDS`, or `LEFT` seconds behind its last test, and it
 * says what kept it alive. Programs that a test starts are not watched; they end with the file.
 */
import { writeSync } from 'node:fs'
import { after } from 'node:test'
import { endWithThisProcess } from './support/leftovers.js'

/** Chaos takes its time, and so do the many processes of a cluster on a busy machine. */
const LONGER: readonly [part: string, seconds: number][] = [
  ['/chaos/', 900],
  ['/browser/cluster', 300],
  ['/examples/cluster', 300],
]
const SECONDS = LONGER.find(([part]) => process.argv[1]?.includes(part))?.[1] ?? 120

/** What goes on for longer behind the last test was forgotten there, as a worker that drains. */
const LEFT = 30

let complaints = 0

function complain(what: string, detail: unknown) {
  complaints++
  const text = detail instanceof Error ? (detail.stack ?? String(detail)) : String(detail)
  writeSync(2, `\n${what} in ${process.argv[1]} (it fails this file):\n${text}\n`)
}

process.on('warning', warning => complain('A process warning', warning))
process.on('unhandledRejection', reason => complain('An unhandled rejection', reason))
process.on('exit', () => {
  if (complaints > 0) process.exitCode = 1
})

function endWithin(seconds: number, of: string): void {
  const end = () => {
    complain(`Still alive after ${seconds} s ${of}`, `Kept alive by ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(1)
  }
  setTimeout(end, seconds * 1000).unref()
}

endWithin(SECONDS, 'in all')
after(() => endWithin(LEFT, 'behind the last test'))

endWithThisProcess()
delete process.env.NODE_OPTIONS
