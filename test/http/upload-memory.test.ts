import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { eventually } from '../support/eventually.js'
import { BOUNDARY, multipartType, temporaryDirectory } from '../support/multipart.js'

const GIBIBYTE = 2 ** 30
const MOST = 64 * 2 ** 20

const temporary = await temporaryDirectory()
/**
 * Node.js 24 collects what was read so late that a server which only counts the bytes of 1 GiB takes 70 to 100 MiB for it.
 * There, garbage is collected as it comes, so that what is held is seen.
 */
const execArgv = Number.parseInt(process.versions.node, 10) < 24 ? [] : ['--expose-gc']
const program = fork(new URL('./upload-memory-program.js', import.meta.url), [temporary.path], {
  stdio: 'inherit',
  execArgv,
})
const exited = once(program, 'exit')
after(async () => {
  program.send('end')
  await exited
})
const ask = async (message: string): Promise<Record<string, number>> => {
  program.send(message)
  return (await once(program, 'message'))[0] as Record<string, number>
}
const { port } = (await once(program, 'message'))[0] as { port: number }

const block = Buffer.alloc(2 ** 20, 'content, of which there is a lot. ')
const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="large"\r\n\r\n`
const tail = `\r\n--${BOUNDARY}--\r\n`

/** Sends a form with one large file, at the pace of the server, and answers what is replied. */
async function sendLarge(path: string, size: number): Promise<unknown> {
  const headers = { 'Content-Type': multipartType(), 'Content-Length': head.length + size + tail.length }
  const sent = request({ host: '127.0.0.1', port, method: 'POST', path, headers, agent: false })
  const answered = once(sent, 'response')
  sent.write(head)
  for (let left = size; left > 0; left -= block.length)
    if (!sent.write(block.subarray(0, Math.min(left, block.length)))) await once(sent, 'drain')
  sent.end(tail)
  const [response] = await answered
  return JSON.parse((await response.setEncoding('utf8').toArray()).join(''))
}

for (const path of ['/file', '/stream']) await sendLarge(path, 2 ** 20) // what is loaded once is loaded

for (const [path, size] of [
  ['/file', GIBIBYTE],
  ['/stream', GIBIBYTE / 4],
] as const) {
  test(`P18: an upload of ${size / 2 ** 20} MiB to ${path} takes less than 64 MiB above idle`, async t => {
    await ask('begin')
    const began = performance.now()
    assert.deepEqual(await sendLarge(path, size), path === '/file' ? { size, onDisk: size } : { size })
    const seconds = (performance.now() - began) / 1000
    const { idle = 0, peak = 0 } = await ask('told')
    const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
    t.diagnostic(
      `${mebibytes(size)} MiB to ${path} in ${seconds.toFixed(1)} s: ${mebibytes(peak)} MiB at the most, ${mebibytes(peak - idle)} above idle`,
    )
    assert.ok(peak - idle < MOST, `${peak - idle} bytes above idle`)
    await eventually('no temporary file', () => temporary.list().length === 0)
  })
}
