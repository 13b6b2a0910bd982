import { Module } from 'palomino'
import type { Page } from 'playwright-core'
import { Assets } from '../../examples/assets.js'
import { deck } from '../../examples/slides/deck.js'
import { Slides } from '../../examples/slides/slides.js'
import { browserTest } from '../support/chromium.js'
import { CuttableWire } from '../support/cuttable-wire.js'
import { served } from '../support/examples.js'
import { lists, shows, submit } from '../support/pages.js'

@Module({ imports: [Slides, Assets] })
class App {}

const server = served(App)
const title = (slide: number) => deck[slide]?.title ?? ''
const heard = (slide: number) => `Slide ${slide + 1}: ${title(slide)}`

async function present(page: Page, talk: string): Promise<Page> {
  const presenter = await page.context().newPage()
  await presenter.goto(`${server.origin}/presenter/?talk=${talk}`)
  await shows(presenter, '#state', 'Live')
  return presenter
}

async function sit(page: Page, talk: string, name: string, origin = server.origin): Promise<Page> {
  const seat = await page.context().newPage()
  await seat.addInitScript(as => sessionStorage.setItem('name', as), name)
  await seat.goto(`${origin}/?talk=${talk}`)
  await lists(seat, '#heard li', [`You are here as ${name}.`])
  return seat
}

async function goOn(presenter: Page, to: number): Promise<void> {
  await presenter.click('#next')
  await shows(presenter, '#title', title(to))
}

browserTest('the presenter turns the page for everybody, by buttons and by keys', async page => {
  const presenter = await present(page, 'turning')
  const seats = [await sit(page, 'turning', 'Ada'), await sit(page, 'turning', 'Grace')]
  for (const seat of seats) await shows(seat, '#title', title(0))
  await goOn(presenter, 1)
  for (const seat of seats) await shows(seat, '#title', title(1))
  await presenter.keyboard.press('ArrowRight')
  for (const seat of seats) await shows(seat, '#number', `3 / ${deck.length}`)
  await presenter.keyboard.press('ArrowLeft')
  for (const seat of seats) await shows(seat, '#title', title(1))
})

browserTest('two remotes of one talk stay together, and another talk hears nothing of it', async page => {
  const [one, two, elsewhere] = [await present(page, 'a'), await present(page, 'a'), await present(page, 'b')]
  await goOn(one, 1)
  await shows(two, '#title', title(1))
  await goOn(two, 2)
  await shows(one, '#title', title(2))
  await shows(elsewhere, '#title', title(0))
})

browserTest(
  'P36: the presenter sees who is here, as they come, change their name and go, and can call on one',
  async page => {
    const ada = await sit(page, 'guests', 'Ada')
    const presenter = await present(page, 'guests')
    await lists(presenter, '#guests li', ['Ada\nCall on'])
    const grace = await sit(page, 'guests', 'Grace')
    await lists(presenter, '#guests li', ['Ada\nCall on', 'Grace\nCall on'])
    await presenter.click('text=Call on >> nth=1')
    await grace.waitForSelector('#call:visible')
    await ada.waitForSelector('#call', { state: 'hidden' })
    await submit(ada, '#name', 'Countess')
    await lists(presenter, '#guests li', ['Grace\nCall on', 'Countess\nCall on'])
    await grace.close()
    await lists(presenter, '#guests li', ['Countess\nCall on'])
    await ada.close()
    await presenter.waitForSelector('#nobody:visible')
  },
)

browserTest('P37: who comes late sees the current slide first, and nothing of what was before', async page => {
  const presenter = await present(page, 'late')
  const early = await sit(page, 'late', 'Ada')
  await goOn(presenter, 1)
  await goOn(presenter, 2)
  await lists(early, '#heard li', ['You are here as Ada.', heard(1), heard(2)])
  const late = await sit(page, 'late', 'Radia')
  await shows(late, '#title', title(2))
  await goOn(presenter, 3)
  await lists(late, '#heard li', ['You are here as Radia.', heard(3)])
})

const missed = async (presenter: Page): Promise<readonly string[]> => {
  await goOn(presenter, 1)
  await goOn(presenter, 2)
  await submit(presenter, '#remark', 'Did you hear that?')
  await presenter.waitForSelector('#answer:has-text("Sent to")')
  return [heard(1), heard(2), 'Did you hear that?']
}

browserTest(
  'a connection that is cut comes back by itself and misses nothing, even when it had heard nothing yet',
  async (page, t) => {
    const wire = await CuttableWire.to(server.app.port)
    t.after(() => wire.close())
    const presenter = await present(page, 'cut')
    const there = await sit(page, 'cut', 'Grace')
    const away = await sit(page, 'cut', 'Ada', `http://127.0.0.1:${wire.port}`)
    wire.cut()
    await shows(away, '#state', 'Reconnecting …')
    await lists(presenter, '#guests li', ['Grace\nCall on'])
    const said = await missed(presenter)
    wire.mend()
    await lists(away, '#heard li', ['You are here as Ada.', 'You are back. What you missed:', ...said])
    await lists(presenter, '#guests li', ['Grace\nCall on', 'Ada\nCall on'])
    await goOn(presenter, 3)
    await lists(away, '#heard li', ['You are here as Ada.', 'You are back. What you missed:', ...said, heard(3)])
    await lists(there, '#heard li', ['You are here as Grace.', ...said, heard(3)])
  },
  // Only she is behind the wire; Chromium has many words for one that is cut, and asks for the page's icon when it pleases.
  { allow: [/net::ERR_\w+ \(\S*\/(talks\/cut\/events\?name=Ada|assets\/shared\/mark\.svg)\)/] },
)

browserTest('the button that cuts a connection shows the same', async page => {
  const presenter = await present(page, 'button')
  const away = await sit(page, 'button', 'Ada')
  await away.click('#cut')
  await shows(away, '#state', 'Reconnecting …')
  const said = await missed(presenter)
  await lists(away, '#heard li', ['You are here as Ada.', 'You are back. What you missed:', ...said])
})
