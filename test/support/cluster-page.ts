/** The page of the example of a cluster, and what befalls its nodes. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { eventually } from './eventually.js'
import { startExample } from './examples.js'

/** What Chromium says of connections that end, and of answers that are not to be had. */
export const provoked = [/Failed to load resource|WebSocket connection/]

/** A busy machine takes its time to start processes. */
const patience = { timeout: 90_000 }

const NODES = ['one', 'two', 'three'] as const

export class ClusterPage {
  private constructor(private readonly page: Page) {}

  static async open(t: TestContext, page: Page, log: 'redis' | 'ipc'): Promise<ClusterPage> {
    const { origin } = await startExample(t, 'cluster/main.js', { LOG: log })
    await page.goto(origin)
    const opened = new ClusterPage(page)
    await opened.goesOn()
    return opened
  }

  /** The node with the most peers, each of which hangs on one. */
  async busiest(): Promise<string> {
    const counts = await Promise.all(NODES.map(name => this.page.locator(`[data-node="${name}"] .chip`).count()))
    return NODES[counts.indexOf(Math.max(...counts))] ?? 'one'
  }

  order(path: string): Promise<void> {
    return this.page.click(`[data-order="${path}"]`, patience)
  }

  /** How a node, or the `log`, is said to be. */
  async is(name: string, state: string): Promise<void> {
    await eventually(`${name} is ${state}`, async () => (await this.#text(`${card(name)} .state`)) === state, patience)
  }

  async process(name: string): Promise<string | undefined> {
    return /\d+/.exec(await this.#text(`${card(name)} .detail`))?.[0]
  }

  async isLeft(name: string): Promise<void> {
    const none = async () => (await this.page.locator(`${card(name)} .chip`).count()) === 0
    await eventually(`no peer hangs on ${name}`, none, patience)
  }

  /** All peers hang on nodes, and lines are said and heard that were not said before. */
  async goesOn(): Promise<void> {
    const before = await this.#number('#sent')
    const goesOn = async () => (await this.#text('#state')) === 'Live' && (await this.#number('#sent')) > before + 2
    await eventually('all are connected, and lines are said', goesOn, patience)
    await eventually('all have heard them', async () => (await this.#least()) > before, patience)
  }

  async standsStill(): Promise<void> {
    await eventually('a line has no answer', async () => /no answer/.test(await this.#text('#saying')), patience)
  }

  /** Says no more, and waits until all have come: none is missed, none repeated, and everybody is known to everybody. */
  async end(): Promise<void> {
    await this.page.click('#pause')
    await eventually('nothing is said', async () => (await this.#text('#saying')) === 'Nothing is said.', patience)
    const sent = await this.#number('#sent')
    const all = async () => (await this.#number('#received')) === 6 * sent
    await eventually('all has been received', all, patience)
    const counts = ['#due', '#missed', '#repeated'].map(selector => this.#number(selector))
    assert.deepEqual(await Promise.all(counts), [6 * sent, 0, 0])
    assert.ok(sent > 10)
    const seen = () => this.page.locator('.sees').allInnerTexts()
    await eventually('each sees six', async () => (await seen()).join() === '6,6,6,6,6,6', patience)
    assert.equal(await this.page.locator('#present .chip').count(), 6)
  }

  /** Of the numbers that each peer has heard, the least. */
  async #least(): Promise<number> {
    return Math.min(...(await this.page.locator('.received').allInnerTexts()).map(Number))
  }

  async #text(selector: string): Promise<string> {
    return (await this.page.textContent(selector, patience)) ?? ''
  }

  async #number(selector: string): Promise<number> {
    return Number(await this.#text(selector))
  }
}

const card = (name: string) => `#nodes [data-node="${name}"]`

/** Nodes are killed, frozen and restarted, each time the one on which most peers hang. */
export async function breakNodes(cluster: ClusterPage): Promise<void> {
  const killed = await cluster.busiest()
  await cluster.order(`nodes/${killed}/kill`)
  await cluster.is(killed, 'down')
  await cluster.isLeft(killed)
  await cluster.goesOn()
  await cluster.order(`nodes/${killed}/start`)
  await cluster.is(killed, 'serving')

  const frozen = await cluster.busiest()
  await cluster.order(`nodes/${frozen}/freeze`)
  await cluster.is(frozen, 'frozen')
  await cluster.isLeft(frozen)
  await cluster.goesOn()
  await cluster.order(`nodes/${frozen}/thaw`)
  await cluster.is(frozen, 'serving')

  const restarted = await cluster.busiest()
  const before = await cluster.process(restarted)
  await cluster.order(`nodes/${restarted}/restart`)
  await eventually(
    'it is another process',
    async () => ![before, undefined].includes(await cluster.process(restarted)),
    {
      timeout: 90_000,
    },
  )
  await cluster.is(restarted, 'serving')
  await cluster.goesOn()
}
