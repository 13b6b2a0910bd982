import { randomBytes } from 'node:crypto'

/** In front of the ids of all connections of this process. */
const node = randomBytes(6).toString('base64url')
let made = 0

/** Who is named by an id: few are ever asked for theirs, and nobody lives for being named. */
const named = new Map<string, WeakRef<object>>()
const gone = new FinalizationRegistry((id: string) => named.delete(id))

/** A name like no other's on any node. @param owner a connection, that it can be found by it */
export function makeId(owner?: object): string {
  const id = `${node}${(made++).toString(36)}`
  if (owner !== undefined) {
    named.set(id, new WeakRef(owner))
    gone.register(owner, id)
  }
  return id
}

/** The connection of this node with an id, if it has been asked for it. */
export function ownerOf(id: string): object | undefined {
  return named.get(id)?.deref()
}
