import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type Checks, check, wrongOptions } from '../declare/options.js'

/** How exchanges are named. */
export interface RequestIdOptions {
  /** The header field that brings an id, and takes it back to the peer. @default 'X-Request-Id' */
  readonly header?: string
  /** Makes an id: 1 to 128 letters, digits and `. _ : + / = @ -`; anything else is 500. @default a random UUID (RFC 9562) */
  readonly generate?: (request: IncomingMessage) => string
  /**
   * Whose ids are taken: everybody's, nobody's, or those of the proxies that `trustProxy` trusts. An id of other
   * characters than those above, or a longer one, is replaced. @default 'proxies'
   */
  readonly trust?: boolean | 'proxies'
}

/** Gives each exchange its id. */
export interface RequestIds {
  readonly header: string
  readonly read: (request: IncomingMessage, fromTrusted: boolean) => string
}

/** What stands in a line of a log as it is, and in a header field. */
const SAFE = /^[\w.:+/=@-]{1,128}$/

const known: Checks<RequestIdOptions> = {
  header: value =>
    typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? undefined : 'the name of a header field',
  generate: check.method,
  trust: value => (typeof value === 'boolean' || value === 'proxies' ? undefined : "true, false or 'proxies'"),
}

export function requestIdProblems(option: unknown): string[] {
  if (option === undefined || typeof option === 'boolean') return []
  return wrongOptions('bootstrap: requestId', option as object, known)
}

/** Undefined where exchanges have no ids. */
export function requestIds(option: boolean | RequestIdOptions | undefined): RequestIds | undefined {
  if (option === undefined || option === false) return undefined
  const { header = 'X-Request-Id', generate, trust = 'proxies' } = option === true ? {} : option
  const key = header.toLowerCase()
  return {
    header,
    read(request, fromTrusted) {
      const given = trust === true || (trust === 'proxies' && fromTrusted) ? request.headers[key] : undefined
      if (typeof given === 'string' && SAFE.test(given)) return given
      if (generate === undefined) return randomUUID()
      const made = generate(request)
      if (typeof made === 'string' && SAFE.test(made)) return made
      throw new TypeError('requestId.generate answered no id: 1 to 128 letters, digits and . _ : + / = @ -')
    },
  }
}
