import assert from 'node:assert/strict'
import { Module } from 'palomino'
import { Assets } from '../../examples/assets.js'
import { Chat } from '../../examples/chat/chat.js'
import { enter, hears } from '../support/chat-page.js'
import { browserTest } from '../support/chromium.js'
import { served } from '../support/examples.js'
import { lists, shows, submit } from '../support/pages.js'

@Module({ imports: [Chat, Assets] })
class App {}

const server = served(App)

browserTest('two people over different transports hear the same, in one order', async page => {
  const ada = await enter(page, 'Ada', { room: 'both', by: 'socket', origin: server.origin })
  const grace = await enter(page, 'Grace', { room: 'both', by: 'stream', origin: server.origin })
  await lists(ada, '#people li', ['Ada (you)', 'Grace'])
  await submit(ada, '#text', 'Hello')
  await hears(grace, ['Ada: Hello'])
  await submit(grace, '#text', 'Hello yourself <b>')
  for (const tab of [ada, grace]) await hears(tab, ['Ada: Hello', 'Grace: Hello yourself <b>'])
  await grace.close()
  await lists(ada, '#people li', ['Ada (you)'])
})

browserTest(
  'who cannot reach the server is told so at the door',
  async page => {
    await page.goto(server.origin)
    await page.context().setOffline(true)
    await submit(page, '#name', 'Ada')
    await shows(page, '#refusal', 'The server cannot be reached.')
    await page.context().setOffline(false)
    await submit(page, '#name', 'Ada')
    await shows(page, '#state', 'Live')
  },
  { allow: [/ERR_INTERNET_DISCONNECTED/] },
)

for (const by of ['socket', 'stream'] as const) {
  browserTest(`a newcomer by ${by} gets the last fifty lines`, async page => {
    const room = `history-${by}`
    const ada = await enter(page, 'Ada', { room, by: 'stream', origin: server.origin })
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
    const grace = await enter(page, 'Grace', { room, by, origin: server.origin })
    await hears(
      grace,
      said.slice(-50).map(text => `Ada: ${text}`),
    )
  })
}

browserTest('a whisper reaches one person and nobody else, and no newcomer', async page => {
  const room = 'whispers'
  const ada = await enter(page, 'Ada', { room, by: 'socket', origin: server.origin })
  const grace = await enter(page, 'Grace', { room, by: 'stream', origin: server.origin })
  const radia = await enter(page, 'Radia', { room, by: 'socket', origin: server.origin })
  await grace.click('.people button:has-text("Ada")')
  await submit(grace, '#text', 'psst')
  await hears(ada, ['Grace to you only: psst'])
  await hears(grace, ['Grace to Ada only: psst'])
  await grace.click('#to-all')
  await submit(grace, '#text', 'Hello all')
  await hears(radia, ['Grace: Hello all'])
  const late = await enter(page, 'Barbara', { room, by: 'stream', origin: server.origin })
  await hears(late, ['Grace: Hello all'])
})

browserTest('others see who is typing, and no longer once it is said', async page => {
  const ada = await enter(page, 'Ada', { room: 'typing', by: 'socket', origin: server.origin })
  const grace = await enter(page, 'Grace', { room: 'typing', by: 'stream', origin: server.origin })
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
    const grace = await enter(page, 'Grace', { room: 'refused', by: 'stream', origin: server.origin })
    const ada = await enter(page, 'Ada', { room: 'refused', by: 'socket', origin: server.origin })
    for (const tab of [ada, grace]) {
      await submit(tab, '#text', '   ')
      await tab.waitForSelector('#unsent:has-text("Not sent: ")')
      assert.equal(await tab.inputValue('#text'), '   ')
    }
  },
  { allow: [/422/] },
)
