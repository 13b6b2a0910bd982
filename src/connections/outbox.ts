import { formatPlace } from './cursor.js'
import type { EventLog, LogMessage } from './event-log.js'

/** How messages leave a registry. */
export interface Outbox {
  /** @param key where the message is to be kept once, however often it is sent */
  send(message: LogMessage, volatile: boolean, key: string | undefined): Promise<string | undefined>
  tell(rooms: readonly string[] | undefined, data: string): Promise<void>
}

/** @param history whether what is sent is kept in the log */
export function outboxTo(log: EventLog, history: boolean): Outbox {
  return {
    async send(message, volatile, key) {
      if (history && !volatile) return formatPlace(await log.append(message, key))
      const unkept = volatile ? 'a volatile send' : 'a registry without history'
      if (key !== undefined) throw new TypeError(`once('${key}') is for what is kept: ${unkept} is not`)
      await log.notify({ kind: 'event', volatile, ...message })
      return undefined
    },
    tell: (rooms, data) => log.notify({ kind: 'tell', rooms, data }),
  }
}
