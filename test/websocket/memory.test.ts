import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/paths.js'

for (const path of ['/sync', '/async', '/messages', '/upgraded']) {
  test(`P44/B15/B23: after the 101 the request and the response of a socket are let go (${path})`, async () => {
    const program = join(root, 'dist/test/websocket/memory-program.js')
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, path], { timeout: 60_000 })
    assert.equal(stdout.trim(), 'request collected, response collected, context collected; the socket echoes')
  })
}
