import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before } from 'node:test'
import { browserTest } from '../support/chromium.js'

const server = createServer((request, response) => {
  if (request.url === '/') response.setHeader('content-type', 'text/html').end('<title>Hello</title>')
  else response.writeHead(404).end()
})
let origin: string

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.closeAllConnections()
  server.close()
})

browserTest('a page is loaded from the server under test', async page => {
  await page.goto(origin)
  assert.equal(await page.title(), 'Hello')
})

browserTest(
  'an error the test provokes is allowed by name',
  async page => {
    await page.goto(origin)
    assert.equal(await page.evaluate(async () => (await fetch('/missing')).status), 404)
  },
  { allow: [/404 \(Not Found\)/] },
)
