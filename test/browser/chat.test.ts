import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { Assets } from '../../examples/assets.js'
import { Chat } from '../../examples/chat/chat.js'
import { Module } from '../../src/index.js'
import { browserTest } from '../support/chromium.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { eventually } from '../support/eventually.js'
import { served } from '../support/examples.js'
import { lists, shows, submit } from '../support/pages.js'

@Module({ imports: [Chat, Assets] })
class App {}

const server = served(App)

interface Entrant {
  readonly room: string
  readonly by: 'socket' | 'stream'
  readonly origin?: string
}

async function enter(page: Page, name: string, { room, by, origin = server.origin }: Entrant): Promise<Page> {
  const tab = await page.context().newPage()
  await tab.goto(origin)
  await tab.check(`[value=${by}]`)
  await tab.fill('#room', room)
  await submit(tab, '#name', name)
  await tab.waitForSelector(`.people .me:has-text("${name}")`)
  return tab
}

/** What stands in the room, without the hour. */
async function hears(tab: Page, lines: readonly string[]): Promise<void> {
  await eventually(`it hears ${lines.join(', ')}`, async () => {
    const items = await tab.locator('#lines .line').allInnerTexts()
    const told = items.map(item => {
      const [who, , ...rest] = item.split('\n')
      return `${[who, ...rest.slice(0, -1)].join(' ')}: ${rest.at(-1)}`
    })
    assert.equal(told.join('\n'), lines.join('\n'))
    return true
  })
}

browserTest('two people over different transports hear the same, in one order', async page => {
  const ada = await enter(page, 'Ada', { room: 'both', by: 'socket' })
  const grace = await enter(page, 'Grace', { room: 'both', by: 'stream' })
  await lists(ada, '#people li', ['Ada (you)', 'Grace'])
  await submit(ada, '#text', 'Hello')
  await hears(grace, ['Ada: Hello'])
  await submit(grace, '#text', 'Hello yourself <b>')
  for (const tab of [ada, grace]) await hears(tab, ['Ada: Hello', 'Grace: Hello yourself <b>'])
  await grace.close()
  await lists(ada, '#people li', ['Ada (you)'])
})

for (const by of ['socket', 'stream'] as const) {
  browserTest(`a newcomer by ${by} gets the last fifty lines`, async page => {
    const room = `history-${by}`
    const ada = await enter(page, 'Ada', { room, by: 'stream' })
    const said = Array.from({ length: 53 }, (_, index) => `line ${index}`)
    for (const text of said) {
      const status = await ada.evaluate(
        async ([room, text]) => {
          const { token } = JSON.parse(sessionStorage.getItem('chat')!)
          const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
          return (await fetch(`rooms/${room}/say`, { method: 'POST', headers, body: JSON.stringify({ text }) })).status
        },
        [room, text] as const,
      )
      assert.equal(status, 200)
    }
    const grace = await enter(page, 'Grace', { room, by })
    await hears(
      grace,
      said.slice(-50).map(text => `Ada: ${text}`),
    )
  })
}

browserTest('a whisper reaches one person and nobody else, and no newcomer', async page => {
  const room = 'whispers'
  const ada = await enter(page, 'Ada', { room, by: 'socket' })
  const grace = await enter(page, 'Grace', { room, by: 'stream' })
  const radia = await enter(page, 'Radia', { room, by: 'socket' })
  await grace.click('.people button:has-text("Ada")')
  await submit(grace, '#text', 'psst')
  await hears(ada, ['Grace to you only: psst'])
  await hears(grace, ['Grace to Ada only: psst'])
  await grace.click('#to-all')
  await submit(grace, '#text', 'Hello all')
  await hears(radia, ['Grace: Hello all'])
  const late = await enter(page, 'Barbara', { room, by: 'stream' })
  await hears(late, ['Grace: Hello all'])
})

browserTest('others see who is typing, and no longer once it is said', async page => {
  const ada = await enter(page, 'Ada', { room: 'typing', by: 'socket' })
  const grace = await enter(page, 'Grace', { room: 'typing', by: 'stream' })
  await grace.fill('#text', 'Well')
  await shows(ada, '#typing', 'Grace is typing …')
  await submit(grace, '#text', 'Well, yes')
  await shows(ada, '#typing', '')
  await ada.fill('#text', 'I')
  await shows(grace, '#typing', 'Ada is typing …')
})

browserTest(
  'what cannot be sent is told to its writer, and stays in the field',
  async page => {
    const grace = await enter(page, 'Grace', { room: 'refused', by: 'stream' })
    const ada = await enter(page, 'Ada', { room: 'refused', by: 'socket' })
    for (const tab of [ada, grace]) {
      await submit(tab, '#text', '   ')
      await tab.waitForSelector('#unsent:has-text("Not sent: ")')
      assert.equal(await tab.inputValue('#text'), '   ')
    }
  },
  { allow: [/422/] },
)

for (const by of ['socket', 'stream'] as const) {
  browserTest(
    `a ${by} that is cut comes back by itself, and hears what was said meanwhile, once`,
    async (page, t) => {
      const wire = await CuttableWire.to(server.app.port)
      t.after(() => wire.close())
      const room = `cut-${by}`
      const ada = await enter(page, 'Ada', { room, by, origin: `http://127.0.0.1:${wire.port}` })
      const grace = await enter(page, 'Grace', { room, by: 'socket' })
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
    { allow: [/ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|WebSocket connection/] },
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
