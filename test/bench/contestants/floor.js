/** A program in C that only calls `write`: no server on the same kernel writes for less. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { now } from '../clock.js'

export async function sse() {
  const folder = mkdtempSync(join(tmpdir(), 'palomino-floor-'))
  const program = join(folder, 'floor')
  execFileSync('cc', ['-O2', '-o', program, new URL('../floor.c', import.meta.url).pathname])
  // It ends when its standard input does, so with this process.
  const { stdin, stdout } = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const answer = async () => (await lines.next()).value
  const port = Number(await answer())
  rmSync(folder, { recursive: true })
  let id = 0
  const answers = {
    async cpu() {
      stdin.write('cpu\n')
      return Number(await answer())
    },
    async send({ data, times }) {
      const event = `id: ${++id}\nevent: update\ndata: ${JSON.stringify(data)}\n\n`
      const chunk = `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`
      const at = now()
      stdin.write(`send ${times} ${Buffer.byteLength(chunk)}\n${chunk}`)
      await answer()
      return at
    },
  }
  return { port, answers }
}
