import { formatPlace } from './cursor.js'
import type { EventLog, LogMessage } from './event-log.js'

/** How messages leave a registry. */
export interface Outbox {
  send(message: LogMessage, volatile: boolean): Promise<string | undefined>
  tell(rooms: readonly string[] | undefined, data: string): Promise<void>
}

/** @param history whether what is sent is kept in the log */
export function outboxTo(log: EventLog, history: boolean): Outbox {
  return {
    async send(message, volatile) {
      if (history && !volatile) return formatPlace(await log.append(message))
      await log.notify({ kind: 'event', volatile, ...message })
      return undefined
    },
    tell: (rooms, data) => log.notify({ kind: 'tell', rooms, data }),
  }
}
