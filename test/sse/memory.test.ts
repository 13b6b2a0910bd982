import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'

describe('idle is cheap', () => {
  const run = promisify(execFile)
  const program = new URL('./memory.js', import.meta.url).pathname
  const inspect = async (what: string) => {
    const { stdout } = await run(process.execPath, ['--expose-gc', program, what])
    return JSON.parse(stdout) as unknown
  }

  test('after open, the context of the request, its body and its headers as we read them are let go', async () => {
    assert.deepEqual(await inspect('context'), { context: false, body: false })
  })

  test('a source that is read for long leaves nothing behind: 300,000 items', async () => {
    const { grown } = (await inspect('generator')) as { grown: number }
    assert.ok(grown < 8_000_000, `${grown} bytes more than after the first 20,000`)
  })
})
