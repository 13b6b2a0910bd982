/** What the figures were measured on, and with. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'

export function machine() {
  const { model } = cpus()[0]
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`
  return { node: process.version, cpu: model.trim(), cores: availableParallelism(), memory, system: release() }
}

/** How many files a process may have open; Node.js raises its own limit to this by itself. */
export function openFiles() {
  const limit = spawnSync('sh', ['-c', 'ulimit -Hn']).stdout.toString().trim()
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
}

export function versionsOf(packages = []) {
  return Object.fromEntries(packages.map(name => [name, versionOf(name)]))
}

function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
}

/** The commit of a checkout; undefined where it is none. */
export function commitOf(folder) {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: folder })
  return status === 0 ? stdout.toString().trim() : undefined
}
