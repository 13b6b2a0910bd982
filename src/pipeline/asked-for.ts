import type { IncomingHttpHeaders } from 'node:http'
import type { AskedFor, Context } from './context.js'

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

/** One for all who ask for the same, as long as nobody else comes between. */
let last: AskedFor | undefined

/** What a connection keeps of the exchange that opened it, but for where its peer is. @param keep the header fields, in lower case */
export function askedFor(context: Context, keep: readonly string[]): AskedFor {
  const { method, params, query, protocol, id } = context
  const path = paths.of(context.path)
  const host = hosts.of(context.host)
  const asked: AskedFor = { method, path, params, query, headers: pickHeaders(context.headers, keep), protocol, host }
  if (id !== undefined) return Object.freeze({ ...asked, id })
  if (last === undefined || !isSame(asked, last)) last = Object.freeze(asked)
  return last
}

function isSame(one: AskedFor, other: AskedFor): boolean {
  if (one.path !== other.path || one.host !== other.host || one.params !== other.params) return false
  if (one.query !== other.query || one.headers !== other.headers) return false
  return one.method === other.method && one.protocol === other.protocol
}
