import type { LogEntry, LogMessage, Notice } from '../connections/event-log.js'
import { readEntry, readNotice } from './foreign.js'

/** What is stored of a message: what it is, a line feed, and its data. Of a notice, the line feed and all of it. */
export function writeMessage({ rooms, event, data, except }: LogMessage): string {
  return `${JSON.stringify([rooms ?? null, event, except])}\n${data}`
}

export function writeNotice(notice: Notice): string {
  return `\n${JSON.stringify(notice)}`
}

const utf8 = new TextDecoder()

/** @throws TypeError for what is neither: somebody else wrote it */
export function readMessage(payload: Uint8Array, position: number): LogEntry | Notice {
  const text = utf8.decode(payload)
  const end = text.indexOf('\n')
  if (end === 0) return readNotice(text)
  return readEntry(position, end === -1 ? text : text.slice(0, end), end === -1 ? '' : text.slice(end + 1))
}
