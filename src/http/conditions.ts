/** What the peer's conditions come to (RFC 9110 §13). */
import type { IncomingHttpHeaders } from 'node:http'
import type isFresh from 'fresh'
import { lazily } from '../pipeline/lazily.js'

const fresh = lazily<typeof isFresh>('fresh')

/** What is known of the representation that would be sent. */
export interface Validators {
  readonly etag: string
  readonly lastModified: string
}

/** 412 or 304 where a condition asks for that, in the order of RFC 9110 §13.2.2; undefined to go on. */
export function checkConditions(
  headers: IncomingHttpHeaders,
  { etag, lastModified }: Validators,
): 304 | 412 | undefined {
  const { 'if-match': match, 'if-unmodified-since': unmodifiedSince } = headers
  if (match !== undefined) {
    if (match.trim() !== '*' && !tags(match).includes(strong(etag))) return 412
  } else if (unmodifiedSince !== undefined && Date.parse(lastModified) > Date.parse(unmodifiedSince)) return 412
  return fresh()(headers, { etag, 'last-modified': lastModified }) ? 304 : undefined
}

/** Whether a range is to be taken from what the peer has a part of already (RFC 9110 §13.1.5). */
export function holdsRange(ifRange: string | undefined, { etag, lastModified }: Validators): boolean {
  if (ifRange === undefined) return true
  // A date is exact here, and strong only where the tag is: a file that has just changed may change again.
  return /^(w\/)?"/i.test(ifRange) ? ifRange === strong(etag) : strong(etag) !== undefined && ifRange === lastModified
}

/** The tag where it is one that compares byte for byte (RFC 9110 §8.8.3.2). */
function strong(etag: string): string | undefined {
  return etag.startsWith('W/') ? undefined : etag
}

function tags(list: string): (string | undefined)[] {
  return list.match(/(W\/)?"[^"]*"/g) ?? []
}
