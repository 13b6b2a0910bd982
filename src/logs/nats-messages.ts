import type { LogEntry, LogMessage, Notice } from '../connections/event-log.js'

/** What is stored of a message: what it is, a line feed, and its data. Of a notice, the line feed and all of it. */
export function writeMessage({ rooms, event, data, except }: LogMessage): string {
  return `${JSON.stringify([rooms ?? null, event, except])}\n${data}`
}

export function writeNotice(notice: Notice): string {
  return `\n${JSON.stringify(notice)}`
}

const utf8 = new TextDecoder()

/** Undefined for what is neither: somebody else wrote it. */
export function readMessage(payload: Uint8Array, position: number): LogEntry | Notice | undefined {
  const text = utf8.decode(payload)
  const end = text.indexOf('\n')
  try {
    if (end === 0) return JSON.parse(text) as Notice
    const [rooms, event, except] = JSON.parse(text.slice(0, end)) as [string[] | null, string, string[]]
    return { rooms: rooms ?? undefined, event, data: text.slice(end + 1), except, position }
  } catch {
    return undefined
  }
}
