/** `npm run bench`: installs the contestants the first time, then measures. Needs nothing but Node.js itself. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const [first, ...rest] = process.argv.slice(2)
if (!existsSync(join(here, 'node_modules'))) run('npm', ['ci', '--no-audit', '--no-fund'])
run(process.execPath, first === 'report' ? ['report.js', ...rest] : ['run.js', ...process.argv.slice(2)])

function run(program, argv) {
  const { status } = spawnSync(program, argv, { cwd: here, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
