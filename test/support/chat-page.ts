import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { eventually } from './eventually.js'
import { submit } from './pages.js'

export interface Entrant {
  readonly room: string
  readonly by: 'socket' | 'stream'
  readonly origin: string
}

/** Somebody enters a room, in a tab of their own. */
export async function enter(page: Page, name: string, { room, by, origin }: Entrant): Promise<Page> {
  const tab = await page.context().newPage()
  await tab.goto(origin)
  await tab.check(`[value=${by}]`)
  await tab.fill('#room', room)
  await submit(tab, '#name', name)
  await tab.waitForSelector(`.people .me:has-text("${name}")`)
  return tab
}

/** Waits until this and no more stands in the room, without the hour. */
export async function hears(tab: Page, lines: readonly string[]): Promise<void> {
  await eventually(
    `it hears ${lines.join(', ')}`,
    async () => {
      const items = await tab.locator('#lines .line').allInnerTexts()
      const told = items.map(item => {
        const [who, , ...rest] = item.split('\n')
        return `${[who, ...rest.slice(0, -1)].join(' ')}: ${rest.at(-1)}`
      })
      assert.equal(told.join('\n'), lines.join('\n'))
      return true
    },
    { timeout: 10_000 },
  )
}
