/** A program that is a node with one peer in the room `a`, and tells what that heard when it is asked: `url`. */
import { redisEventLog } from '../../src/logs/redis.js'
import { LogBook } from '../support/app.js'
import { plenty, startRegistry, TestConnection } from '../support/registry-peers.js'

const [url = ''] = process.argv.slice(2)
const tail = { count: 100, bytes: 2000 }
const log = await redisEventLog({ url, tail, patience: 20_000 })('r', plenty, new LogBook())
const registry = await startRegistry({ log })
const peer = new TestConnection()
await registry.join(peer, 'a')
process.on('message', () => process.send?.({ data: peer.data, gaps: peer.gaps.length }))
process.on('disconnect', () => process.exit())
process.send?.('ready')
