/**
 * Makes of `dist/src` what is published: one file for each entry, and what they share in chunks, so that a process that
 * uses two of them has one copy of each class. To find, read and compile each module by itself was a third of the time
 * that an application took to start. The two packages that every application loads are in it; all others stay outside.
 */
import { copyFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const INSIDE = ['reflect-metadata', 'tsyringe', 'tslib']
const OUT = 'dist/package'

const { dependencies, peerDependencies } = createRequire(import.meta.url)('./package.json')

await build({
  entryPoints: {
    index: 'dist/src/index.js',
    redis: 'dist/src/logs/redis.js',
    nats: 'dist/src/logs/nats.js',
    cluster: 'dist/src/logs/cluster.js',
    testing: 'dist/src/testing/index.js',
    cli: 'dist/src/cli.js',
  },
  outdir: OUT,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: Object.keys({ ...dependencies, ...peerDependencies }).filter(name => !INSIDE.includes(name)),
  // Stack traces lead to `src`, which is published beside it.
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
})

// What is inside says under which terms.
for (const name of INSIDE) {
  const folder = dirname(createRequire(import.meta.url).resolve(name === 'tsyringe' ? `${name}/package.json` : name))
  copyFileSync(join(folder, name === 'tslib' ? 'LICENSE.txt' : 'LICENSE'), `${OUT}/LICENSE-${name}`)
}
