/**
 * What a log is given from outside is checked here, where it comes in: another program, or another version of this one, may
 * have written it wrongly. Each of these throws an error that says what is wrong.
 */
import { checkClose } from '../connections/close-reason.js'
import type { LogEntry, LogMessage, Notice } from '../connections/event-log.js'
import type { NodeMessage } from '../connections/node-message.js'
import { checkUser } from '../connections/presence.js'
import { checkEvent, checkRooms } from '../connections/target.js'
import { check, show } from '../declare/options.js'

type Members = Readonly<Record<string, unknown>>

/** @param head rooms, event, and who is passed over, as JSON text @param data JSON text */
export function readEntry(position: number, head: unknown, data: unknown): LogEntry {
  const [rooms, event, except] = listOf(parse(head, 'its head'), 'its head')
  return { ...checkMessage({ rooms: rooms ?? undefined, event, data, except }), position }
}

/** @param text JSON text */
export function readNotice(text: unknown): Notice {
  return checkNotice(parse(text, 'it'))
}

export function checkMessage(value: unknown): LogMessage {
  const { rooms, event, data, except } = membersOf(value)
  if (rooms !== undefined) checkRooms(listOf(rooms, 'its list of rooms') as readonly string[])
  checkEvent(event)
  parse(data, 'its data')
  for (const id of listOf(except, 'its list of those passed over')) textOf(id, 'one who is passed over')
  return value as LogMessage
}

export function checkNotice(value: unknown): Notice {
  const notice = membersOf(value)
  if (notice.user !== undefined) checkUser(notice.user)
  switch (notice.kind) {
    case 'event':
      checkMessage(notice)
      break
    case 'tell':
      parse(notice.data, 'its data')
      if (notice.rooms !== undefined) checkRooms(listOf(notice.rooms, 'its list of rooms') as readonly string[])
      break
    case 'disconnect':
      if (notice.user === undefined) textOf(notice.target, 'whom it ends')
      if (notice.text !== undefined) textOf(notice.text, 'its text')
      checkClose(notice)
      break
    case 'node':
      textOf(notice.from, 'the node that says it')
      checkNode(notice)
      break
    default:
      throw new TypeError(`${show(notice.kind)} is no kind of notice`)
  }
  return value as Notice
}

export function checkRetention(value: unknown): void {
  const { count, bytes, age } = membersOf(value)
  for (const each of [count, bytes, age])
    if (typeof each !== 'number' || Number.isNaN(each))
      throw new TypeError(`what it is to remember is ${show(each)}, and not a number`)
}

function checkNode(message: Members): void {
  switch (message.say as NodeMessage['say']) {
    case 'here':
      countOf(message.version, 'a version')
      return timeOf(message.period, 'its period')
    case 'changes':
      countOf(message.version, 'a version')
      for (const change of listOf(message.changes, 'its changes')) checkStay(change, 2, 4)
      return
    case 'set':
      countOf(message.version, 'a version')
      countOf(message.part, 'a part')
      for (const stay of listOf(message.stays, 'its stays')) checkStay(stay, 4)
      return
    case 'ask':
      if (message.of !== undefined) textOf(message.of, 'a node')
      return
    case 'bye':
      return timeOf(message.linger, 'its time')
    case 'count':
      if (message.room !== undefined) textOf(message.room, 'a room')
      return void textOf(message.question, 'a question')
    case 'counted':
      textOf(message.question, 'a question')
      return countOf(message.count, 'a count')
    default:
      throw new TypeError(`${show(message.say)} is nothing that nodes say`)
  }
}

function checkStay(value: unknown, ...lengths: readonly number[]): void {
  const stay = listOf(value, 'who is where')
  if (!lengths.includes(stay.length)) throw new TypeError('who is where has too few parts')
  const [room, connection, user] = stay
  textOf(room, 'a room')
  textOf(connection, 'a connection')
  if (stay.length === 4) checkUser(user)
}

function parse(text: unknown, what: string): unknown {
  try {
    return JSON.parse(textOf(text, what))
  } catch (cause) {
    throw cause instanceof SyntaxError ? new TypeError(`${what} is no JSON: ${cause.message}`, { cause }) : cause
  }
}

function membersOf(value: unknown): Members {
  if (typeof value === 'object' && value !== null) return value as Members
  throw new TypeError(`it is ${show(value)}, and not an object`)
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new TypeError(`${what} is ${show(value)}, and not a list`)
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new TypeError(`${what} is ${show(value)}, and not text`)
}

function timeOf(value: unknown, what: string): void {
  if (check.milliseconds(value) !== undefined) throw new TypeError(`${what} is ${show(value)}, and not milliseconds`)
}

function countOf(value: unknown, what: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return
  throw new TypeError(`${what} is ${show(value)}, and not a whole number from 0`)
}
