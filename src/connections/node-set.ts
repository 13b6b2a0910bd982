import { isDeepStrictEqual } from 'node:util'
import type { Change, StayForm } from './node-message.js'
import type { Roster, Stay } from './presence.js'

/** Whom one node has: only that node changes it, and the others follow by its version, which counts the changes. */
export class NodeSet {
  version = 0
  readonly #stays = new Map<string, Stay>()

  constructor(private readonly roster: Roster) {}

  get size(): number {
    return this.#stays.size
  }

  /** The stay that came of a change; undefined where one left. */
  apply(change: Change): Stay | undefined {
    this.version++
    const key = keyOf(change[0], change[1])
    if (change.length === 4) return this.#put(key, stayOf(change))
    const stay = this.#stays.get(key)
    if (stay !== undefined) this.#remove(key, stay)
    return undefined
  }

  /** Takes over what the node says of its whole set. */
  replace(version: number, forms: readonly StayForm[]): void {
    const named = new Set(forms.map(([room, connection]) => keyOf(room, connection)))
    for (const form of forms) {
      const key = keyOf(form[0], form[1])
      const stay = stayOf(form)
      if (!isDeepStrictEqual(this.#stays.get(key), stay)) this.#put(key, stay)
    }
    for (const [key, stay] of this.#stays) if (!named.has(key)) this.#remove(key, stay)
    this.version = version
  }

  forms(): StayForm[] {
    return Array.from(this.#stays.values(), ({ room, connection, user, meta }) => [room, connection, user, meta])
  }

  /** All of it may yet turn up elsewhere. */
  linger(): void {
    for (const [key, stay] of this.#stays) stay.end = () => this.#remove(key, stay)
  }

  clear(): void {
    for (const [key, stay] of this.#stays) this.#remove(key, stay)
  }

  #put(key: string, stay: Stay): Stay {
    const known = this.#stays.get(key)
    this.#stays.set(key, stay)
    this.roster.add(stay)
    if (known !== undefined) this.roster.remove(known)
    return stay
  }

  #remove(key: string, stay: Stay): void {
    if (this.#stays.get(key) === stay) this.#stays.delete(key)
    this.roster.remove(stay)
  }
}

function stayOf([room, connection, user, meta]: StayForm): Stay {
  return { room, connection, user, meta }
}

/** No connection's id has a space in it. */
function keyOf(room: string, connection: string): string {
  return `${connection} ${room}`
}
