import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startExample } from '../support/examples.js'

const ROUTES = {
  'main.js': /^WS {5,}\/chat\/rooms\/:room\S+ +RoomSocket +inboxes, rooms|^SSE +\/quickstart\/time +TimeEvents/m,
  'quickstart/main.js': /^SSE +\/time +TimeEvents/m,
  'slides/main.js': /^WS +\/talks\/:talk\/remote +Remote +audience, presenters · on goto, remark, call/m,
  'upload/main.js': /^POST +\/transfers\/:id +Files.take +guard Followed/m,
  'chat/main.js': /^GET +\/me +Door.me +guard SignedIn/m,
}

for (const [file, route] of Object.entries(ROUTES)) {
  test(`examples/${file} prints its routes, serves, and ends on SIGTERM with code 0 while a stream is open`, async t => {
    const { program, exited, printed, origin } = await startExample(t, file)
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
