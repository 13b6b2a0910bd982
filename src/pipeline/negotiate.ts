/** What a peer accepts, and prefers (RFC 9110 §12.5). The only file that knows the `negotiator` package. */
import type { ServerResponse } from 'node:http'
import type NegotiatorClass from 'negotiator'
import { lazily } from './lazily.js'

const Negotiator = lazily<typeof NegotiatorClass>('negotiator')

/**
 * The one of these media types that the peer likes best, the first of those that it likes equally; undefined where it
 * takes none. A missing or an empty `Accept` takes everything.
 */
export function preferredType(accept: string | undefined, types: readonly string[]): string | undefined {
  if (accept === undefined || accept.trim() === '') return types[0]
  // What is sent is UTF-8, and so `application/json; charset=utf-8` asks for nothing else than JSON.
  const offered = types.map(type => (type.includes(';') ? type : `${type};charset=utf-8`))
  const chosen = new (Negotiator())({ headers: { accept } }).mediaType(offered)
  return chosen === undefined ? undefined : types[offered.indexOf(chosen)]
}

/** Whether a peer names a media type, and likes nothing better: what it takes by a wildcard only, it has not asked for. */
export function asksFor(accept: string | undefined, type: string): boolean {
  if (accept === undefined || !accept.toLowerCase().includes(type)) return false
  const ranges = accept.split(',')
  const isNamed = (range: string) => range.split(';', 1)[0]?.trim().toLowerCase() === type
  const ordered = [...ranges.filter(isNamed), ...ranges.filter(range => !isNamed(range))]
  return new (Negotiator())({ headers: { accept: ordered.join(',') } }).mediaTypes()[0]?.toLowerCase() === type
}

/** The `negotiator` of today, which its types lag behind. */
interface Encodings {
  encodings(offered: readonly string[], options: { readonly preferred: readonly string[] }): string[]
}

/** Those of the offered content codings, and of `identity`, that the peer takes, the best first (RFC 9110 §12.5.3). */
export function acceptedEncodings(accept: string | undefined, offered: readonly string[]): readonly string[] {
  const negotiator: unknown = new (Negotiator())({ headers: { 'accept-encoding': accept ?? '' } })
  return (negotiator as Encodings).encodings([...offered, 'identity'], { preferred: offered })
}

/** Tells caches that the answer depends on this field of the request (RFC 9110 §12.5.5), once. */
export function addVary(response: ServerResponse, name: string): void {
  const given = String(response.getHeader('Vary') ?? '')
  const names = given.split(',').map(each => each.trim().toLowerCase())
  if (names.includes('*') || names.includes(name.toLowerCase())) return
  response.setHeader('Vary', given === '' ? name : `${given}, ${name}`)
}
