/** `npm run bench`: installs the contestants the first time, then measures. Needs nothing but Node.js itself. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const [first, ...rest] = process.argv.slice(2)
if (!existsSync(join(here, 'node_modules'))) run('npm', ['ci', '--no-audit', '--no-fund'])
const [program, argv] = ['report', 'frames'].includes(first) ? [`${first}.js`, rest] : ['run.js', [first, ...rest]]
run(process.execPath, [program, ...argv.filter(argument => argument !== undefined)])

function run(program, argv) {
  const { status } = spawnSync(program, argv, { cwd: here, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
