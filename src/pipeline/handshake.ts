import type { IncomingHttpHeaders } from 'node:http'
import type { Context, Handshake } from './context.js'

const NO_HEADERS: Readonly<IncomingHttpHeaders> = Object.freeze(Object.create(null))

function pickHeaders(headers: IncomingHttpHeaders, names: readonly string[]): Readonly<IncomingHttpHeaders> {
  const kept = names.filter(name => headers[name] !== undefined)
  if (kept.length === 0) return NO_HEADERS
  const picked: IncomingHttpHeaders = Object.create(null)
  for (const name of kept) picked[name] = headers[name]
  return Object.freeze(picked)
}

/** One string for all whose is the same as the last one's, as that of nearly all is: an idle connection keeps no copy (`idle`). */
class Repeated<T extends string | undefined> {
  constructor(private last: T) {}

  of(value: T): T {
    if (value !== this.last) this.last = value
    return this.last
  }
}

const paths = new Repeated<string>('')
const hosts = new Repeated<string | undefined>(undefined)
const addresses = new Repeated<string | undefined>(undefined)

/** One for all who ask for the same, from one place or through one proxy, as long as nobody else comes between. */
let last: Handshake | undefined

/** What a connection keeps of the exchange that opened it. @param keep the header fields, in lower case */
export function handshakeOf(context: Context, keep: readonly string[]): Handshake {
  const { method, params, query, protocol, id } = context
  const path = paths.of(context.path)
  const host = hosts.of(context.host)
  const remoteAddress = addresses.of(context.remoteAddress)
  const headers = pickHeaders(context.headers, keep)
  const made: Handshake = { method, path, params, query, headers, remoteAddress, protocol, host }
  if (id !== undefined) return Object.freeze({ ...made, id })
  if (last === undefined || !isSame(made, last)) last = Object.freeze(made)
  return last
}

function isSame(one: Handshake, other: Handshake): boolean {
  if (one.path !== other.path || one.remoteAddress !== other.remoteAddress || one.host !== other.host) return false
  if (one.params !== other.params || one.query !== other.query || one.headers !== other.headers) return false
  return one.method === other.method && one.protocol === other.protocol
}
