import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { eventually } from './eventually.js'

/** Waits until the element's text, as it is seen, is this. */
export async function shows(page: Page, selector: string, text: string): Promise<void> {
  await eventually(
    `${selector} shows ${text}`,
    async () => {
      assert.equal((await page.textContent(selector))?.trim(), text)
      return true
    },
    { timeout: 10_000 },
  )
}

/** Waits until the items of a list are these, in this order, and no more. */
export async function lists(page: Page, selector: string, items: readonly string[]): Promise<void> {
  await eventually(
    `${selector} lists ${items.join(', ')}`,
    async () => {
      assert.equal((await page.locator(selector).allInnerTexts()).join('\n'), items.join('\n'))
      return true
    },
    { timeout: 10_000 },
  )
}

/** Writes into a field, and sends its form. */
export async function submit(page: Page, field: string, text: string): Promise<void> {
  await page.fill(field, text)
  await page.press(field, 'Enter')
}
