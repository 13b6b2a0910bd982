import assert from 'node:assert/strict'
import { Module } from 'palomino'
import { Assets } from '../../examples/assets.js'
import { Chat } from '../../examples/chat/chat.js'
import { enter, hears } from '../support/chat-page.js'
import { browserTest } from '../support/chromium.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { served } from '../support/examples.js'
import { lists, shows, submit } from '../support/pages.js'

@Module({ imports: [Chat, Assets] })
class App {}

const server = served(App)

for (const by of ['socket', 'stream'] as const) {
  browserTest(
    `a ${by} that is cut comes back by itself, and hears what was said meanwhile, once`,
    async (page, t) => {
      const wire = await CuttableWire.to(server.app.port)
      t.after(() => wire.close())
      const room = `cut-${by}`
      const ada = await enter(page, 'Ada', { room, by, origin: `http://127.0.0.1:${wire.port}` })
      const grace = await enter(page, 'Grace', { room, by: 'socket', origin: server.origin })
      await submit(grace, '#text', 'before')
      await hears(ada, ['Grace: before'])
      wire.cut()
      await shows(ada, '#state', 'Reconnecting …')
      await lists(grace, '#people li', ['Grace (you)'])
      for (const text of ['one', 'two']) await submit(grace, '#text', text)
      await hears(
        grace,
        ['before', 'one', 'two'].map(text => `Grace: ${text}`),
      )
      wire.mend()
      await hears(
        ada,
        ['before', 'one', 'two'].map(text => `Grace: ${text}`),
      )
      await submit(grace, '#text', 'after')
      await hears(
        ada,
        ['before', 'one', 'two', 'after'].map(text => `Grace: ${text}`),
      )
    },
    // Of a cut wire Chromium tells in as many words as there are moments to cut it in.
    { allow: [/Failed to load resource: net::ERR_|WebSocket connection/] },
  )
}

browserTest(
  'who comes with a token that no longer holds is shown the door',
  async page => {
    await page.addInitScript(() => {
      if (sessionStorage.getItem('once') !== null) return
      sessionStorage.setItem('once', '')
      const pass = { me: { id: 'x', name: 'Mallory' }, token: 'forged.seal', room: 'lobby', transport: 'stream' }
      sessionStorage.setItem('chat', JSON.stringify(pass))
    })
    await page.goto(server.origin)
    await page.waitForSelector('#door:visible')
    assert.equal(await page.evaluate(() => sessionStorage.getItem('chat')), null)
  },
  { allow: [/401/] },
)
