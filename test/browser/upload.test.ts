import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Module } from 'palomino'
import type { Page } from 'playwright-core'
import { Assets } from '../../examples/assets.js'
import { Uploading } from '../../examples/upload/upload.js'
import { browserTest } from '../support/chromium.js'
import { eventually } from '../support/eventually.js'
import { served } from '../support/examples.js'
import { shows } from '../support/pages.js'

@Module({ imports: [Uploading, Assets] })
class App {}

const server = served(App)
const MEBIBYTE = 1_048_576
const file = { name: 'ünï 🐎.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(2 * MEBIBYTE, 'horses ') }

async function open(page: Page, address = server.origin): Promise<Page> {
  await page.goto(address)
  await shows(page, '#state', 'Live')
  return page
}

browserTest('an upload is followed live, in two tabs, over an event stream', async page => {
  await open(page)
  const other = await open(await page.context().newPage(), page.url())
  await page.setInputFiles('#file', file)
  await page.check('input[value="1"]')
  const seen = new Set<number>()
  await page.click('#send')
  await eventually('it is under way', async () => {
    seen.add(Number(await other.textContent('#percent')))
    return seen.size > 3
  })
  const done = `${file.name} has arrived: 2.0 MiB.`
  for (const tab of [page, other]) {
    await shows(tab, '#outcome', done)
    await shows(tab, '#percent', '100')
    await shows(tab, '#digest', `sha256 ${createHash('sha256').update(file.buffer).digest('hex')}`)
  }
  assert.ok(Number(await other.textContent('#events')) > 3)
  const late = await open(await page.context().newPage(), page.url())
  await shows(late, '#outcome', done)
})

/** More than lies in the buffers of the two ends and of the kernel when it is stopped. */
const large = { ...file, buffer: Buffer.alloc(24 * MEBIBYTE, 'horses ') }

browserTest('an upload that is stopped is told to be given up, and the next one is taken', async page => {
  await open(page)
  await page.setInputFiles('#file', large)
  await page.check('input[value="1"]')
  await page.click('#send')
  await eventually('it is under way', async () => Number(await page.textContent('#percent')) > 0)
  await page.click('#stop')
  await eventually('it was given up', async () =>
    /^It was given up after .* MiB: the body was cut off\.$/.test((await page.textContent('#outcome')) ?? ''),
  )
  await page.setInputFiles('#file', file)
  await page.check('input[value=""]')
  await page.click('#send')
  await shows(page, '#outcome', `${file.name} has arrived: 2.0 MiB.`)
})
