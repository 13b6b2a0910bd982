/**
 * Runs the built tests: `npm test`, or `npm test -- sse '!browser'` for the files whose path contains "sse" and not
 * "browser". A skipped test is told loudly at the end; with PALOMINO_TEST_ALL=1 it is a failure.
 */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, sep } from 'node:path'
import { run } from 'node:test'
import { spec as SpecReporter } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'

const folder = import.meta.dirname
const filters = process.argv.slice(2)
const wanted = filters.filter(filter => !filter.startsWith('!'))
const unwanted = filters.filter(filter => filter.startsWith('!')).map(filter => filter.slice(1))

/** What takes longest begins first, so that no file is waited for alone in the end. */
const LONGEST = ['logs/redis-failover', 'logs/nats-cluster', 'testing/', 'workers/', 'walks/', 'browser/', 'logs/']

function rankOf(path: string): number {
  const rank = LONGEST.findIndex(part => path.includes(part))
  return rank === -1 ? LONGEST.length : rank
}

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.test.js'))
  .filter(path => wanted.length === 0 || wanted.some(part => path.includes(part)))
  .filter(path => !unwanted.some(part => path.includes(part)))
  .sort((one, other) => rankOf(one) - rankOf(other) || one.localeCompare(other))
  .map(path => join(folder, path))

if (files.length === 0) {
  console.error(`No test file matches ${filters.join(' ')}`)
  process.exit(1)
}

const setup = pathToFileURL(join(folder, 'setup.js')).href
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${setup}`.trim()

const skipped = new Map<string, string[]>()

/** Those whose load is that of many processes run behind the others, two at a time; the others mostly wait. */
const isAlone = (path: string) => path.includes(`${sep}chaos${sep}`)
const rounds = [
  { files: files.filter(path => !isAlone(path)), concurrency: Math.max(2, 2 * availableParallelism()) },
  { files: files.filter(isAlone), concurrency: 2 },
].filter(round => round.files.length > 0)

for (const round of rounds) await runRound(round)
tellSkipped()

/** Runs files, and tells how they fare. */
async function runRound(round: { readonly files: string[]; readonly concurrency: number }): Promise<void> {
  const told = run(round)
    .on('test:fail', () => {
      process.exitCode = 1
    })
    .on('test:pass', ({ name, skip }) => {
      if (skip === undefined || skip === false) return
      const reason = typeof skip === 'string' && skip !== '' ? skip : 'no reason given'
      skipped.set(reason, [...(skipped.get(reason) ?? []), name])
    })
    .compose(new SpecReporter())
  told.pipe(process.stdout, { end: false })
  await once(told, 'end')
}

function tellSkipped() {
  if (skipped.size === 0) return
  const all = process.env.PALOMINO_TEST_ALL === '1'
  const lines = [...skipped].map(([reason, names]) => `SKIPPED: ${names.length} × ${reason}\n  ${names.join('\n  ')}\n`)
  process.stdout.write(`\n${'!'.repeat(80)}\n${lines.join('')}${'!'.repeat(80)}\n`)
  if (!all) return
  process.stdout.write('PALOMINO_TEST_ALL=1: a skipped test is a failure.\n')
  process.exitCode = 1
}
