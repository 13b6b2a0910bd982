import { checkClose } from './close-reason.js'
import { formatPlace } from './cursor.js'
import type { EventLog, LogMessage } from './event-log.js'
import { checkUser } from './presence.js'

/** How messages leave a registry. */
export interface Outbox {
  /** @param key where the message is to be kept once, however often it is sent */
  send(message: LogMessage, volatile: boolean, key: string | undefined): Promise<string | undefined>
  tell(to: Told, data: string): Promise<void>
  disconnect(target: string | OfUser, reason: { readonly code?: number; readonly text?: string }): Promise<void>
  /** Told of what failed and nobody waits for. */
  unheard(error: unknown): void
}

/** All connections that stand for a user. */
export interface OfUser {
  readonly user: string
}

/** Rooms, or connections by their ids; a user; undefined for all. */
export type Told = readonly string[] | OfUser | undefined

/**
 * @param history whether what is sent is kept in the log
 * @param unheard told of what failed and nobody waits for
 * @param delivery what this node still gives to its own members is waited for, so that no sender runs ahead of it
 */
export function outboxTo(
  log: EventLog,
  history: boolean,
  unheard: (error: unknown) => void,
  delivery?: { readonly given: Promise<unknown> | undefined },
): Outbox {
  const given = async <T>(taken: Promise<T>): Promise<T> => {
    const answer = await taken
    if (delivery?.given !== undefined) await delivery.given
    return answer
  }
  return {
    unheard,
    async send(message, volatile, key) {
      if (history && !volatile) return formatPlace(await given(log.append(message, key)))
      const unkept = volatile ? 'a volatile send' : 'a registry without history'
      if (key !== undefined) throw new TypeError(`once('${key}') is for what is kept: ${unkept} is not`)
      await given(log.notify({ kind: 'event', volatile, ...message }))
      return undefined
    },
    async tell(to, data) {
      const whom = isOfUser(to) ? { rooms: [], user: checkUser(to.user) } : { rooms: to }
      await given(log.notify({ kind: 'tell', data, ...whom }))
    },
    async disconnect(target, reason) {
      checkClose(reason)
      const { code, text } = reason
      const close = { ...(code === undefined ? {} : { code }), ...(text === undefined ? {} : { text }) }
      await given(log.notify({ kind: 'disconnect', ...checkTarget(target), ...close }))
    },
  }
}

/** What names nobody would come to every node. */
function checkTarget(target: string | OfUser): { readonly target: string } | OfUser {
  if (typeof target === 'string') return { target }
  if (isOfUser(target)) return { user: checkUser(target.user) }
  throw new TypeError(`${JSON.stringify(target)} names nobody: give a room, the id of a connection, or { user }`)
}

export function isOfUser(to: unknown): to is OfUser {
  return typeof to === 'object' && to !== null && 'user' in to
}
