/** The door `palomino/testing`: peers for the tests of an application, and what an `EventLog` must do, as tests for `node:test`. */
export { testEventLog } from './event-log.js'
export { EventsPeer, type EventsPeerOptions, openEvents } from './events-peer.js'
export type { Addressed, PeerOptions, Received } from './inbox.js'
export { ListeningNode, message } from './listening-node.js'
export { openSocket, SocketPeer, type SocketPeerOptions } from './socket-peer.js'
export type { EventLogTraits } from './traits.js'
