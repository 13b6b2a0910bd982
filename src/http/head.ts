import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { validateHeaderName, validateHeaderValue } from '../node-http.js'

/** What goes out in front of a reply's body. */
export interface Head {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
}

/** Statuses whose replies have no content (RFC 9110 §6.4.1, §15.3.6). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

export function hasContent(status: number): boolean {
  return !BODILESS.has(status)
}

/** Fields of which several are several values: what a reply says is added to what middleware said. */
const LISTS: ReadonlySet<string> = new Set(['set-cookie', 'vary'])

/**
 * Writes the head, all of it or nothing. A status below 200 is no reply, but says that one follows (RFC 9110 §15.2).
 * @throws TypeError for a field that cannot be sent (RFC 9110 §5.5), RangeError for a status that ends no exchange
 */
export function writeHead(response: ServerResponse, head: Head): void {
  const { status, headers } = head
  checkStatus(status)
  // RFC 9110 §8.6: not even where the reply, or what it was made of, says one.
  if (status === 204) dropField(response, head, 'Content-Length')
  for (const name in headers) {
    const value = headers[name]
    validateHeaderName(name)
    validateHeaderValue(name, value as string)
    if (response.hasHeader(name) && LISTS.has(name.toLowerCase()))
      headers[name] = [...new Set([response.getHeader(name), value].flat().map(String))]
  }
  response.writeHead(status, headers)
}

/** @throws RangeError */
export function checkStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new RangeError(`${status} is no status of a reply: give a whole number from 200 to 599`)
}

/** Whether nobody has said a field: neither the reply nor middleware. */
export function isUnsaid(response: ServerResponse, { headers }: Head): boolean {
  for (const _ in headers) return false
  return response.getHeaderNames().length === 0
}

/** Sets a field, in place of one of the same name in another case. */
export function setField({ headers }: Head, name: string, value: string | number): void {
  headers[nameOf(headers, name) ?? name] = value
}

/** Takes a field away, from the head and from what middleware set. */
export function dropField(response: ServerResponse, { headers }: Head, name: string): void {
  const given = nameOf(headers, name)
  if (given !== undefined) delete headers[given]
  if (response.hasHeader(name)) response.removeHeader(name)
}

/** The value of a field, from the head or from what middleware set. */
export function fieldOf(response: ServerResponse, { headers }: Head, name: string): unknown {
  const given = nameOf(headers, name)
  return given === undefined ? response.getHeader(name) : headers[given]
}

/** How a field is written in a head, mostly as it is asked for. */
function nameOf(headers: OutgoingHttpHeaders, name: string): string | undefined {
  if (Object.hasOwn(headers, name)) return name
  for (const key in headers) if (key.length === name.length && key.toLowerCase() === name.toLowerCase()) return key
  return undefined
}
