/** `npm run bench`: installs the contestants the first time, then measures, or tells of what was measured. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const programs = ['report', 'frames']
const [first, ...rest] = process.argv.slice(2)

if (!existsSync(join(here, 'node_modules'))) run('npm', ['ci', '--prefix', here, '--no-audit', '--no-fund'])
if (programs.includes(first)) run(process.execPath, [join(here, `${first}.js`), ...rest])
else run(process.execPath, [join(here, 'run.js'), ...process.argv.slice(2)])

function run(program, argv) {
  const { status } = spawnSync(program, argv, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
