import type * as SecureJson from 'secure-json-parse'
import { badRequest } from '../errors.js'
import { lazily } from './lazily.js'

const secure = lazily<typeof SecureJson>('secure-json-parse')

/** What harmful names are written with, escapes included: text without any of these has none of them. */
const MAY_HARM = ['__proto__', 'constructor', '\\u']

/** Arrays and objects inside each other, at the most. */
const DEPTH = 100

/**
 * Parses JSON from a peer: `__proto__` and `constructor.prototype` are refused, and so is nesting deep enough to
 * overflow the stack of whoever walks the value.
 * @throws HttpError 400
 */
export function parseJson(text: string): unknown {
  if (isDeeperThan(text, DEPTH)) throw badRequest(`the JSON is nested more than ${DEPTH} deep`)
  try {
    if (!MAY_HARM.some(word => text.includes(word))) return JSON.parse(text)
    return secure().parse(text, null, { protoAction: 'error', constructorAction: 'error' })
  } catch (error) {
    throw badRequest(`the JSON cannot be read: ${(error as Error).message}`)
  }
}

/**
 * JSON text, which `undefined`, functions, symbols, cycles and BigInts have none of.
 * @param lacks words it for who gave such a value; `why` is what the engine says, where it says something
 * @throws TypeError
 */
export function writeJson(
  value: unknown,
  lacks: (value: unknown, who: string, why?: string) => string,
  who = '',
): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    const [why] = cause.message.split('\n')
    throw new TypeError(lacks(value, who, why), { cause })
  }
  if (text === undefined) throw new TypeError(lacks(value, who))
  return text
}

/** Whether a text has more opening brackets than that, anywhere. */
function opensMoreThan(text: string, count: number): boolean {
  let found = 0
  for (const bracket of ['[', '{'])
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (++found > count) return true
  return false
}

/** Counts brackets outside strings. Most texts have too few to be deep, and are not walked through. */
function isDeeperThan(text: string, depth: number): boolean {
  if (!opensMoreThan(text, depth)) return false
  let open = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === BACKSLASH) index++
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (code === 0x5b || code === 0x7b) {
      if (++open > depth) return true
    } else if (code === 0x5d || code === 0x7d) open--
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
