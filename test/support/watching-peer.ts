import assert from 'node:assert/strict'
import type { PresenceEvent } from '../../src/index.js'

/** What a peer makes of the events `presence` of one room; it complains of what does not fit what it knows. */
export class WatchingPeer {
  readonly users = new Map<string, readonly unknown[]>()
  /** What it saw, in words. */
  readonly seen: string[] = []

  take(event: PresenceEvent): void {
    if ('users' in event) {
      this.users.clear()
      for (const { user, metas } of event.users) this.#add(user, metas)
      this.seen.push(`all: ${[...this.users.keys()].sort().join()}`)
      return
    }
    for (const { user, metas } of event.joined ?? []) {
      this.#add(user, metas)
      this.seen.push(`joined: ${user}`)
    }
    for (const { user, metas } of event.changed ?? []) {
      assert.ok(this.users.has(user), `${user} changed, and was not there`)
      this.users.set(user, metas)
      this.seen.push(`changed: ${user}`)
    }
    for (const { user, metas } of event.left ?? []) {
      assert.deepEqual(metas, this.users.get(user), `${user} left as it was known`)
      assert.ok(this.users.delete(user), `${user} left, and was not there`)
      this.seen.push(`left: ${user}`)
    }
  }

  /** As users and their metadata, in one order. */
  get known(): string[] {
    return inOrder([...this.users].map(([user, metas]) => ({ user, metas })))
  }

  #add(user: string, metas: readonly unknown[]): void {
    assert.ok(!this.users.has(user), `${user} is there already`)
    assert.ok(metas.length > 0, `${user} has connections`)
    this.users.set(user, metas)
  }
}

/** Who is there, comparable whatever the order. */
export function inOrder(users: readonly { readonly user: string; readonly metas: readonly unknown[] }[]): string[] {
  return users
    .map(
      ({ user, metas }) =>
        `${user}: ${metas
          .map(meta => JSON.stringify(meta))
          .sort()
          .join(' ')}`,
    )
    .sort()
}
