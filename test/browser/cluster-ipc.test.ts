import assert from 'node:assert/strict'
import { browserTest } from '../support/chromium.js'
import { breakNodes, ClusterPage, provoked } from '../support/cluster-page.js'

browserTest(
  'without Redis, nodes share the log of the supervisor: they are killed, frozen and restarted, and nobody misses a line',
  async (page, t) => {
    const cluster = await ClusterPage.open(t, page, 'ipc')
    assert.equal(await page.locator('[data-order^="redis/"]:visible').count(), 0)
    await breakNodes(cluster)
    await cluster.end()
  },
  { allow: provoked, timeout: 240_000 },
)
