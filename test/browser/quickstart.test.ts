import assert from 'node:assert/strict'
import { Module } from 'palomino'
import { Assets } from '../../examples/assets.js'
import { Quickstart } from '../../examples/quickstart/quickstart.js'
import { browserTest } from '../support/chromium.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { served } from '../support/examples.js'
import { lists, shows, submit } from '../support/pages.js'

@Module({ imports: [Quickstart, Assets] })
class App {}

const server = served(App)

browserTest('the quickstart echoes what is typed, in order', async page => {
  await page.goto(server.origin)
  await shows(page, '#state', 'Live')
  for (const text of ['one', 'two', 'drei 🐎']) await submit(page, '#text', text)
  await lists(page, '#echoes li', ['one', 'two', 'drei 🐎'])
})

browserTest(
  'the quickstart comes back by itself, its socket too',
  async (page, t) => {
    const wire = await CuttableWire.to(server.app.port)
    t.after(() => wire.close())
    await page.goto(`http://127.0.0.1:${wire.port}`)
    await shows(page, '#state', 'Live')
    await submit(page, '#text', 'before')
    await lists(page, '#echoes li', ['before'])
    wire.cut()
    await shows(page, '#state', 'Reconnecting …')
    wire.mend()
    await shows(page, '#state', 'Live')
    await eventually(
      'an echo',
      async () => {
        await submit(page, '#text', 'after')
        return (await page.locator('#echoes li').count()) > 1
      },
      { timeout: 10_000 },
    )
  },
  { allow: [/Failed to load resource: net::ERR_|WebSocket connection/] },
)

browserTest('the quickstart welcomes by name', async page => {
  await page.goto(server.origin)
  await submit(page, '#name', 'Grace & Söhne/2')
  await eventually('the welcome', async () => {
    assert.deepEqual(JSON.parse((await page.textContent('#welcome')) ?? ''), {
      welcome: 'Grace & Söhne/2',
      route: 'Welcome.welcome',
    })
    return true
  })
})

browserTest(
  'B32: the time comes as an event, at once and then each second, and its timer dies with the tab',
  async page => {
    const seen = new Set<string | null>()
    await page.goto(server.origin)
    await eventually('three different times', async () => {
      seen.add(await page.textContent('#time'))
      return seen.size > 3
    })
    assert.equal(server.app.connections, 2)
    await page.goto('about:blank')
    await eventually('no connection left', () => server.app.connections === 0)
  },
)
