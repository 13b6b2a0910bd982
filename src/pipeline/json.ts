import type * as SecureJson from 'secure-json-parse'
import { badRequest } from '../errors.js'
import { lazily } from './lazily.js'
import { findLost } from './lost.js'

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

/** Words it for who gave a value without a JSON form; `why` not, and what to give instead, where there is more to say. */
export type Lacks = (value: unknown, who: string, why?: string, cure?: string) => string

const CURE = 'a BigInt as a string, and no cycle'

/**
 * JSON text, which `undefined`, functions, symbols, cycles and BigInts have none of, and in which maps, sets and their kin
 * would be lost, wherever in the value they are.
 * @throws TypeError
 */
export function writeJson(value: unknown, lacks: Lacks, who = ''): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    const [why] = cause.message.split('\n')
    throw new TypeError(lacks(value, who, why, CURE), { cause })
  }
  if (text === undefined) throw new TypeError(lacks(value, who))
  const lost = findLost(value, text)
  if (lost === undefined) return text
  const { kind, path, cure } = lost
  const what = `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}${path === '' ? '' : ` at ${path}`}`
  throw new TypeError(lacks(value, who, `JSON makes {} of ${what}`, cure))
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
