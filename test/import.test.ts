import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from './support/paths.js'

const exec = promisify(execFile)
const door = join(root, 'dist/package/index.js')

describe('the import of Palomino', () => {
  test('loads nothing of Node.js that is for few: no TLS, no HTTP/2, no undici', async () => {
    const source = `
      await import(${JSON.stringify(door)})
      console.log(JSON.stringify(process.moduleLoadList))`
    const { stdout } = await exec(process.execPath, ['--input-type=module', '--eval', source])
    const loaded: string[] = JSON.parse(stdout)
    assert.ok(loaded.includes('NativeModule http'))
    assert.deepEqual(
      loaded.filter(name => /^NativeModule (tls|http2|child_process|cluster|.*undici)$/.test(name)),
      [],
    )
  })

  test('reads two files of its own: its door, and the chunk that all doors share', async () => {
    const chunks = await importsOf(door)
    assert.equal(chunks.length, 1)
    assert.deepEqual(await Promise.all(chunks.map(importsOf)), [[]])
  })
})

/** The files that a bundled file names by `import … from`. */
async function importsOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8')
  return [...text.matchAll(/^(?:import|\}) ?(?:from )?"(\.[^"]*)";$/gm)].map(([, path = '']) =>
    join(dirname(file), path),
  )
}
