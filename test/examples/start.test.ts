import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { root } from '../support/paths.js'

/** Starts an example as a program of its own, and reads what it prints until it names its address. */
async function start(t: TestContext, file: string) {
  const program = spawn(process.execPath, [join(root, 'dist/examples', file)], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => program.kill('SIGKILL'))
  const exited = once(program, 'exit')
  const printed: string[] = []
  for await (const line of createInterface(program.stdout)) {
    printed.push(line)
    const [, port] = /at http:\/\/localhost:(\d+)$/.exec(line) ?? []
    if (port !== undefined) return { program, exited, printed, origin: `http://127.0.0.1:${port}` }
  }
  throw new Error(`${file} ended:\n${printed.join('\n')}`)
}

const ROUTES = {
  'main.js': /^WS {5,}\/chat\/rooms\/:room\S+ +RoomSocket +inboxes, rooms|^SSE +\/quickstart\/time +TimeEvents/m,
  'quickstart/main.js': /^SSE +\/time +TimeEvents/m,
  'slides/main.js': /^WS +\/talks\/:talk\/remote +Remote +audience, presenters · on goto, remark, call/m,
  'upload/main.js': /^POST +\/transfers\/:id +Files.take +guard Followed/m,
  'chat/main.js': /^GET +\/me +Door.me +guard SignedIn/m,
}

for (const [file, route] of Object.entries(ROUTES)) {
  test(`examples/${file} prints its routes, serves, and ends on SIGTERM with code 0 while a stream is open`, async t => {
    const { program, exited, printed, origin } = await start(t, file)
    assert.match(printed.join('\n'), route)
    const page = await fetch(origin)
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.match(await page.text(), /Palomino/)
    assert.equal((await fetch(`${origin}/assets/shared/style.css`)).status, 200)
    const stream = await openStream(origin, file)
    program.kill('SIGTERM')
    await stream?.text()
    assert.deepEqual(await exited, [0, null])
  })
}

/** An event stream of the example that anyone may open; the chat has none. */
async function openStream(origin: string, file: string): Promise<Response | undefined> {
  const path = { 'main.js': '/quickstart/time', 'quickstart/main.js': '/time', 'slides/main.js': '/talks/t/events' }[
    file
  ]
  if (path === undefined) return undefined
  const response = await fetch(origin + path)
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  return response
}
