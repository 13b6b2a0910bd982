import assert from 'node:assert/strict'
import { middleware, Showcase } from '../../examples/showcase.js'
import { browserTest } from '../support/chromium.js'
import { eventually } from '../support/eventually.js'
import { served } from '../support/examples.js'
import { lists, shows } from '../support/pages.js'

const server = served(Showcase, { use: middleware })

browserTest('the landing page is live, and leads to every example, which needs nothing from elsewhere', async page => {
  const asked: string[] = []
  page.context().on('request', request => asked.push(request.url()))
  await page.goto(server.origin)
  await shows(page, '#state', 'Live')
  await eventually('the route table', async () =>
    (await page.textContent('#routes'))?.includes('/slides/talks/:talk/events'),
  )
  const links = await page
    .locator('main a')
    .evaluateAll(all => all.map(link => (link as unknown as { href: string }).href))
  assert.deepEqual(
    links.map(link => new URL(link).pathname),
    ['/quickstart/', '/slides/', '/slides/presenter/', '/chat/', '/upload/'],
  )
  for (const link of links) {
    await page.goto(link)
    assert.match(await page.title(), /· Palomino$/)
    await page.click('.wordmark')
    assert.equal(await page.title(), 'Palomino')
  }
  assert.deepEqual(
    asked.filter(url => new URL(url).host !== new URL(server.origin).host),
    [],
  )
})

for (const path of ['/quickstart', '/slides', '/slides/presenter', '/upload']) {
  browserTest(`${path} works under its prefix, with and without a closing slash`, async page => {
    for (const address of [path, `${path}/`]) {
      await page.goto(server.origin + address)
      await shows(page, '#state', 'Live')
    }
  })
}

browserTest('the quickstart names its routes as they are mounted', async page => {
  for (const address of ['/quickstart', '/quickstart/']) {
    await page.goto(server.origin + address)
    await lists(page, 'code.kind', ['GET /quickstart/welcome/:name', 'SSE /quickstart/time', 'WS /quickstart/echo'])
  }
})

for (const [width, scheme] of [
  [1280, 'light'],
  [360, 'light'],
  [360, 'dark'],
] as const) {
  browserTest(`no page is wider than a window of ${width} pixels, ${scheme}`, async page => {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize({ width, height: 700 })
    for (const path of ['/', '/quickstart/', '/slides/', '/slides/presenter/', '/chat/', '/upload/']) {
      await page.goto(server.origin + path)
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      assert.ok(overflow <= 0, `${path} is ${overflow} pixels too wide`)
    }
  })
}
