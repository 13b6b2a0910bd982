import { browserTest } from '../support/chromium.js'
import { breakNodes, ClusterPage, provoked } from '../support/cluster-page.js'
import { skip } from '../support/redis-server.js'

browserTest(
  'nodes are killed, frozen and restarted, Redis is stopped and started: no peer misses a line, and none hears one twice',
  async (page, t) => {
    const cluster = await ClusterPage.open(t, page, 'redis')
    await breakNodes(cluster)
    await cluster.order('redis/stop')
    await cluster.is('log', 'down')
    await cluster.standsStill()
    await cluster.order('redis/start')
    await cluster.is('log', 'up')
    await cluster.goesOn()
    await cluster.end()
  },
  { allow: provoked, skip, timeout: 240_000 },
)
