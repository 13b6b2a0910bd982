import { nats } from '../support/log-kinds.js'
import { testNodes } from './nodes.js'

testNodes(nats)
