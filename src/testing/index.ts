/** The door `palomino/testing`: what an `EventLog` must do, as tests for `node:test`. */
export { testEventLog } from './event-log.js'
export { ListeningNode, message } from './listening-node.js'
export type { EventLogTraits } from './traits.js'
