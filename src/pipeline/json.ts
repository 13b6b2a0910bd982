import type * as SecureJson from 'secure-json-parse'
import { badRequest } from '../errors.js'
import { lazily } from './lazily.js'

const secure = lazily<typeof SecureJson>('secure-json-parse')

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
    return secure().parse(text, null, { protoAction: 'error', constructorAction: 'error' })
  } catch (error) {
    throw badRequest(`the JSON cannot be read: ${(error as Error).message}`)
  }
}

/** Counts brackets outside strings. Most texts are too short to be deep, and are not looked at. */
function isDeeperThan(text: string, depth: number): boolean {
  if (text.length <= depth * 2) return false
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
