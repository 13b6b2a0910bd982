import { randomBytes } from 'node:crypto'

/** In front of the ids of all connections of this process. */
const node = randomBytes(6).toString('base64url')
let made = 0

/** A connection's name, like no other's on any node. */
export function makeId(): string {
  return `${node}${(made++).toString(36)}`
}

/** Whether an id may be that of one of this node's connections. */
export function isLocalId(id: string): boolean {
  return id.startsWith(node)
}
